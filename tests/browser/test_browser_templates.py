"""Templates on a host of this machine: listed once and served, and opened in the front end nothing lies on anything, in
both renderers. Those for models that no test has are checked by the host's own validation, with empty files."""

import json
import urllib.request

import pytest
from helpers.browser import ROOT, SOFTWARE_GL, chromium, draw_with, graph_page, host, keep, playwright
from helpers.scripts import script
from syncpack.launcher import client, server
from syncpack.launcher.workflow_format import to_api
from syncpack.launcher.workspace import PACK_FOLDER

pytestmark = [pytest.mark.host, pytest.mark.slow]

PATHS = sorted((ROOT / "workflows").glob("*.json"))
OTHERS = ("sdxl_", "flux_", "wan_")
OPEN = """async (graph) => {
  await app.loadGraphData(graph);
  await new Promise((done) => setTimeout(done, 100));
  const nodes = app.graph._nodes;
  const least = (k) => Math.min(...nodes.map((n) => n.pos[k]));
  const most = (k) => Math.max(...nodes.map((n) => n.pos[k] + n.size[k]));
  const scale = Math.min(1300 / (most(0) - least(0)), 720 / (most(1) - least(1)));
  app.canvas.ds.scale = scale;
  app.canvas.ds.offset = [75 / scale - least(0), 110 / scale - least(1)];
  app.canvas.setDirty(true, true);
  await new Promise((done) => setTimeout(done, 300));
}"""
# Pairs of nodes that lie on each other as drawn, and how many boxes were measured on the page.
OVERLAPS = """() => {
  const { scale, offset } = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect();
  let drawn = 0;
  const boxes = app.graph._nodes.map((node) => {
    const box = document.querySelector(`[data-node-id="${node.id}"]`)?.getBoundingClientRect();
    if (!box?.width) {
      const [x, y] = node.pos, [w, h] = node.size;
      return [node.type, x, y - 30, x + w, y + h];
    }
    drawn += 1;
    const x = (box.left - canvas.left) / scale - offset[0], y = (box.top - canvas.top) / scale - offset[1];
    return [node.type, x, y, x + box.width / scale, y + box.height / scale];
  });
  const found = [];
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    if (a[1] < b[3] - 1 && b[1] < a[3] - 1 && a[2] < b[4] - 1 && b[2] < a[4] - 1) found.push(`${a[0]} / ${b[0]}`);
  }));
  return { found, drawn };
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    (base / "input").mkdir()
    empty = tmp_path_factory.mktemp("models")
    for name, (folder, _) in script("layout.models").FILES.items():
        (empty / folder).mkdir(exist_ok=True)
        (empty / folder / name).touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMFYUI_MODELS", str(empty))
        with server.running(host(), ROOT, base / "output", base=base) as running:
            yield running


@pytest.fixture(scope="module")
def page(served):
    with playwright() as driver, chromium(driver, *SOFTWARE_GL) as browser, graph_page(browser, served.url) as opened:
        opened.set_viewport_size({"width": 1400, "height": 900})
        yield opened
        assert opened.problems == []


def read(served, path):
    with urllib.request.urlopen(f"{served.url}{path}", timeout=30) as answer:
        return answer.read()


def test_templates_are_listed_once_and_served_with_their_pictures(served):
    try:
        listed = json.loads(read(served, "/api/workflow_templates"))
    except urllib.error.HTTPError:
        pytest.skip("this host has no templates of custom nodes")
    assert sorted(listed[PACK_FOLDER]) == [path.stem for path in PATHS]
    for path in PATHS:
        for kind in ("json", "jpg"):
            there = read(served, f"/api/workflow_templates/{PACK_FOLDER}/{path.stem}.{kind}")
            assert there == path.with_suffix(f".{kind}").read_bytes()


@pytest.mark.parametrize("path", [p for p in PATHS if p.stem.startswith(OTHERS)], ids=lambda p: p.stem)
def test_the_host_accepts_templates_for_other_models(served, path):
    workflow, info = json.loads(path.read_text(encoding="utf-8")), client.object_info(served)
    if missing := {n["type"] for n in workflow["nodes"]} - set(info) - {"MarkdownNote"}:
        pytest.skip(f"this host has no {', '.join(sorted(missing))}")
    # Refused prompts raise; an accepted one ends at its empty file.
    assert client._submit(served, to_api(workflow, info), workflow, "templates")


@pytest.mark.parametrize("renderer", ["classic", "vue"])
def test_nothing_lies_on_anything(page, renderer):
    if not page.evaluate("!!app.extensionManager?.setting"):
        pytest.skip("this front end is older than the setting of a renderer")
    draw_with(page, renderer)
    wrong, drawn, total = {}, 0, 0
    for path in PATHS:
        graph = json.loads(path.read_text(encoding="utf-8"))
        page.evaluate(OPEN, graph)
        said = page.evaluate(OVERLAPS)
        drawn, total = drawn + said["drawn"], total + len(graph["nodes"])
        keep(page, f"template_{path.stem}_{renderer}")
        if said["found"]:
            wrong[path.stem] = said["found"]
    assert wrong == {}
    assert drawn > 0.9 * total if renderer == "vue" else drawn == 0
