"""Inputs fold away in the graph, in both renderers: what is shown, what survives, how choices and sockets look."""

import pytest
from helpers.browser import draw_with, graph_page, keep, served
from helpers.wishes import WISHES

pytestmark = [pytest.mark.host, pytest.mark.slow]

FIVE = ["CanonicalSpace", "ViewRig", "SyncTweediesSampler", "OrbitRig", "MeshTextureBake"]
BUILD = """(types) => {
  app.graph.clear();
  window.at = {};
  let x = 40;
  for (const type of types) {
    const node = LiteGraph.createNode(type);
    node.id = window.lastId = (window.lastId ?? 100) + 1; // front ends keep what a number was
    node.pos = [x, 60];
    app.graph.add(node);
    x += node.size[0] + 60;
    at[type] = node;
  }
  Object.assign(app.canvas.ds, { scale: 0.7, offset: [60, 60] });
  app.canvas.setDirty(true, true);
}"""
# As a user does it in the node: the value, then whoever waits for it.
SET = """([type, name, value]) => {
  const node = at[type];
  const widget = node.widgets.find((candidate) => candidate.name === name);
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
  app.canvas.setDirty(true, true);
}"""
# Names of the inputs of a node that a user sees, in order, and whether they fit into it.
SEEN = {
    "classic": """(type) => {
      const node = at[type];
      const seen = (widget) => (node.isWidgetVisible ? node.isWidgetVisible(widget) : widget.type !== "hidden");
      const names = node.widgets.filter((widget) => widget.type !== "button" && seen(widget)).map((w) => w.name);
      return { names, fits: node.size[1] >= node.computeSize()[1] - 1, height: node.size[1] };
    }""",
    "vue": """(type) => {
      const element = document.querySelector(`[data-node-id="${at[type].id}"]`);
      const rows = [...element.querySelectorAll('[data-testid="node-widget"]')].filter((row) => row.offsetHeight > 0);
      const last = rows.at(-1).getBoundingClientRect().bottom;
      return { names: rows.map((row) => row.innerText.trim().split("\\n")[0]), height: element.offsetHeight,
               fits: last <= element.getBoundingClientRect().bottom };
    }""",
}
USUAL = {
    "CanonicalSpace": ["kind", "width", "height", "wrap_x", "wrap_y"],
    "ViewRig": ["kind", "width", "height", "spacing", "pixels"],
    "SyncTweediesSampler": [
        *("seed", "control_after_generate", "steps", "cfg", "sampler_name", "scheduler", "denoise", "process"),
        "sync_end",
    ],
    "OrbitRig": ["kind", "width", "height", "fov", "framing", "front", "azimuth_step", "elevations"],
    "MeshTextureBake": ["blend", "fill"],
}
KINDS = {
    "ring": ["kind", "width", "height", "fov", "azimuth_step", "elevations"],
    "sphere": ["kind", "width", "height", "fov", "view_overlap"],
    "custom": ["kind", "width", "height", "fov", "cameras"],
    "windows": USUAL["ViewRig"],
}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    with served(tmp_path_factory.mktemp("host")) as made:
        yield made


@pytest.fixture(scope="module", params=["classic", "vue"])
def page(both, request):
    browser, running = both
    with graph_page(browser, running.url) as opened:
        opened.set_viewport_size({"width": 1700, "height": 900})
        draw_with(opened, request.param)
        yield opened
        assert opened.problems == []


@pytest.fixture(autouse=True)
def five(page):
    page.evaluate(BUILD, FIVE)
    settle(page)


def settle(page):
    page.wait_for_timeout(500)


def change(page, node, name, value):
    page.evaluate(SET, [node, name, value])
    page.wait_for_timeout(250)


def seen(page, node):
    found = page.evaluate(SEEN[page.renderer], node)
    assert found["fits"], f"{node} is too low for {found['names']}"
    # (Nodes 2.0 draws the control of a seed beside it)
    return [name for name in found["names"] if page.renderer == "classic" or name != "control_after_generate"]


def expected(page, names):
    return [name for name in names if page.renderer == "classic" or name != "control_after_generate"]


def values(page, node):
    return page.evaluate("(type) => at[type].serialize().widgets_values", node)


def find_again(page):
    page.evaluate("() => { for (const node of app.graph.nodes ?? app.graph._nodes) at[node.type] = node; }")
    settle(page)


def test_the_main_nodes_show_what_a_beginner_needs(page):
    keep(page, f"fold_{page.renderer}")
    assert {node: seen(page, node) for node in FIVE} == {node: expected(page, USUAL[node]) for node in FIVE}


def test_each_kind_of_rig_shows_its_own_inputs(page):
    heights = {}
    for kind, names in KINDS.items():
        change(page, "ViewRig", "kind", kind)
        assert seen(page, "ViewRig") == names
        heights[kind] = page.evaluate(SEEN[page.renderer], "ViewRig")["height"]
    keep(page, f"fold_{page.renderer}_kinds")
    assert heights["windows"] < heights["custom"]
    change(page, "CanonicalSpace", "kind", "panorama")
    assert seen(page, "CanonicalSpace") == ["kind", "width", "height"]
    change(page, "CanonicalSpace", "kind", "illusion")
    assert seen(page, "CanonicalSpace") == ["kind", "width", "height", "planes"]


def test_hidden_values_are_kept_in_their_order_and_sent(page):
    before = values(page, "ViewRig")
    change(page, "ViewRig", "pixels", 96)
    change(page, "ViewRig", "kind", "ring")
    after = values(page, "ViewRig")
    assert len(after) == len(before) and [i for i, v in enumerate(after) if v != before[i]] == [0, 4]
    assert after[0] == "ring" and after[4] == 96
    sent = page.evaluate("async () => (await app.graphToPrompt()).output[at.ViewRig.id].inputs")
    assert sent["pixels"] == 96 and sent["cameras"] == before[10] and "more" not in sent


def test_they_survive_saving_copies_and_undo(page):
    change(page, "ViewRig", "pixels", 96)
    change(page, "ViewRig", "kind", "sphere")
    before = values(page, "ViewRig")
    page.evaluate("() => app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())))")
    settle(page)
    find_again(page)
    assert values(page, "ViewRig") == before and seen(page, "ViewRig") == KINDS["sphere"]
    page.evaluate("""() => {
      app.canvas.selectNodes([at.ViewRig]);
      app.canvas.copyToClipboard();
      app.graph.remove(at.ViewRig);
      app.canvas.pasteFromClipboard();
    }""")
    find_again(page)
    assert values(page, "ViewRig") == before and seen(page, "ViewRig") == KINDS["sphere"]
    if page.evaluate("!!app.extensionManager?.command"):
        page.evaluate("app.extensionManager.workflow.activeWorkflow.changeTracker.checkState?.()")
        change(page, "ViewRig", "kind", "ring")
        page.evaluate("app.extensionManager.workflow.activeWorkflow.changeTracker.checkState?.()")
        page.evaluate("app.extensionManager.command.execute('Comfy.Undo')")
        settle(page)
        find_again(page)
        assert values(page, "ViewRig") == before and seen(page, "ViewRig") == KINDS["sphere"]


def test_what_is_linked_is_never_hidden(page):
    if not page.evaluate("(at.ViewRig.inputs ?? []).some((input) => input.widget)"):
        pytest.skip("this front end converts widgets to inputs by a menu")
    page.evaluate("""() => {
      const number = LiteGraph.createNode("PrimitiveInt") ?? LiteGraph.createNode("PrimitiveNode");
      number.pos = [40, 620];
      app.graph.add(number);
      at.number = number;
      number.connect(0, at.ViewRig, at.ViewRig.inputs.findIndex((input) => input.name === "pixels"));
    }""")
    change(page, "ViewRig", "kind", "ring")
    assert seen(page, "ViewRig") == [*KINDS["ring"][:3], "pixels", *KINDS["ring"][3:]]
    page.evaluate("() => at.ViewRig.disconnectInput(at.ViewRig.inputs.findIndex((input) => input.name === 'pixels'))")
    settle(page)
    assert seen(page, "ViewRig") == KINDS["ring"]


def test_a_mask_brings_the_question_where_it_is(page):
    page.evaluate("""() => {
      const mask = LiteGraph.createNode("SolidMask");
      mask.pos = [40, 620];
      app.graph.add(mask);
      mask.connect(0, at.MeshTextureBake, at.MeshTextureBake.inputs.findIndex((input) => input.name === "mask"));
    }""")
    settle(page)
    assert seen(page, "MeshTextureBake") == ["blend", "fill", "mask_on"]


def test_rare_inputs_come_when_asked_for_and_are_saved_so(page):
    def ask():
        if page.renderer == "vue":
            page.locator(
                f'[data-node-id="{page.evaluate("at.OrbitRig.id")}"] [data-testid="advanced-inputs-button"]'
            ).click()
        else:
            page.evaluate("at.OrbitRig.widgets.find((widget) => widget.type === 'button').callback()")
        settle(page)

    usual = seen(page, "OrbitRig")
    ask()
    more = seen(page, "OrbitRig")
    keep(page, f"fold_{page.renderer}_more")
    assert {*more} - {*usual} == {"distance", "top_cameras", "projection", "aspect", "exponent", "exponent_end"}
    page.evaluate("() => app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())))")
    settle(page)
    find_again(page)
    assert seen(page, "OrbitRig") == more
    ask()
    assert seen(page, "OrbitRig") == usual


def test_nodes_saved_with_all_their_widgets_become_smaller(page):
    before, full = page.evaluate("""async () => {
      const node = at.SyncTweediesSampler;
      const before = node.size[1];
      const seen = (widget) => (node.isWidgetVisible ? node.isWidgetVisible(widget) : widget.type !== "hidden");
      // One row each, and none for what brings them back.
      const full = before + 24 * (node.widgets.filter((widget) => !seen(widget)).length - 1);
      const saved = JSON.parse(JSON.stringify(app.graph.serialize()));
      saved.nodes.find((other) => other.type === node.type).size = [340, full];
      await app.loadGraphData(saved);
      return [before, full];
    }""")
    settle(page)
    find_again(page)
    after = page.evaluate("at.SyncTweediesSampler.size[1]")
    assert full > before + 200 and after == pytest.approx(before, abs=2)


def test_hidden_inputs_of_a_subgraph_can_be_promoted(page):
    if not page.evaluate("!!app.graph.convertToSubgraph && !!app.rootGraph"):
        pytest.skip("this front end has no subgraphs that show inputs")
    change(page, "ViewRig", "kind", "ring")
    page.evaluate("""() => {
      const { subgraph, node } = app.graph.convertToSubgraph(new Set([at.ViewRig]));
      const inner = subgraph.nodes[0];
      for (const name of ["kind", "pixels"]) {
        const slot = inner.inputs.find((input) => input.name === name);
        subgraph.addInput(name, slot.type).connect(slot, inner);
      }
      Object.assign(at, { outer: node, inner });
    }""")
    settle(page)
    assert page.evaluate(SEEN[page.renderer], "outer")["names"] == ["kind", "pixels"]
    assert page.evaluate("at.inner.widgets.filter((w) => w.hidden || w.options.hidden).length") == (
        page.evaluate("at.inner.widgets.filter((w) => w.options.advanced).length")
    ), "with an unknown kind all that means something for some kind is shown"


def test_processes_are_named_in_words(page):
    change(page, "SyncTweediesSampler", "process", "7")
    assert "7" in values(page, "SyncTweediesSampler")
    if page.renderer == "vue":
        id = page.evaluate("at.SyncTweediesSampler.id")
        assert "7 average model input" in page.locator(f'[data-node-id="{id}"]').inner_text()
    else:
        words = page.evaluate(
            "at.SyncTweediesSampler.widgets.find((w) => w.name === 'process').options.getOptionLabel('7')"
        )
        assert words == "7 average model input"
    keep(page, f"fold_{page.renderer}_words")


COLOURS = """() => {
  const { canvas } = app;
  const known = [canvas.default_connection_color_byType, canvas.constructor.link_type_colors];
  const style = getComputedStyle(document.documentElement);
  const types = ["CANONICAL_SPACE", "VIEW_RIG", "VISITS", "MESH", "SPLAT", "MODEL"];
  const variable = (type) => style.getPropertyValue(`--color-datatype-${type}`);
  return types.map((type) => [...known.map((table) => table[type]), variable(type)]);
}"""


def test_sockets_have_colours_of_their_own_in_every_palette(page):
    def look():
        *ours, model = page.evaluate(COLOURS)
        for slot, link, variable in ours:
            assert slot and slot == link and variable.strip() == slot
        assert len({slot for slot, *_ in ours}) == len(ours)
        return model

    before = look()
    if not page.evaluate("!!app.extensionManager?.setting"):
        pytest.skip("this front end's palettes are chosen in a dialog")
    for palette in ("light", "dark"):
        page.evaluate(f"app.extensionManager.setting.set('Comfy.ColorPalette', '{palette}')")
        settle(page)
        keep(page, f"fold_{page.renderer}_{palette}")
        now = look()
        assert (now == before) == (palette == "dark"), "the palette's own colours are in use"


FOUND = """() => [...document.querySelectorAll('[data-testid="result-item"]')]
    .map((row) => row.innerText.trim().split("\\n")[0])"""


def test_the_hosts_own_search_finds_what_people_wish(page):
    # The search is the same in both renderers: a few words show that it opens there.
    wishes = list(WISHES.items())[: None if page.renderer == "classic" else 4]
    page.evaluate("app.graph.clear()")
    page.mouse.dblclick(800, 600)
    box = page.locator('input[placeholder="Add a node..."]')
    if not box.count():
        pytest.skip("this front end has another search")
    names = page.evaluate("""() => Object.fromEntries(Object.entries(LiteGraph.registered_node_types)
        .filter(([, type]) => type.category?.startsWith("SyncTweedies")).map(([id, type]) => [id, type.title]))""")
    missing = {}
    for wish, nodes in wishes:
        box.fill(wish)
        page.wait_for_timeout(350)
        found = page.evaluate(FOUND)
        if lost := [node for node in nodes if names[node] not in found]:
            missing[wish] = (lost, found[:5])
    keep(page, "fold_search")
    page.keyboard.press("Escape")
    assert missing == {}
