"""Blueprints as a user meets them: found in the node search, placed, wired, run; in both renderers of the front end.

Skipped where the front end knows no blueprints. SYNC_SCREENSHOTS=<folder> keeps pictures of the front end.
"""

import json

import pytest
from helpers.blueprints import NAMES, PACK, definition
from helpers.browser import ROOT, SOFTWARE_GL, chromium, graph_page, host, keep, playwright
from syncpack.launcher import server

pytestmark = [pytest.mark.host, pytest.mark.slow]

WORDS = "a cloudy sky"
# Small and quick.
VALUES = {"quality": "draft", "width": 128, "texture_size": 128, "view_size": 48, "prompt": WORDS}
LOADER, SOCKETS = "ToyWorldModel", {"model": 0, "clip": 1, "vae": 2}
SAVERS = {"IMAGE": ("PreviewImage", "images"), "MESH": ("SyncTweediesPreviewMesh", "mesh"), "SPLAT": ("SaveSplats", "splats")}

# Wires the blueprint (the newest node) as a user would by hand: loader, picture, something behind its first output.
WIRE = """([sockets, saver, values]) => {
  const node = app.graph.nodes.at(-1);
  const add = (type, pos, widgets = {}) => {
    const made = LiteGraph.createNode(type);
    made.pos = pos;
    app.graph.add(made);
    return made;
  };
  node.pos = [460, 80];
  const at = (name) => node.inputs.findIndex((input) => input.name === name);
  const names = Object.keys(sockets).filter((name) => at(name) >= 0);
  if (names.length) {
    const loader = add("ToyWorldModel", [40, 80]);
    names.forEach((name) => loader.connect(sockets[name], node, at(name)));
  }
  if (at("image") >= 0) add("SyncTweediesExemplarPicture", [40, 300]).connect(0, node, at("image"));
  const end = add(saver[0], [960, 80]);
  node.connect(0, end, end.inputs.findIndex((input) => input.name === saver[1]));
  for (const widget of node.widgets) if (widget.name in values) { widget.value = values[widget.name]; widget.callback?.(widget.value); }
  app.canvas.setDirty(true, true);
  return [node.id, end.id];
}"""

# What the host would be sent: of every node its class and what is typed into it, wires by the class they come from.
SENT = """async () => {
  const { output } = await app.graphToPrompt();
  const said = (value) => Array.isArray(value) ? `${output[value[0]]?.class_type}.${value[1]}` : value;
  return Object.values(output).map(({ class_type, inputs }) =>
    [class_type, Object.entries(inputs).map(([name, value]) => [name, said(value)]).sort()])
    .sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    with playwright() as driver:
        with chromium(driver):
            pass  # skip before a host is started for nothing
        with (
            server.running(host(), ROOT, base / "output", base=base) as running,
            chromium(driver, *SOFTWARE_GL) as browser,
        ):
            yield browser, running


@pytest.fixture(scope="module", params=["classic", "vue"])
def page(served, request):
    browser, running = served
    with graph_page(browser, running.url) as opened:
        listed = opened.evaluate("fetch('/global_subgraphs').then((r) => r.ok ? r.text() : '')")
        if PACK not in listed or not opened.evaluate("!!app.extensionManager?.command"):
            pytest.skip("this front end has no blueprints")
        opened.set_viewport_size({"width": 1400, "height": 1000})
        opened.renderer = request.param
        setting = "app.extensionManager.setting.set('Comfy.VueNodes.Enabled', {})"
        opened.evaluate(setting.format("true" if request.param == "vue" else "false"))
        opened.wait_for_timeout(500)
        yield opened
        assert opened.problems == []


def fresh(page):
    """An empty workflow in a tab of its own."""
    page.evaluate("app.extensionManager.command.execute('Comfy.NewBlankWorkflow')")
    page.wait_for_timeout(700)
    page.evaluate("() => { Object.assign(app.canvas.ds, { scale: 0.8, offset: [20, 40] }); app.canvas.setDirty(true, true); }")


def find(page, typed, at=(1100, 850)):
    """Search for a node, take the first that is found, put it there: one double click, a key, one click."""
    before = page.evaluate("app.graph.nodes.length")
    page.mouse.dblclick(*at)
    box = page.locator("input[role='combobox'], .p-autocomplete-input, [role='dialog'] input").first
    box.wait_for(timeout=10_000)
    box.fill(typed)
    page.get_by_text(typed.split()[-1]).last.wait_for(timeout=10_000)
    page.wait_for_timeout(500)
    page.keyboard.press("Enter")
    page.wait_for_timeout(400)
    if page.evaluate("app.graph.nodes.length") == before or page.evaluate("!!app.canvas.isDragging"):
        page.mouse.click(*at)
    page.mouse.click(*at)
    page.wait_for_function(f"app.graph.nodes.length === {before + 1}", timeout=10_000)
    page.wait_for_timeout(300)


def wired(page, name):
    saver = SAVERS[definition(name)["outputs"][0]["type"]]
    return page.evaluate(WIRE, [SOCKETS, saver, VALUES])


def run(page, end, timeout=90_000):
    """Queue it and wait until its last node has run; fails with what the host says."""
    page.evaluate("""() => {
      window.ended = null;
      const once = (name) => app.api.addEventListener(name, (event) => { window.ended ??= [name, event.detail]; }, { once: true });
      ["execution_success", "execution_error", "execution_interrupted"].forEach(once);
    }""")
    page.evaluate("app.queuePrompt(0)")
    page.wait_for_function("window.ended || Object.keys(app.lastNodeErrors ?? {}).length", timeout=timeout)
    ended = page.evaluate("window.ended")
    assert ended and ended[0] == "execution_success", json.dumps([ended, page.evaluate("app.lastNodeErrors")])[:1500]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_found_placed_wired_and_run(page, name):
    fresh(page)
    find(page, name.removesuffix(PACK))
    node = page.evaluate("(() => { const n = app.graph.nodes[0]; return [n.title, n.isSubgraphNode?.() ?? false]; })()")
    assert node == [name, True]
    shown = page.evaluate("app.graph.nodes[0].widgets.map((w) => w.name)")
    assert {"seed", "quality"} <= set(shown)
    _, end = wired(page, name)
    run(page, end)
    page.wait_for_timeout(400)
    keep(page, f"blueprint_{name.removesuffix(PACK).replace(' ', '_')}_{page.renderer}")
