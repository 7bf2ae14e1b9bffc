"""The viewer as a user has it: a running host, its front end, a browser; what it shows against what Python sees.

SYNC_SCREENSHOTS=<folder> keeps pictures of the front end.
"""

import contextlib
import io
import re

import numpy as np
import pytest
import torch
from helpers import panorama_card
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
from PIL import Image
from syncpack.launcher import server
from syncpack.renderers.cameras.looks import Look
from syncpack.renderers.panorama.equirect import look_at

pytestmark = [pytest.mark.host, pytest.mark.slow]

VIEW, BAR, NOTE = '[data-panorama="view"]', '[data-panorama="bar"]', '[data-panorama="note"]'
# Loaded with every page.
CARDS = [panorama_card.card(1024), panorama_card.card(512, " 2")]

BUILD = """async ([names, size]) => {
  const preview = LiteGraph.createNode("SyncTweediesPreview360");
  preview.pos = [440, 90];
  app.graph.add(preview);
  const loaders = names.map((name, i) => {
    const node = LiteGraph.createNode("LoadImage");
    node.pos = [60, 90 + 340 * i];
    app.graph.add(node);
    node.widgets.find((w) => w.name === "image").value = name;
    return node;
  });
  if (loaders.length === 2) {
    const batch = LiteGraph.createNode("ImageBatch");
    batch.pos = [60, 780];
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

DRAW = """async ([script, picture, look, width, height, largest]) => {
  const { Sphere } = await import(script);
  const image = new Image();
  image.src = picture;
  await image.decode();
  const sphere = new Sphere(document.createElement("canvas"));
  if (largest) sphere.gl.getParameter = () => largest; // what a small graphics card would answer
  sphere.load(image);
  sphere.draw(look, width, height);
  const blob = await new Promise((done) => sphere.gl.canvas.toBlob(done, "image/png"));
  sphere.free();
  return [...new Uint8Array(await blob.arrayBuffer())];
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
    (base / "input").mkdir()
    for number, card in enumerate(CARDS):
        panorama_card.save(card, base / "input" / f"card{number}.png")
    # What was at azimuth 180 is at 90.
    panorama_card.save(CARDS[0].roll(-512, 1), base / "input" / "turned.png")
    with server.running(host(), ROOT, base / "output", base=base) as running:
        yield running


@pytest.fixture(scope="module")
def page(driver, served):
    with chromium(driver, *SOFTWARE_GL) as browser, graph_page(browser, served.url) as opened:
        # Before there is a picture, two small scripts are all that the pack adds to the page.
        assert sorted(url.split("/")[-1] for url in opened.fetched if OURS in url) == SCRIPTS
        opened.evaluate(WEBGL)
        page_run(opened, ["card0.png"])
        yield opened
        assert opened.problems == []


def page_run(page, names, size=(500, 440)):
    page.evaluate("() => { app.graph.clear(); app.canvas.setDirty(true, true); }")
    page.wait_for_function(f"!document.querySelector('{VIEW}')")
    page.evaluate(BUILD, [names, list(size)])
    page.evaluate("app.queuePrompt(0)")
    page.wait_for_function(f"document.querySelector('{NOTE}')?.textContent", timeout=60_000)
    # A node of the same number has been here before: on a busy machine its picture is still seen for a moment.
    count = f"document.querySelectorAll('{BAR} select option').length"
    page.wait_for_function(f"{count} === {len(names)}", timeout=60_000)
    page.wait_for_timeout(300)


def looks(page):
    """(azimuth, elevation, field of view) as the viewer tells them."""
    return tuple(int(n) for n in re.match(r"view (-?\d+)°, (-?\d+)°, (\d+)° wide", note(page, NOTE)).groups())


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


def middle(page):
    box = page.locator(VIEW).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box["width"], box["height"]


def test_the_picture_is_fetched_by_url(page):
    assert any("/view?" in url and "type=temp" in url and "synctweedies_panorama" in url for url in page.fetched)
    assert not any(url.startswith("data:image") and len(url) > 10_000 for url in page.fetched)
    assert modules(page) == {
        "panel.mjs", "sphere.mjs", "geometry.mjs", "viewer.mjs", "gl.mjs", "angles.mjs", "shared.mjs", "outputs.mjs",
        "words.mjs",
        "lines.mjs", "rig.mjs",
    }  # fmt: skip


def test_the_picture_follows_the_pointer(page):
    press(page, "Home")
    x, y, width, _ = middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - width / 4, y - width / 8, steps=3)
    page.mouse.up()
    # A pixel in the middle covers 2 tan 45 / width radians.
    degrees = np.degrees(2 / width)
    assert looks(page) == (round(width / 4 * degrees), -round(width / 8 * degrees), 90)
    assert page.evaluate("app.canvas.ds.offset[0]") == 0, "the graph was moved as well"
    azimuth, elevation = map(int, re.search(r"pointer (-?\d+)°, (-?\d+)°", note(page, NOTE)).groups())
    expected = np.degrees(np.arctan2(2 / 4, 1))
    page.mouse.dblclick(x, y)
    assert looks(page) == (0, 0, 90)
    page.mouse.move(x + width / 4, y)
    azimuth, elevation = map(int, re.search(r"pointer (-?\d+)°, (-?\d+)°", note(page, NOTE)).groups())
    assert abs(azimuth - expected) <= 1 and elevation == 0


def test_the_wheel_zooms_between_limits(page):
    press(page, "Home")
    x, y, *_ = middle(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -500)
    page.wait_for_timeout(100)
    _, _, fov = looks(page)
    assert fov == round(90 * np.exp(-0.5))
    _, picture = saved(page)
    difference = np.abs(picture - seen(CARDS[0], 0, 0, 90 * np.exp(-0.5), *picture.shape[:2]))
    assert difference.max() <= 3
    for far, limit in ((-5000, 10), (9000, 120)):
        page.mouse.wheel(0, far)
        page.wait_for_timeout(100)
        assert looks(page)[2] == limit
    assert page.evaluate("app.canvas.ds.scale") == 1, "the graph was zoomed as well"
    keep(page, "wide")


def drawn(page, name, azimuth, elevation, height, width, largest=0):
    """What the shader makes of an input picture at 100 degrees: [height, width, 3] in [0, 255]."""
    script = next(url for url in page.fetched if url.endswith("sphere.mjs"))
    look = {"azimuth": azimuth, "elevation": elevation, "fov": 100}
    png = page.evaluate(DRAW, [script, f"/view?filename={name}&type=input", look, width, height, largest])
    with Image.open(io.BytesIO(bytes(png))) as read:
        return np.asarray(read.convert("RGB"), dtype=np.float32)


def averaged(azimuth, elevation, height, width):
    """What 8 x 8 rays a pixel see, and what one ray does."""
    fine = torch.from_numpy(seen(CARDS[0], azimuth, elevation, 100, 8 * height, 8 * width)).movedim(-1, 0)
    exact = torch.nn.functional.avg_pool2d(fine, 8).movedim(0, -1).numpy()
    return exact, seen(CARDS[0], azimuth, elevation, 100, height, width)


@pytest.mark.parametrize("elevation", [0, 90])
@pytest.mark.parametrize("width", [60, 150, 400])
def test_smaller_views_average_and_show_no_seam(page, width, elevation):
    """Far more cells than pixels: against many rays a pixel, and against the picture turned by 90 degrees."""
    height = width * 4 // 5
    found = drawn(page, "card0.png", 180, elevation, height, width)
    assert found.shape == (height, width, 3)
    turned = drawn(page, "turned.png", 90, elevation, height, width)
    assert np.abs(found - turned).max() <= 2, "the seam at 180 degrees is like any other place"
    exact, single = averaged(180, elevation, height, width)
    error, without = np.abs(found - exact).mean(), np.abs(single - exact).mean()
    print("smaller", width, elevation, "error", error, "one ray", without, "turned", np.abs(found - turned).max())
    assert error <= 0.9 * without


def test_a_picture_beyond_the_graphics_card_is_made_smaller(page):
    found = drawn(page, "card0.png", 180, 0, 48, 60, largest=512)
    exact, single = averaged(180, 0, 48, 60)
    assert np.abs(found - exact).mean() <= 0.5 * np.abs(single - exact).mean()


def soon(page, condition):
    """Wait until it holds; on a busy machine that takes a while. What it says is asserted by the caller."""
    with contextlib.suppress(Exception):  # playwright's own kind, known only where it is installed
        page.wait_for_function(condition, timeout=20_000)
    page.wait_for_timeout(100)


def test_it_fills_the_node_and_the_screen(page):
    canvas = f"document.querySelector('{VIEW} canvas')"
    press(page, "Home")
    before = page.evaluate(f"[{canvas}.width, {canvas}.height]")
    page.evaluate("() => { previewNode.setSize([640, 560]); app.canvas.setDirty(true, true); }")
    soon(page, f"{canvas}.width > {before[0]} + 135 && {canvas}.height > {before[1]} + 115")
    after = page.evaluate(f"[{canvas}.width, {canvas}.height]")
    assert after[0] - before[0] == pytest.approx(140, abs=4) and after[1] - before[1] == pytest.approx(120, abs=4)
    page.locator(VIEW).press("f")
    page.wait_for_function("document.fullscreenElement")
    soon(page, f"{canvas}.width === window.innerWidth")
    assert page.evaluate(f"{canvas}.width") == page.evaluate("window.innerWidth")
    keep(page, "full_screen")
    page.locator(VIEW).press("f")
    page.wait_for_function("!document.fullscreenElement")
    page.evaluate("() => { previewNode.setSize([230, 260]); app.canvas.setDirty(true, true); }")
    page.wait_for_timeout(500)
    keep(page, "narrow")
    bar, buttons = page.locator(VIEW).bounding_box(), page.locator(f"{BAR} button")
    for label in ("Reset", "Save view", "Full screen"):
        box = buttons.filter(has_text=label).bounding_box()
        assert box["x"] + box["width"] <= bar["x"] + bar["width"] + 1, f"{label} is cut off"
    page.evaluate("() => { previewNode.setSize([500, 440]); app.canvas.setDirty(true, true); }")
    soon(page, f"{canvas}.width === {before[0]}")
    assert page.evaluate(f"{canvas}.width") == before[0]


def test_one_picture_of_a_batch_is_chosen(page):
    page_run(page, ["card0.png", "card1.png"])
    options = page.locator(f"{BAR} select")
    assert options.locator("option").all_text_contents() == ["1 of 2", "2 of 2"]
    _, first = saved(page)
    options.select_option(index=1)
    page.wait_for_timeout(500)
    _, second = saved(page)
    keep(page, "batch")
    # The host makes the second picture as large as the first.
    large = torch.nn.functional.interpolate(CARDS[1].movedim(-1, 0)[None], size=(1024, 2048), mode="bilinear")
    expected = seen(large[0].movedim(0, -1), 0, 0, 90, *second.shape[:2])
    assert np.abs(second - expected).mean() < 2 < np.abs(first - expected).mean()


def test_its_picture_stays_when_the_browser_takes_webgl_away(page):
    """As it does when a driver starts anew."""
    _, before = saved(page)
    pixels = f"""(() => {{
      const canvas = document.querySelector('{VIEW} canvas');
      return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data].join();
    }})()"""
    shown = page.evaluate(pixels)
    page.evaluate("webgl().getExtension('WEBGL_lose_context').loseContext()")
    page.wait_for_timeout(300)
    assert page.evaluate(pixels) == shown and "Shown flat" not in note(page, NOTE)
    _, after = saved(page)
    assert np.array_equal(before, after), "it is drawn with another"


def test_the_viewer_is_no_input_and_no_value(page):
    prompt, values = page.evaluate("""async () => {
      const { output } = await app.graphToPrompt();
      return [Object.keys(output[previewNode.id].inputs), previewNode.serialize().widgets_values ?? []];
    }""")
    assert prompt == ["image"] and not any(values)


def test_a_graph_that_comes_back_shows_its_picture_again(page):
    """Another workflow was in view; the front end restores the graph and what its nodes had put out."""
    page.evaluate("""async () => {
      const graph = app.graph.serialize();
      const outputs = app.nodeOutputs;
      await app.loadGraphData(graph);
      if (document.querySelector('[data-panorama="view"]')) throw new Error("nothing was cleared");
      app.nodeOutputs = outputs;
      window.previewNode = app.graph._nodes.find((node) => node.comfyClass === "SyncTweediesPreview360");
      app.canvas.setDirty(true, true);
    }""")
    page.wait_for_function(f"document.querySelector('{NOTE}')?.textContent")
    assert looks(page) == (0, 0, 90)
    assert page.evaluate("previewNode.size[0]") == 500


def test_a_node_that_is_deleted_takes_its_viewer_along(page):
    page.evaluate("() => { app.canvas.ds.scale = 0.4; app.canvas.setDirty(true, true); }")
    shown = f"document.querySelector('{VIEW} canvas')"
    soon(page, f"Math.abs({shown}.width - {shown}.getBoundingClientRect().width) <= 2")
    keep(page, "graph_zoomed_out")
    canvas = page.locator(f"{VIEW} canvas")
    assert page.evaluate(f"document.querySelector('{VIEW} canvas').width") == pytest.approx(
        canvas.bounding_box()["width"], abs=2
    ), "as many pixels as the screen shows"
    page.evaluate("() => { app.graph.remove(previewNode); app.canvas.setDirty(true, true); }")
    page.wait_for_timeout(500)
    assert page.locator(VIEW).count() == 0
    assert page.problems == []


def test_without_webgl_it_is_shown_flat(driver, served):
    with chromium(driver, *NO_GL) as browser, graph_page(browser, served.url) as page:
        page_run(page, ["card0.png"])
        assert "Shown flat" in note(page, NOTE) and "WebGL" in note(page, NOTE)
        assert page.locator(f"{VIEW} img").is_visible() and not page.locator(f"{VIEW} canvas").is_visible()
        assert page.evaluate(f"document.querySelector('{VIEW} img').naturalWidth") == 2048
        keep(page, "flat")
        assert page.problems == []
