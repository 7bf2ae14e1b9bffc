"""The viewer as a user has it: a running host, its front end, a browser; what it shows against what Python sees.

SYNC_SCREENSHOTS=<folder> keeps pictures of the front end.
"""

import io
import os
import re
from pathlib import Path

import numpy as np
import panorama_card
import pytest
import torch
from browser import NO_GL, ROOT, SOFTWARE_GL, chromium, graph_page, host
from PIL import Image
from syncpack.launcher import server
from syncpack.renderers.cameras import Look
from syncpack.renderers.equirect import look_at

pytestmark = [pytest.mark.host, pytest.mark.slow]

VIEW, NOTE = '[data-panorama="view"]', '[data-panorama="note"]'
CARDS = [panorama_card.card(1024), panorama_card.card(512, " 2")]

BUILD = """async ([names, size]) => {
  const preview = LiteGraph.createNode("SyncTweediesPreview360");
  preview.pos = [500, 80];
  app.graph.add(preview);
  const loaders = names.map((name, i) => {
    const node = LiteGraph.createNode("LoadImage");
    node.pos = [60, 80 + 380 * i];
    app.graph.add(node);
    node.widgets.find((w) => w.name === "image").value = name;
    return node;
  });
  if (loaders.length === 2) {
    const batch = LiteGraph.createNode("ImageBatch");
    batch.pos = [60, 820];
    app.graph.add(batch);
    loaders.forEach((node, i) => node.connect(0, batch, i));
    batch.connect(0, preview, 0);
  } else loaders[0].connect(0, preview, 0);
  preview.setSize(size);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [0, 0];
  app.canvas.setDirty(true, true);
  window.previewNode = preview;
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    with chromium():
        pass  # skip before a host is started for nothing
    (base / "input").mkdir()
    for number, card in enumerate(CARDS):
        panorama_card.save(card, base / "input" / f"card{number}.png")
    with server.running(host(), ROOT, base / "output", base=base) as running:
        yield running


@pytest.fixture(scope="module")
def page(served):
    with chromium(*SOFTWARE_GL) as browser, graph_page(browser, served.url) as opened:
        page_run(opened, ["card0.png"])
        yield opened
        assert opened.problems == []


def page_run(page, names, size=(700, 620)):
    page.evaluate(BUILD, [names, list(size)])
    page.evaluate("app.queuePrompt(0)")
    page.wait_for_function(f"document.querySelector('{NOTE}')?.textContent", timeout=60_000)
    page.wait_for_timeout(300)


def keep(page, name, clip=None):
    if folder := os.environ.get("SYNC_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), clip=clip)


def note(page):
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(NOTE).text_content()


def looks(page):
    """(azimuth, elevation, field of view) as the viewer tells them."""
    return tuple(int(n) for n in re.match(r"view (-?\d+)°, (-?\d+)°, (\d+)° wide", note(page)).groups())


def press(page, *keys):
    page.locator(VIEW).focus()
    for key in keys:
        page.keyboard.press(key)
    return looks(page)


def saved(page):
    """The file of Save view: (name, [H, W, 3] in [0, 255])."""
    with page.expect_download() as download:
        page.locator(VIEW).press("s")
    with Image.open(download.value.path()) as picture:
        return download.value.suggested_filename, np.asarray(picture.convert("RGB"), dtype=np.float32)


def seen(card, azimuth, elevation, fov, height, width):
    look = Look.degrees(azimuth, elevation, fov)
    return look_at(card[None], look, height, width)[0].numpy() * 255


LOOKS = {
    "front": [],
    "right": ["ArrowRight"] * 6,
    "back": ["ArrowRight"] * 12,
    "left": ["ArrowLeft"] * 6,
    "up": ["ArrowUp"] * 6,
    "down": ["ArrowDown"] * 7,
    "back_up": ["ArrowLeft"] * 11 + ["ArrowUp"] * 4,
}
ANGLES = {
    "front": (0, 0), "right": (90, 0), "back": (180, 0), "left": (-90, 0), "up": (0, 90), "down": (0, -90),
    "back_up": (-165, 60),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKS)
def test_it_shows_what_python_sees(page, name):
    assert press(page, "Home", *LOOKS[name]) == (*ANGLES[name], 90)
    file, picture = saved(page)
    assert file == f"view_{ANGLES[name][0]}_{ANGLES[name][1]}_90.png"
    height, width, _ = picture.shape
    assert width >= 1024 and height > 500
    difference = np.abs(picture - seen(CARDS[0], *ANGLES[name], 90, height, width)).max(-1)
    keep(page, f"view_{name}")
    print(name, "max", difference.max(), "mean", difference.mean())
    assert difference.max() <= 3 and difference.mean() <= 0.3
