"""Nodes in the front end's language: names, inputs, outputs, descriptions, tooltips and what stands in the viewers.

SYNC_SCREENSHOTS=<folder> keeps pictures of the front end.
"""

import json
import re

import pytest
from helpers.browser import OURS, READY, ROOT, graph_page, keep, served

pytestmark = [pytest.mark.host, pytest.mark.slow]

# What the front end shows of every node: {id: {display_name, description, inputs, outputs}}, names by their ids.
SHOWN = """(ids) => Object.fromEntries(ids.map((id) => {
  const { nodeData, title } = LiteGraph.registered_node_types[id];
  const node = LiteGraph.createNode(id);
  const label = (slot) => slot.label ?? slot.localized_name ?? slot.name;
  const inputs = Object.fromEntries([
    ...node.inputs.map((input) => [input.name, label(input)]),
    ...(node.widgets ?? []).map((widget) => [widget.name, label(widget)]),
  ]);
  return [id, { title, description: nodeData.description, inputs, outputs: node.outputs.map(label),
                category: nodeData.category }];
}))"""
LOOK = """() => {
  app.graph.clear();
  placeNode("SyncTweediesSampler", [420, 60]);
  placeNode("ViewRig", [20, 60]);
  placeNode("SyncTweediesPreview360", [820, 60]);
  placeNode("RigReport", [820, 480]);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [60, 60];
  app.canvas.setDirty(true, true);
}"""

# What the button says that unfolds the sampler's rare inputs.
MORE = """() => app.graph._nodes.find((node) => node.type === "SyncTweediesSampler")
  .widgets.find((widget) => widget.name === "more").label"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    with served(base) as (browser, running), graph_page(browser, running.url) as opened:
        if not opened.evaluate("!!app.extensionManager?.setting && fetch('/i18n').then((answer) => answer.ok)"):
            pytest.skip("this front end has one language for custom nodes")
        opened.set_viewport_size({"width": 1400, "height": 1000})
        yield opened
        assert opened.problems == []


# German is not among the languages of the front ends so far.
@pytest.mark.parametrize("language", ["zh", "ja", "ko", "fr", "es"])
def test_every_node_speaks_the_language(page, language):
    page.evaluate("(to) => app.extensionManager.setting.set('Comfy.Locale', to)", language)
    page.fetched.clear()
    page.reload(wait_until="domcontentloaded")
    page.wait_for_function(READY, timeout=120_000)
    page.wait_for_timeout(1500)
    folder = ROOT / "locales" / language
    nodes = json.loads((folder / "nodeDefs.json").read_text(encoding="utf-8"))
    subjects = json.loads((folder / "main.json").read_text(encoding="utf-8"))["nodeCategories"]
    shown = page.evaluate(SHOWN, list(nodes))
    for name, node in nodes.items():
        seen = shown[name]
        assert (seen["title"], seen["description"]) == (node["display_name"], node["description"])
        names = {key: part["name"] for key, part in node["inputs"].items()}
        assert {key: seen["inputs"][key] for key in names} == names, name
        for at, part in node["outputs"].items():
            assert part.get("name", seen["outputs"][int(at)]) == seen["outputs"][int(at)], name
    assert subjects["panorama"] in {part for seen in shown.values() for part in seen["category"].split("/")}

    words = json.loads((ROOT / "web" / "words" / f"{language}.json").read_text(encoding="utf-8"))
    page.evaluate(LOOK)
    page.wait_for_timeout(600)
    assert page.get_by_text(words["Run the workflow to look around in the panorama."]).count() == 1
    assert page.get_by_placeholder(words["Run the workflow to read the report."]).count() == 1
    assert sum(f"{OURS}/words/" in url for url in page.fetched) == 1
    label = page.evaluate(MORE)
    assert re.fullmatch(words["# more"].replace("#", r"\d+"), label), label
    keep(page, f"languages_{language}")
    for name in ("process", "steps"):
        assert nodes["SyncTweediesSampler"]["inputs"][name]["tooltip"] == tooltip(page, name)
        keep(page, f"languages_{language}_{name}")


def tooltip(page, name):
    """What the front end says of the sampler's widget when the pointer rests on it."""
    at = page.evaluate(
        """(name) => {
          const node = app.graph._nodes.find((node) => node.type === "SyncTweediesSampler");
          const widget = node.widgets.find((widget) => widget.name === name);
          const box = app.canvas.canvas.getBoundingClientRect();
          const [x, y] = app.canvas.ds.convertOffsetToCanvas([node.pos[0] + 60, node.pos[1] + widget.y + 10]);
          return [box.x + x, box.y + y];
        }""",
        name,
    )
    page.mouse.move(at[0] - 5, at[1])
    page.mouse.move(*at)
    page.wait_for_selector(".node-tooltip", timeout=5000)
    return page.locator(".node-tooltip").text_content()
