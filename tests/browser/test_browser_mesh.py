"""The mesh viewer as a user has it: a running host, its front end, a browser; against our own rasteriser.

SYNC_SCREENSHOTS=<folder> keeps pictures of the front end.
"""

import math
import re

import numpy as np
import pytest
import torch
from helpers.box_pictures import BACKGROUND, atlas, box, difference
from helpers.browser import (
    NO_GL,
    OURS,
    ROOT,
    SCRIPTS,
    SOFTWARE_GL,
    WEBGL,
    chromium,
    graph_page,
    host,
    keep,
    modules,
    note,
    playwright,
)
from helpers.saved_meshes import save_mesh
from PIL import Image
from syncpack.launcher import server
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh

pytestmark = [pytest.mark.host, pytest.mark.slow]

VIEW, BAR, NOTE = '[data-mesh="view"]', '[data-mesh="bar"]', '[data-mesh="note"]'
ODD = 0.06  # about 0.2 without the offset of hidden sides

SHOW = """async ([names, size]) => {
  app.graph.clear();
  const preview = LiteGraph.createNode("SyncTweediesPreviewMesh");
  preview.pos = [100, 90];
  app.graph.add(preview);
  preview.setSize(size);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [0, 0];
  app.canvas.setDirty(true, true);
  window.previewNode = preview;
  preview.onExecuted({ meshes: names.map((filename) => ({ filename, subfolder: "", type: "input" })) });
}"""


@pytest.fixture(scope="module")
def driver():
    with playwright() as started:
        yield started


@pytest.fixture(scope="module")
def served(driver, tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    with chromium(driver):
        pass  # skip before a host is started for nothing
    for number, mesh in enumerate((box(), box(1.0))):
        save_mesh(mesh, None, base / "input" / f"box{number}")
    whole = (base / "input" / "box0.glb").read_bytes()
    (base / "input" / "cut.glb").write_bytes(whole[: len(whole) // 2])
    save_mesh(veils(), None, base / "input" / "veils")
    Image.fromarray((atlas(1.0) * 255).round().byte().numpy()).save(base / "input" / "atlas.png")
    with server.running(host(), ROOT, base / "output", base=base) as running:
        yield running


@pytest.fixture(scope="module")
def page(driver, served):
    with chromium(driver, *SOFTWARE_GL) as browser, graph_page(browser, served.url) as opened:
        assert sorted(url.split("/")[-1] for url in opened.fetched if OURS in url) == SCRIPTS
        opened.evaluate(WEBGL)
        show(opened, "box0.glb")
        yield opened
        assert opened.problems == []


def show(page, *names, size=(500, 440), wait="view "):
    page.evaluate(SHOW, [list(names), list(size)])
    page.wait_for_function(f"document.querySelector('{NOTE}')?.textContent.includes('{wait}')", timeout=30_000)
    page.wait_for_timeout(300)


def looks(page):
    """(azimuth, elevation, distance) as the viewer tells them."""
    a, e, d = re.match(r"view (-?\d+)°, (-?\d+)° · distance ([\d.]+)", note(page, NOTE)).groups()
    return int(a), int(e), float(d)


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


def flat_colours(page):
    """Switch the light off for a test, and on again for the next."""
    page.locator(f'{BAR} button[aria-pressed="true"]').click()


@pytest.fixture
def unlit(page):
    flat_colours(page)
    yield
    page.locator(f'{BAR} button[aria-pressed="false"]').click()


ANGLES = {"1": (0, 0), "2": (90, 0), "3": (180, 0), "4": (-90, 0), "5": (0, 90), "6": (0, -90)}
MORE = {"start": (30, 20), "below": (-105, -40), "above": (150, 65)}
KEYS = {"start": [], "below": ["ArrowLeft"] * 9 + ["ArrowDown"] * 4, "above": ["ArrowRight"] * 8 + ["ArrowUp"] * 3}


@pytest.mark.parametrize("name", [*ANGLES, *MORE])
def test_it_shows_what_our_rasteriser_sees(page, unlit, name):
    azimuth, elevation = {**ANGLES, **MORE}[name]
    assert press(page, "Home", *([name] if name in ANGLES else KEYS[name])) == (azimuth, elevation, 2.75)
    file, picture = saved(page)
    assert file == f"mesh_{azimuth}_{elevation}.png" and picture.shape[1] >= 1024
    keep(page, f"mesh_view_{name}")
    worst, odd = difference(picture, box(), azimuth, elevation)
    assert worst <= 3 and odd <= ODD


@pytest.mark.parametrize("name", ["1", "5", "start", "below"])
def test_the_light_is_from_the_camera_and_the_sky(page, name):
    azimuth, elevation = {**ANGLES, **MORE}[name]
    press(page, "Home", *([name] if name in ANGLES else KEYS[name]))
    _, picture = saved(page)
    keep(page, f"mesh_lit_{name}")
    worst, odd = difference(picture, box(), azimuth, elevation, lit=True)
    unlit_worst, _ = difference(picture, box(), azimuth, elevation)
    assert worst <= 3 and odd <= ODD and unlit_worst > 5


def middle(page):
    found = page.locator(VIEW).bounding_box()
    return found["x"] + found["width"] / 2, found["y"] + found["height"] / 2, found["width"], found["height"]


def drag(page, right, down, button="left"):
    x, y, *_ = middle(page)
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + right, y + down, steps=3)
    page.mouse.up(button=button)


def test_a_drag_turns_the_wheel_zooms_a_double_click_resets(page):
    press(page, "Home")
    x, y, width, height = middle(page)
    drag(page, 80, -30)
    turn = 180 / min(width, height)
    azimuth, elevation, distance = looks(page)
    assert abs(azimuth - (30 - 80 * turn)) <= 1 and abs(elevation - (20 - 30 * turn)) <= 1 and distance == 2.75
    page.mouse.wheel(0, -500)
    page.wait_for_timeout(100)
    assert looks(page)[2] == pytest.approx(2.75 * math.exp(-0.5), abs=0.01)
    assert page.evaluate("[...app.canvas.ds.offset, app.canvas.ds.scale]") == [0, 0, 1], "the graph was moved as well"
    page.mouse.dblclick(x, y)
    assert looks(page) == (30, 20, 2.75)


def coloured(picture):
    """Middle (x, y) of what is not background, as fractions of the frame's shorter side."""
    rows, columns = np.nonzero(np.abs(picture - BACKGROUND).max(-1) > 4)
    side = min(picture.shape[:2])
    return np.array([columns.mean() / side, rows.mean() / side])


@pytest.mark.parametrize("how", ["right", "shift"])
def test_the_right_button_or_shift_moves_it(page, unlit, how):
    press(page, "Home", "1")
    before = coloured(saved(page)[1])
    *_, width, height = middle(page)
    if how == "shift":
        page.keyboard.down("Shift")
    drag(page, 60, 40, "right" if how == "right" else "left")
    if how == "shift":
        page.keyboard.up("Shift")
    assert looks(page) == (0, 0, 2.75), "it did not turn"
    by = (coloured(saved(page)[1]) - before) * min(width, height)
    # What is nearer than the middle moves a little more: the front of the box.
    assert 60 <= by[0] <= 60 * 1.35 and 40 <= by[1] <= 40 * 1.35
    assert page.evaluate("document.querySelector('.litecontextmenu, .p-contextmenu') === null")
    press(page, "Home", "1")
    assert np.abs(coloured(saved(page)[1]) - before).max() < 1e-3


def test_the_mesh_is_fetched_by_url(page):
    assert any("/view?" in url and "filename=box0.glb" in url for url in page.fetched)
    assert modules(page) == {
        "panel.mjs", "glb.mjs", "nodes.mjs", "orbit.mjs", "solid.mjs", "viewer.mjs", "gl.mjs", "angles.mjs",
        "shared.mjs", "outputs.mjs", "words.mjs", "lines.mjs", "rig.mjs", "orbit_viewer.mjs",
    }  # fmt: skip
    assert "12 triangles" in note(page, NOTE)


def test_it_fills_the_screen_and_its_bar_fits(page):
    press(page, "Home")
    page.locator(VIEW).press("f")
    page.wait_for_function("document.fullscreenElement")
    page.wait_for_timeout(600)
    assert page.evaluate(f"document.querySelector('{VIEW} canvas').width") == page.evaluate("window.innerWidth")
    keep(page, "mesh_full_screen")
    page.locator(VIEW).press("f")
    page.wait_for_function("!document.fullscreenElement")
    page.evaluate("() => { previewNode.setSize([260, 280]); app.canvas.setDirty(true, true); }")
    page.wait_for_timeout(500)
    keep(page, "mesh_narrow")
    bar = page.locator(VIEW).bounding_box()
    for label in ("Light", "Reset", "Save view", "Full screen"):
        found = page.locator(f"{BAR} button").filter(has_text=label).bounding_box()
        assert found["x"] + found["width"] <= bar["x"] + bar["width"] + 1, f"{label} is cut off"
    page.evaluate("() => { previewNode.setSize([500, 440]); app.canvas.setDirty(true, true); }")
    page.wait_for_timeout(500)


def test_its_picture_stays_when_the_browser_takes_webgl_away(page):
    press(page, "Home")
    _, before = saved(page)
    page.evaluate("webgl().getExtension('WEBGL_lose_context').loseContext()")
    page.wait_for_timeout(300)
    assert page.locator(f"{VIEW} canvas").is_visible() and "No 3D" not in note(page, NOTE)
    _, after = saved(page)
    assert np.array_equal(before, after), "it is drawn with another"


def test_one_mesh_of_several_is_chosen(page):
    show(page, "box0.glb", "box1.glb")
    flat_colours(page)
    options = page.locator(f"{BAR} select")
    assert options.locator("option").all_text_contents() == ["1 of 2", "2 of 2"]
    _, first = saved(page)
    options.select_option(index=1)
    page.wait_for_timeout(500)
    _, second = saved(page)
    keep(page, "mesh_several")
    for picture, turn in ((first, 0.0), (second, 1.0)):
        worst, _ = difference(picture, box(turn), 30, 20)
        assert worst <= 3
    assert np.abs(first - second).mean() > 3


def test_what_cannot_be_shown_is_said(page):
    show(page, "cut.glb", wait="damaged")
    assert note(page, NOTE) == "The mesh cannot be shown: the file is cut off or damaged."
    show(page, "nowhere.glb", wait="temp folder")
    assert "run the workflow again" in note(page, NOTE)
    # The browser reports what it could not fetch; that is no error of the scripts.
    page.problems[:] = [text for text in page.problems if "nowhere.glb" not in text]


RUN = """() => {
  app.graph.clear();
  const mesh = placeNode("SyncTweediesLoadMesh", [20, 90], { file: "box0.glb", unwrap: "keep" });
  const picture = placeNode("LoadImage", [20, 400], { image: "atlas.png" });
  const preview = placeNode("SyncTweediesPreviewMesh", [440, 90], {});
  mesh.connect(0, preview, 0);
  picture.connect(0, preview, 1);
  preview.setSize([500, 460]);
  app.canvas.setDirty(true, true);
  window.previewNode = preview;
  app.queuePrompt(0);
}"""


def test_a_run_shows_the_mesh_with_the_texture_it_is_given(page):
    page.evaluate(RUN)
    page.wait_for_function(f"document.querySelector('{NOTE}')?.textContent.includes('view ')", timeout=60_000)
    page.wait_for_timeout(300)
    keep(page, "mesh_run")
    assert any("/view?" in url and "type=temp" in url and "synctweedies_mesh" in url for url in page.fetched)
    flat_colours(page)
    worst, odd = difference(saved(page)[1], box(1.0), 30, 20)
    assert worst <= 3 and odd <= ODD
    inputs = page.evaluate("async () => (await app.graphToPrompt()).output[previewNode.id].inputs")
    assert sorted(inputs) == ["layout", "mesh", "texture"], "the viewer is no input"


def veils():
    """A wall, and before it from near to far two veils, the nearer one listed first: each lets half of it through."""
    wide = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    layers = [wide * 0.5 + torch.tensor([0, 0, z]) for z in (0.4, 0.2, 0.0)]
    faces = torch.cat([torch.tensor([[0, 1, 2], [0, 2, 3]]) + 4 * i for i in range(3)])
    veil = torch.tensor([1.0, 0, 0, 0.5]).repeat(4, 4, 1)
    wall = torch.tensor([0.0, 0, 1]).repeat(4, 4, 1)
    uvs = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]]).repeat(3, 1)
    parts = (Part("near", veil, alpha="blend"), Part("far", veil.clone(), alpha="blend"), Part("wall", wall))
    return Mesh(torch.cat(layers), faces, uvs, faces, torch.arange(3).repeat_interleave(2), parts)


def test_veils_let_through_what_is_behind(page):
    show(page, "veils.glb")
    flat_colours(page)
    press(page, "1")
    _, picture = saved(page)
    height, width, _ = picture.shape
    keep(page, "mesh_veils")
    assert np.abs(picture[height // 2, width // 2] - [191.25, 0, 63.75]).max() <= 2, "two veils before the wall"
    press(page, "3")
    _, picture = saved(page)
    assert np.abs(picture[height // 2, width // 2] - [0, 0, 255]).max() <= 2, "the wall hides them"


def test_a_node_that_is_deleted_gives_its_memory_back(page):
    show(page, "box0.glb")
    page.evaluate("window.gone = webgl()")
    page.evaluate("() => { app.graph.remove(previewNode); app.canvas.setDirty(true, true); }")
    page.wait_for_timeout(500)
    assert page.locator(VIEW).count() == 0
    assert page.evaluate("gone.isContextLost()")
    assert page.problems == []


def test_without_webgl_a_line_says_so(driver, served):
    with chromium(driver, *NO_GL) as browser, graph_page(browser, served.url) as page:
        show(page, "box0.glb", wait="WebGL")
        assert note(page, NOTE) == "No 3D: this browser offers no WebGL 2."
        assert not page.locator(f"{VIEW} canvas").is_visible()
        assert page.problems == []
