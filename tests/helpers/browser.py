"""A host of this machine in a browser of this machine, for the tests of the front end. Skips where one is missing.

The host is the checkout in COMFYUI_DIR, else the package ``comfy``, run by SYNCTWEEDIES_PYTHON or this Python.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from syncpack.launcher import server
from syncpack.launcher.hosts import Host
from syncpack.launcher.workspace import PACK_FOLDER

ROOT = Path(__file__).resolve().parents[2]
OURS = f"extensions/{PACK_FOLDER}"
# What a page loads before anything is shown, and nothing else of ours.
SCRIPTS = ["fold.js", "looks.js", "outputs.mjs", "panels.js", "reports.js", "rules.mjs", "upload.js", "words.mjs"]
READY = "window.app?.graph && Object.keys(window.LiteGraph?.registered_node_types ?? {}).length > 50"
# Remembers the WebGL contexts of a page: ``contexts``, and ``webgl()``, the one that lives and was made last.
WEBGL = """() => {
  window.contexts = [];
  window.webgl = () => contexts.filter((gl) => !gl.isContextLost()).pop();
  const { getContext } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.getContext = function (kind) {
    const made = getContext.apply(this, arguments);
    if (kind === "webgl2" && made && !contexts.includes(made)) contexts.push(made);
    return made;
  };
}"""
# A node put into the graph, with values of its widgets.
_PLACE = """window.placeNode = (type, pos, values = {}) => {
  const node = LiteGraph.createNode(type);
  node.pos = pos;
  app.graph.add(node);
  Object.entries(values).forEach(([name, value]) => { node.widgets.find((w) => w.name === name).value = value; });
  return node;
}"""
# Software rendering, so that the pictures are the same on every machine.
SOFTWARE_GL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_GL = ("--disable-3d-apis",)
# Threads of a host that spin while they wait starve a browser that draws without a GPU, and are starved by it.
for _name, _value in (("OMP_WAIT_POLICY", "passive"), ("KMP_BLOCKTIME", "0")):
    os.environ.setdefault(_name, _value)
_QUIET = ("--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update")


def host() -> Host:
    python = os.environ.get("SYNCTWEEDIES_PYTHON") or sys.executable
    if checkout := os.environ.get("COMFYUI_DIR"):
        return Host("official", python, Path(checkout))
    if subprocess.run([python, "-c", "import comfy.cmd.main"], capture_output=True).returncode:
        pytest.skip("no ComfyUI host: set COMFYUI_DIR, or install comfyui==0.0.1")
    return Host("pip", python)


@contextlib.contextmanager
def playwright() -> Iterator[Any]:
    """What starts browsers. One at a time in a process."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as driver:
        yield driver


@contextlib.contextmanager
def chromium(driver: Any, *options: str) -> Iterator[Any]:
    """A headless Chromium, the system's or playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    installed = next((found for name in names if (found := shutil.which(name))), None)
    try:
        browser = driver.chromium.launch(executable_path=installed, args=[*_QUIET, *options])
    except Exception as error:  # playwright's own kind, known only where it is installed
        pytest.skip(f"no Chromium to start: {str(error).splitlines()[0]}")
    try:
        yield browser
    finally:
        browser.close()


@contextlib.contextmanager
def served(base: Path, *options: str) -> Iterator[tuple[Any, Any]]:
    """A host whose files lie in ``base``, and a Chromium with these options: (browser, running host). Skips before a
    host is started for nothing."""
    with (
        playwright() as driver,
        chromium(driver, *options) as browser,
        server.running(host(), ROOT, base / "output", base=base) as running,
    ):
        yield browser, running


def draw_with(page: Any, renderer: str) -> None:
    """Have the front end draw by ``classic`` or ``vue`` (Nodes 2.0). Skips where it has classic alone."""
    can_be_set = page.evaluate("!!app.extensionManager?.setting")
    # Front ends of 2025 hide an unfinished second renderer behind the same setting.
    if renderer == "vue" and not (can_be_set and page.evaluate("!!app.rootGraph")):
        pytest.skip("this front end has one renderer")
    if can_be_set:
        page.evaluate("(on) => app.extensionManager.setting.set('Comfy.VueNodes.Enabled', on)", renderer == "vue")
    page.wait_for_timeout(500)
    page.renderer = renderer


@contextlib.contextmanager
def graph_page(browser: Any, url: str) -> Iterator[Any]:
    """The front end with an empty graph; ``placeNode(type, pos, values)`` puts a node into it.

    ``page.problems`` lists errors of the pack's scripts, ``page.fetched`` the URLs that were asked for.
    """
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.problems, page.fetched = [], []
    page.add_init_script(_PLACE)

    def problem(text: str) -> None:
        if OURS in text:  # the front ends have errors of their own
            page.problems.append(text)

    page.on("pageerror", lambda error: problem(error.stack or str(error)))
    page.on("console", lambda message: problem(f"{message.type}: {message.text} {message.location}"))
    page.on("request", lambda request: page.fetched.append(request.url))
    page.goto(url, wait_until="domcontentloaded", timeout=120_000)
    page.wait_for_function(READY, timeout=120_000)
    with contextlib.suppress(Exception):  # playwright's own kind, known only where it is installed
        # The front end loads its last workflow, or its first, after it is ready.
        page.wait_for_function("(app.graph.nodes ?? app.graph._nodes).length > 0", timeout=8000)
    page.wait_for_timeout(1000)
    page.keyboard.press("Escape")
    page.evaluate("app.graph.clear()")
    try:
        yield page
    finally:
        page.close()


def modules(page: Any) -> set[str]:
    """The pack's modules that a page has fetched since it was loaded (folds are needed from the start)."""
    ours = (url for url in page.fetched if OURS in url and url.endswith(".mjs"))
    return {url.split("/")[-1] for url in ours if "/fold/" not in url}


def keep(page: Any, name: str) -> None:
    """A picture of the front end into the folder SYNC_SCREENSHOTS, where that is set."""
    if folder := os.environ.get("SYNC_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def note(page: Any, selector: str) -> str:
    """The text of a viewer's note, after what was asked for is drawn."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(selector).text_content()
