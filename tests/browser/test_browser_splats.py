"""Splats in the graph as a user has them, and the views of a rig in every viewer: a running host, its front end, a
browser; against our own renderer.

SYNC_SCREENSHOTS=<folder> keeps pictures of the front end.
"""

import json
import math
import re

import numpy as np
import pytest
import torch
from helpers import panorama_card
from helpers.box_pictures import box
from helpers.browser import NO_GL, ROOT, SOFTWARE_GL, WEBGL, chromium, graph_page, host, keep, note, playwright
from helpers.saved_meshes import save_mesh
from PIL import Image
from syncpack.launcher import server
from syncpack.renderers.cameras import orbits
from syncpack.renderers.cameras.drawn import frusta
from syncpack.renderers.cameras.looks import Look
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.drawing.outlines import for_viewer
from syncpack.renderers.panorama.drawn import sphere_outlines
from syncpack.renderers.panorama.space import Lookout
from syncpack.renderers.splats.files.load_save import load_splats, scene_bytes
from syncpack.renderers.splats.geometry import SplatGeometry
from syncpack.renderers.splats.looks import renders
from syncpack.renderers.splats.space import SplatColours
from syncpack.renderers.splats.splats import Splats

pytestmark = [pytest.mark.host, pytest.mark.slow]

GREY = (0.3, 0.3, 0.3)
RIG = for_viewer(frusta(orbits.orbit_sphere(26), 64, 64))
LOOKS = for_viewer(sphere_outlines(Lookout(tuple(Look.degrees(a, 0, 60) for a in (0, 120, 240)), 64, 64)))

SHOW = """async ([type, key, output, size]) => {
  app.graph.clear();
  const preview = LiteGraph.createNode(type);
  preview.pos = [100, 90];
  app.graph.add(preview);
  preview.setSize(size);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [0, 0];
  app.canvas.setDirty(true, true);
  window.previewNode = preview;
  preview.onExecuted(output);
}"""


def scene():
    """Some hundred splats in two colours, long and flat and turned, away from the middle, up as photographs have it."""
    generator = torch.Generator().manual_seed(4)
    count = 400
    return Splats(
        torch.randn(count, 3, generator=generator) * torch.tensor([1.0, 0.6, 0.4]) + torch.tensor([3.0, 1.0, -2.0]),
        0.25 * torch.rand(count, 3, generator=generator) ** 2 + 0.01,
        torch.randn(count, 4, generator=generator),
        0.2 + 0.75 * torch.rand(count, generator=generator),
        torch.randn(count, 1, 3, generator=generator),
        up="-y",
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    (base / "input").mkdir()
    (base / "input" / "some.splat").write_bytes(scene_bytes(scene(), "splat"))
    (base / "input" / "cut.splat").write_bytes(scene_bytes(scene(), "splat")[:-5])
    save_mesh(box(), None, base / "input" / "box")
    panorama_card.save(panorama_card.card(256), base / "input" / "card.png")
    with playwright() as driver:
        with chromium(driver):
            pass  # skip before a host is started for nothing
        with server.running(host(), ROOT, base / "output", base=base) as running:
            yield driver, running, base


@pytest.fixture(scope="module")
def page(served):
    driver, running, _ = served
    with chromium(driver, *SOFTWARE_GL) as browser, graph_page(browser, running.url) as opened:
        opened.evaluate(WEBGL)
        yield opened
        assert opened.problems == []


def stored(served):
    """The scene as the file has it, in 8 bits."""
    found = load_splats(served[2] / "input" / "some.splat")
    return Splats(found.positions, found.scales, found.rotations, found.opacities, found.sh, up="-y")


def entry(served, name="some.splat"):
    splats = stored(served)
    file = {"filename": name, "subfolder": "", "type": "input"}
    return {"file": file, "axes": splats.axes, "centre": splats.centre, "radius": splats.radius, "sharp": True}


def show(page, served, rig=None, name="some.splat", wait="splats"):
    output = {"splats": [entry(served, name)]} | ({"rig": rig} if rig else {})
    shown(page, "SyncTweediesPreviewSplats", "splats", output, wait)


def shown(page, kind, key, output, wait):
    page.evaluate(SHOW, [kind, key, output, [500, 460]])
    page.wait_for_function(f"document.querySelector('[data-{key}=\"note\"]')?.textContent.includes('{wait}')")
    page.wait_for_timeout(300)


def press(page, *keys, key="splats"):
    view = page.locator(f'[data-{key}="view"]')
    view.focus()
    for one in keys:
        page.keyboard.press(one)
    page.wait_for_timeout(100)
    return note(page, f'[data-{key}="note"]')


def saved(page, key="splats"):
    with page.expect_download() as download:
        page.locator(f'[data-{key}="view"]').press("s")
    with Image.open(download.value.path()) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.float32)


def expected(splats, azimuth, elevation, height, width, distance=2.75):
    across = math.tan(math.radians(45) / 2) * width / min(width, height)
    camera = Viewpoint.orbit(math.radians(azimuth), math.radians(elevation), distance, fov=2 * math.atan(across))
    geometry = SplatGeometry(SplatColours(splats), Orbit((camera,), width, height))
    return renders(geometry, GREY)[0][0].numpy() * 255


VIEWS = {"1": (0, 0), "2": (90, 0), "3": (180, 0), "5": (0, 90), "start": (30, 20)}


@pytest.mark.parametrize("name", VIEWS)
def test_it_shows_what_our_renderer_draws(page, served, name):
    show(page, served)
    azimuth, elevation = VIEWS[name]
    assert press(page, "Home", *([name] if name != "start" else [])).startswith(f"view {azimuth}°, {elevation}°")
    picture = saved(page)
    keep(page, f"splats_{name}")
    wanted = expected(stored(served), azimuth, elevation, *picture.shape[:2])
    apart = np.abs(picture - wanted).max(-1)
    print(name, "mean", apart.mean(), "worst", apart.max(), "seen", (np.abs(wanted - 76.5).max(-1) > 20).mean())
    assert (np.abs(wanted - 76.5).max(-1) > 20).mean() > 0.1, "there is something to see"
    # (8 bits are rounded at every splat of a pixel)
    assert apart.mean() < 1.5 and np.quantile(apart, 0.999) < 12


def test_a_drag_turns_and_the_order_follows(page, served):
    show(page, served)
    press(page, "Home", "1")
    box_ = page.locator('[data-splats="view"]').bounding_box()
    x, y = box_["x"] + box_["width"] / 2, box_["y"] + box_["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 150, y, steps=4)
    page.mouse.up()
    azimuth = int(re.match(r"view (-?\d+)°", note(page, '[data-splats="note"]'))[1])
    assert azimuth > 40
    press(page, "2")
    picture = saved(page)
    apart = np.abs(picture - expected(stored(served), 90, 0, *picture.shape[:2])).max(-1)
    assert apart.mean() < 1.5


def test_cameras_are_shown_and_can_be_stood_in(page, served):
    show(page, served)
    bare = saved(page)
    show(page, served, RIG)
    keep(page, "splats_rig")
    distance = float(re.search(r"distance ([\d.]+)", note(page, '[data-splats="note"]'))[1])
    assert distance > 5, "all cameras are in view"
    whole = saved(page)
    tints = np.array([one["colour"] for one in RIG]) * 255
    found = [np.abs(whole - tint).max(-1).min() for tint in tints]
    assert max(found) < 12, "every camera is drawn in its colour"
    assert "in view 0 · view 0°, 0° · distance 2.00" in press(page, "c")
    assert "in view 25 · " in press(page, "Shift+C")
    keep(page, "splats_stood")
    assert "in view" not in press(page, "ArrowLeft")
    press(page, "Home", "v")
    hidden = saved(page)
    assert max(np.abs(hidden - tint).max(-1).min() for tint in tints) > 12, "they are hidden"
    press(page, "v")
    show(page, served)
    assert np.array_equal(saved(page), bare), "without a rig it is as before"


def test_a_click_on_a_number_stands_there(page, served):
    show(page, served, RIG)
    press(page, "Home")
    box_ = page.locator('[data-splats="view"]').bounding_box()
    # Camera 0 stands at (0, 0, 2); the viewer at 30, 20 degrees, the start's distance.
    a, e = math.radians(30), math.radians(20)
    distance = float(re.search(r"distance ([\d.]+)", note(page, '[data-splats="note"]'))[1])
    x = -math.sin(a) * 2
    y = -math.sin(e) * math.cos(a) * 2
    depth = distance - math.cos(e) * math.cos(a) * 2
    scale = min(box_["width"], box_["height"]) / 2 / math.tan(math.radians(22.5)) / depth
    page.mouse.click(box_["x"] + box_["width"] / 2 + scale * x, box_["y"] + box_["height"] / 2 - scale * y)
    page.wait_for_timeout(200)
    assert note(page, '[data-splats="note"]').startswith("in view 0 · view 0°, 0°")
    page.mouse.dblclick(box_["x"] + 20, box_["y"] + 20)
    page.wait_for_timeout(200)
    assert note(page, '[data-splats="note"]').startswith("view 30°, 20°")


def test_a_mesh_shows_cameras_fainter_behind_it(page, served):
    file = {"filename": "box.glb", "subfolder": "", "type": "input"}
    camera = for_viewer(frusta([Viewpoint.orbit(math.pi, 0.0, 1.6), Viewpoint.orbit(0.0, 0.0, 1.6)], 64, 64))
    shown(page, "SyncTweediesPreviewMesh", "mesh", {"meshes": [file], "rig": camera}, "triangles")
    press(page, "Home", "1", key="mesh")
    keep(page, "mesh_rig")
    front = saved(page, "mesh")
    press(page, "v", key="mesh")
    without = saved(page, "mesh")
    press(page, "v", "3", key="mesh")
    behind = saved(page, "mesh")

    def strongest(picture, tint):
        return np.abs(picture - np.array(tint) * 255).max(-1).min()

    tints = [one["colour"] for one in camera]
    assert strongest(front, tints[1]) < 8, "the camera before the box"
    assert strongest(front, tints[0]) > 25, "the one behind it is faint"
    assert strongest(behind, tints[0]) < 8 and strongest(behind, tints[1]) > 25, "from the back the other way round"
    assert strongest(without, tints[1]) > 25
    changed = np.abs(front - without).max(-1) > 6
    assert 0.005 < changed.mean() < 0.3, "only lines and numbers"


def test_a_panorama_shows_its_views(page, served):
    file = {"filename": "card.png", "subfolder": "", "type": "input"}
    shown(page, "SyncTweediesPreview360", "panorama", {"panoramas": [file], "rig": LOOKS}, "view")
    keep(page, "panorama_rig")
    with_views = saved(page, "panorama")
    height, width = with_views.shape[:2]
    # The frame of view 0 is 60 degrees wide: its left border in the middle of a picture of 90 degrees.
    x = width / 2 * (1 - math.tan(math.radians(30)))
    patch = with_views[height // 2 - 2 : height // 2 + 2, round(x) - 3 : round(x) + 4]
    assert np.abs(patch - np.array(LOOKS[0]["colour"]) * 255).max(-1).min() < 12
    assert press(page, "c", "c", key="panorama").startswith("at view 1 · view 120°, 0°")
    press(page, "Home", "v", key="panorama")
    assert np.abs(saved(page, "panorama") - with_views).max() > 50


def test_what_cannot_be_shown_is_said(page, served):
    show(page, served, name="cut.splat", wait="damaged")
    show(page, served, name="nowhere.splat", wait="temp folder")
    page.problems[:] = [text for text in page.problems if "nowhere.splat" not in text]


def test_a_node_that_is_deleted_gives_its_memory_back(page, served):
    show(page, served, RIG)
    page.evaluate("window.gone = webgl()")
    page.evaluate("() => { app.graph.remove(previewNode); app.canvas.setDirty(true, true); }")
    page.wait_for_timeout(500)
    assert page.evaluate("gone.isContextLost()")


RUN = """() => {
  app.graph.clear();
  const scene = placeNode("SyncTweediesLoadSplats", [20, 90], { file: "some.splat" });
  const rig = placeNode("OrbitRig", [20, 400], { kind: "orbit" });
  const preview = placeNode("SyncTweediesPreviewSplats", [440, 90], {});
  scene.connect(0, preview, 0);
  rig.connect(0, preview, preview.inputs.findIndex((input) => input.name === "rig"));
  preview.setSize([500, 460]);
  app.canvas.setDirty(true, true);
  window.previewNode = preview;
  app.queuePrompt(0);
}"""


def test_a_run_shows_splats_and_cameras(page):
    page.evaluate(RUN)
    page.wait_for_function("document.querySelector('[data-splats=\"note\"]')?.textContent.includes('400 splats')")
    page.wait_for_timeout(300)
    keep(page, "splats_run")
    assert "in view 0" in press(page, "c")
    inputs = page.evaluate("async () => (await app.graphToPrompt()).output[previewNode.id].inputs")
    assert sorted(inputs) == ["rig", "rule", "splats", "up"], "the viewer is no input"


def test_without_webgl_a_line_says_so(served):
    driver, running, _ = served
    with chromium(driver, *NO_GL) as browser, graph_page(browser, running.url) as opened:
        opened.evaluate(
            SHOW,
            ["SyncTweediesPreviewSplats", "splats", json.loads(json.dumps({"splats": [entry(served)]})), [500, 460]],
        )
        opened.wait_for_function("document.querySelector('[data-splats=\"note\"]')?.textContent.includes('No 3D')")
        assert opened.problems == []
