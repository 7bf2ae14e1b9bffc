"""The illusion preview as a user has it: a running host, its front end, a browser; frame by frame against Python.

SYNC_SCREENSHOTS=<folder> keeps pictures of the front end.
"""

import numpy as np
import pytest
import torch
from helpers.browser import OURS, SCRIPTS, graph_page, keep, modules, served
from PIL import Image
from syncpack.renderers.illusions.film import film
from syncpack.renderers.illusions.warps import warp

pytestmark = [pytest.mark.host, pytest.mark.slow]

VIEW, BAR, NOTE = '[data-illusion="view"]', '[data-illusion="bar"]', '[data-illusion="note"]'
COUNT, SIDE = 9, 128

BUILD = """async ([count, size]) => {
  const set = (node, values) => Object.entries(values).forEach(([name, value]) => {
    node.widgets.find((w) => w.name === name).value = value;
  });
  const space = placeNode("CanonicalSpace", [20, 60]);
  set(space, { kind: "illusion", width: 128, height: 128 });
  const plain = placeNode("IllusionRig", [20, 330]);
  set(plain, { warp: "identity", prompt: "a meadow" });
  const flip = placeNode("IllusionRig", [340, 60]);
  set(flip, { warp: "flip_y", prompt: "a brick wall" });
  const pieces = placeNode("IllusionShuffle", [340, 380]);
  set(pieces, { warp: "jigsaw", prompt: "" });
  const loader = placeNode("LoadImage", [20, 640]);
  set(loader, { image: "card.png" });
  const preview = placeNode("IllusionPreview", [680, 60]);
  set(preview, { count });
  const link = (from, out, to, name) => from.connect(out, to, to.inputs.findIndex((i) => i.name === name));
  link(plain, 0, flip, "rig");
  link(flip, 0, pieces, "rig");
  link(space, 0, preview, "space");
  link(pieces, 0, preview, "rig");
  link(loader, 0, preview, "image");
  preview.setSize(size);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [0, 0];
  app.canvas.setDirty(true, true);
  window.previewNode = preview;
}"""


def card() -> torch.Tensor:
    """float [128, 128, 3]: smooth, with another value everywhere."""
    line = (torch.arange(SIDE) + 0.5) / SIDE
    return torch.stack([line.expand(SIDE, SIDE), line[:, None].expand(SIDE, SIDE), (line[:, None] * line)], -1)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    base = tmp_path_factory.mktemp("host")
    (base / "input").mkdir()
    Image.fromarray((card() * 255).round().byte().numpy()).save(base / "input" / "card.png")
    with served(base) as (browser, running), graph_page(browser, running.url) as opened:
        # Before there is something to show, a few small scripts are all that the pack adds to the page.
        assert sorted(url.split("/")[-1] for url in opened.fetched if OURS in url) == SCRIPTS
        opened.evaluate(BUILD, [COUNT, [460, 480]])
        opened.evaluate("app.queuePrompt(0)")
        opened.wait_for_function(f"document.querySelector('{NOTE}')?.textContent", timeout=60_000)
        opened.wait_for_timeout(300)
        yield opened
        assert opened.problems == []


def note(page):
    return page.locator(NOTE).text_content()


def press(page, *keys):
    page.locator(VIEW).focus()
    for key in keys:
        page.keyboard.press(key)
    return note(page)


def shown(page) -> np.ndarray:
    """What the canvas holds: [H, W, 3], 0 to 255."""
    data = page.evaluate(f"""() => {{
      const canvas = document.querySelector('{VIEW} canvas');
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return [canvas.width, canvas.height, [...pixels.data]];
    }}""")
    return np.array(data[2], dtype=np.float32).reshape(data[1], data[0], 4)[..., :3]


def expected(name: str) -> np.ndarray:
    given = torch.from_numpy(np.array((card() * 255).round().byte())).float() / 255
    return film(warp(name), given, COUNT).numpy() * 255


def error(page, frame: np.ndarray) -> float:
    return float(np.abs(shown(page) - frame).mean())


def test_the_frames_are_those_of_python(page):
    """JPEG, so within some levels; every other frame is farther away."""
    frames = expected("flip_y")
    assert press(page, "Home") == "a meadow" and error(page, frames[0]) < 3
    for number in range(1, COUNT):
        press(page, "ArrowRight")
        errors = [error(page, frame) for frame in frames]
        assert np.argmin(errors) == number and errors[number] < 4, errors
    assert note(page) == "a brick wall (flip_y)"
    assert press(page, "ArrowLeft").startswith("88 % of the way to: a brick wall")
    keep(page, "illusion_between")


def test_they_are_fetched_by_url_and_the_module_only_now(page):
    frames = {url for url in page.fetched if "/view?" in url and "synctweedies_illusion" in url}
    assert len(frames) == COUNT and all("type=temp" in url for url in frames)
    assert modules(page) == {"player.mjs", "viewer.mjs", "rig.mjs", "outputs.mjs", "words.mjs"}


def test_a_press_plays_to_the_other_reading_and_back(page):
    press(page, "Home")
    box = page.locator(VIEW).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for way, end in ((1, "a brick wall (flip_y)"), (-1, "a meadow")):
        page.mouse.click(x, y)
        page.wait_for_timeout(400)
        assert "% of the way" in note(page), f"way {way} is shown while it goes"
        page.wait_for_function(f"document.querySelector('{NOTE}').textContent === '{end}'", timeout=5000)
    press(page, " ")
    page.wait_for_function(f"document.querySelector('{NOTE}').textContent === 'a brick wall (flip_y)'", timeout=5000)
    page.locator(f"{BAR} button").click()
    page.wait_for_function(f"document.querySelector('{NOTE}').textContent === 'a meadow'", timeout=5000)


def test_a_drag_goes_there_by_hand(page):
    press(page, "Home")
    box = page.locator(VIEW).bounding_box()
    x, y, way = box["x"] + box["width"] / 8, box["y"] + box["height"] / 2, 0.75 * box["width"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + way / 2, y, steps=4)
    assert note(page).startswith("50 % of the way")
    page.mouse.move(x + way + 20, y, steps=4)
    assert note(page) == "a brick wall (flip_y)"
    page.mouse.up()
    page.wait_for_timeout(200)
    assert note(page) == "a brick wall (flip_y)", "a drag is no press"
    assert page.evaluate("app.canvas.ds.offset[0]") == 0, "the graph was moved as well"


def test_another_reading_is_chosen(page):
    options = page.locator(f"{BAR} select")
    assert options.locator("option").all_text_contents() == ["a brick wall", "jigsaw"]
    options.select_option(index=1)
    page.wait_for_function(f"document.querySelector('{NOTE}').textContent.includes('jigsaw')")
    press(page, "End")
    assert error(page, expected("jigsaw")[-1]) < 4
    keep(page, "illusion_jigsaw")
    press(page, "PageUp")
    page.wait_for_function(f"!document.querySelector('{NOTE}').textContent.includes('jigsaw')")


def test_the_slider_scrubs(page):
    slider = page.locator(f"{BAR} input[type=range]")
    slider.fill("4")
    assert note(page).startswith("50 % of the way")
    assert slider.get_attribute("aria-label") and page.locator(VIEW).get_attribute("aria-label") == note(page)


def test_the_preview_is_no_input_and_no_value(page):
    prompt, values = page.evaluate("""async () => {
      const { output } = await app.graphToPrompt();
      return [Object.keys(output[previewNode.id].inputs), previewNode.serialize().widgets_values ?? []];
    }""")
    assert sorted(prompt) == ["count", "image", "rig", "space"] and values[0] == COUNT and not any(values[1:])


def test_a_node_that_is_deleted_takes_its_preview_along(page):
    page.evaluate("() => { app.graph.remove(previewNode); app.canvas.setDirty(true, true); }")
    page.wait_for_timeout(500)
    assert page.locator(VIEW).count() == 0
