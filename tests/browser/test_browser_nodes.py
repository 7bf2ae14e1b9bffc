"""What nodes show stays in view: after a change of tab, in a subgraph, at any zoom; reports can be read in the node.

In both renderers where the front end has two. SYNC_SCREENSHOTS=<folder> keeps pictures of the front end.
"""

import numpy as np
import pytest
from helpers import panorama_card
from helpers.browser import SOFTWARE_GL, WEBGL, draw_with, graph_page, keep, served

pytestmark = [pytest.mark.host, pytest.mark.slow]

VIEWS = '[data-panorama="view"] canvas'
REPORTS = "[data-sync-report]"

BUILD = """(limit) => {
  app.graph.clear();
  const link = (from, to, name) => from.connect(0, to, to.inputs.findIndex((input) => input.name === name));
  const picture = placeNode("LoadImage", [20, 60], { image: "card.png" });
  const preview = placeNode("SyncTweediesPreview360", [400, 60]);
  link(picture, preview, "image");
  const space = placeNode("CanonicalSpace", [20, 460], { width: 768, height: 512 });
  const rig = placeNode("ViewRig", [400, 460]);
  const report = placeNode("RigReport", [850, 60]);
  link(space, report, "space");
  link(rig, report, "rig");
  const mesh = placeNode("SyncTweediesLoadMesh", [850, 560], { file: "teapot.glb", unwrap: "keep", time_limit: limit });
  const saved = placeNode("SaveTexturedMesh", [1300, 60]);
  link(mesh, saved, "mesh");
  app.canvas.ds.scale = 0.7;
  app.canvas.ds.offset = [40, 60];
  app.canvas.setDirty(true, true);
}"""

# Colours of the panorama in view, and the reports that a user can read: in sight and not covered.
SEEN = """() => {
  const top = (element) => {
    const box = element.getBoundingClientRect();
    const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return box.width > 100 && box.height > 20 && (hit === element || element.contains(hit));
  };
  const canvas = document.querySelector('[data-panorama="view"] canvas');
  const pixels = canvas?.width && top(canvas.parentElement)
    ? [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data] : [];
  const texts = [...document.querySelectorAll("[data-sync-report]")].filter(top).map((box) => box.value);
  return { size: pixels.length ? [canvas.height, canvas.width] : null, pixels, texts,
           shown: canvas?.getBoundingClientRect().width ?? 0 };
}"""
RENDERERS = ["classic", "vue"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    (base / "input").mkdir()
    panorama_card.save(panorama_card.card(512), base / "input" / "card.png")
    with served(base, *SOFTWARE_GL) as made:
        yield made


@pytest.fixture(scope="module", params=RENDERERS)
def page(both, request):
    browser, running = both
    with graph_page(browser, running.url) as opened:
        opened.set_viewport_size({"width": 1600, "height": 1000})
        draw_with(opened, request.param)
        opened.evaluate(WEBGL)
        run(opened)
        yield opened
        assert opened.problems == []


def run(page):
    # A node that the host has run for another page before says nothing to this one.
    page.evaluate(BUILD, 300 + RENDERERS.index(page.renderer))
    page.evaluate("app.queuePrompt(0)")
    page.wait_for_function("document.querySelector('[data-mesh=\"note\"]')?.textContent", timeout=60_000)
    settle(page)


def settle(page):
    page.wait_for_timeout(900)


def look(page, colours=True):
    """Everything is in view: the reports' texts; the panorama is a picture and no plain area."""
    seen = page.evaluate(SEEN)
    if colours:
        assert seen["size"], "the panorama is not in view"
        picture = np.array(seen["pixels"], dtype=np.float32).reshape(*seen["size"], 4)[..., :3]
        assert picture.std(axis=(0, 1)).max() > 20, "the panorama is empty"
    return seen


def reports(seen):
    text = "\n".join(seen["texts"])
    assert "views of 512 x 512" in text, "the rig's report cannot be read"
    return text


def command(page, name):
    page.evaluate("(name) => app.extensionManager.command.execute(name)", name)
    page.wait_for_timeout(1200)


def has_tabs(page):
    return page.evaluate("!!app.extensionManager?.command")


def other_tab_and_back(page):
    alone = page.evaluate("app.extensionManager.workflow.openWorkflows.length") == 1
    command(page, "Comfy.NewBlankWorkflow" if alone else "Workspace.NextOpenedWorkflow")
    assert page.evaluate(SEEN)["size"] is None
    command(page, "Workspace.PreviousOpenedWorkflow")
    settle(page)


def test_reports_and_what_was_saved_can_be_read_in_the_nodes(page):
    text = reports(look(page))
    keep(page, f"nodes_{page.renderer}")
    assert "no holes" in text and "SyncTweedies/mesh_" in text and "15,823 faces" in text


@pytest.mark.parametrize("scale", [0.3, 1.5])
def test_they_stay_at_any_zoom(page, scale):
    page.evaluate("(s) => { app.canvas.ds.scale = s; app.canvas.ds.offset = [-360 + 60 / s, 120 / s]; }", scale)
    page.evaluate("app.canvas.setDirty(true, true)")
    settle(page)
    keep(page, f"nodes_{page.renderer}_{scale}")
    seen = look(page)
    assert seen["size"][1] == pytest.approx(seen["shown"], abs=3), "as many pixels as the screen shows"
    view(page)
    reports(look(page))


def test_they_are_no_inputs_and_no_values(page):
    inputs, values = page.evaluate("""async () => {
      const { output } = await app.graphToPrompt();
      const node = (app.graph.nodes ?? app.graph._nodes).find((node) => node.type === "RigReport");
      return [Object.keys(output[node.id].inputs), node.serialize().widgets_values ?? []];
    }""")
    assert sorted(inputs) == ["rig", "space"] and not any(values)


def test_one_webgl_context_serves_all_viewers_of_a_kind(page):
    page.evaluate("""() => {
      const of = (type) => (app.graph.nodes ?? app.graph._nodes).find((node) => node.type === type);
      const output = app.nodeOutputs[of("SyncTweediesPreview360").id];
      window.more = Array.from({ length: 20 }, (_, i) => {
        const node = LiteGraph.createNode("SyncTweediesPreview360");
        node.pos = [1800 + 30 * i, 60];
        app.graph.add(node);
        node.onExecuted(output);
        return node;
      });
    }""")
    page.wait_for_timeout(2500)
    look(page)
    assert page.evaluate("contexts.filter((gl) => !gl.isContextLost()).length") == 2, "spheres and meshes"
    page.evaluate("more.forEach((node) => app.graph.remove(node))")
    settle(page)
    look(page)


def test_they_come_back_with_their_tab(page):
    if not has_tabs(page):
        pytest.skip("this front end has no tabs")
    other_tab_and_back(page)
    keep(page, f"nodes_{page.renderer}_back")
    text = reports(look(page))
    assert "SyncTweedies/mesh_" in text


def test_they_go_along_into_a_subgraph_and_out_of_it(page):
    if not page.evaluate("!!app.graph.convertToSubgraph && !!app.rootGraph"):
        pytest.skip("this front end has no subgraphs that keep outputs")
    page.evaluate("""() => {
      const shown = ["SyncTweediesPreview360", "RigReport"];
      window.made = app.graph.convertToSubgraph(new Set(app.graph.nodes.filter((node) => shown.includes(node.type))));
    }""")
    enter(page)
    reports(look(page))
    other_tab_and_back(page)
    keep(page, f"nodes_{page.renderer}_subgraph")
    reports(look(page))
    page.evaluate("app.queuePrompt(0)")
    settle(page)
    other_tab_and_back(page)
    reports(look(page))
    page.evaluate("""() => {
      app.canvas.setGraph(app.rootGraph);
      app.rootGraph.unpackSubgraph(app.rootGraph.nodes.find((node) => node.isSubgraphNode?.()));
      app.canvas.ds.scale = 0.5;
      app.canvas.ds.offset = [300, 500];
      app.canvas.setDirty(true, true);
    }""")
    settle(page)
    keep(page, f"nodes_{page.renderer}_unpacked")
    assert page.locator(VIEWS).count() >= 1 and page.locator(REPORTS).count() >= 2


def enter(page):
    page.evaluate("""() => {
      app.canvas.openSubgraph(made.subgraph, made.node);
      app.canvas.setDirty(true, true);
    }""")
    page.wait_for_timeout(1200)
    view(page)


def view(page):
    page.evaluate("() => { Object.assign(app.canvas.ds, { scale: 0.7, offset: [40, 60] }); }")
    page.evaluate("app.canvas.setDirty(true, true)")
    settle(page)
