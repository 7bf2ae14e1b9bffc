"""What the viewers of splats and rigs work out in the browser (JavaScript, run by node where it is installed)."""

import json
import math

import pytest
import torch
from helpers import javascript
from helpers.javascript import needs_node
from syncpack.renderers.cameras import orbits
from syncpack.renderers.cameras.drawn import frusta
from syncpack.renderers.cameras.framing import tight
from syncpack.renderers.cameras.looks import Look, pixels_of
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.drawing.outlines import for_viewer
from syncpack.renderers.panorama.drawn import sphere_outlines
from syncpack.renderers.panorama.space import Lookout
from syncpack.renderers.splats.files.load_save import scene_bytes
from syncpack.renderers.splats.splats import Splats

pytestmark = needs_node


def splats(up="-y", count=40):
    generator = torch.Generator().manual_seed(5)
    return Splats(
        torch.randn(count, 3, generator=generator) * torch.tensor([2.0, 1.0, 0.5]) + 7,
        torch.rand(count, 3, generator=generator) * 0.1 + 0.01,
        torch.randn(count, 4, generator=generator),
        torch.rand(count, generator=generator) * 0.9 + 0.05,
        torch.randn(count, 1, 3, generator=generator),
        up=up,
    )


@pytest.mark.parametrize("up", ["+y", "-y", "+z"])
def test_a_scene_is_read_in_object_units(up):
    scene = splats(up)
    frame = {"axes": scene.axes, "centre": scene.centre, "radius": scene.radius}
    found = javascript.run(
        "preview_splats/scene.mjs",
        f"""const {{ positions, count, words, reach }} = g.readScene(
          Uint8Array.from({list(scene_bytes(scene, "splat"))}).buffer, {json.dumps(frame)});
        return [[...positions], count, words.length, reach];""",
    )
    places = torch.tensor(found[0]).reshape(-1, 3)
    assert found[1:3] == [40, 320]
    furthest = float(scene.object_positions.square().sum(1).max().sqrt())
    assert found[3] == pytest.approx(furthest, rel=1e-5) and furthest > 1.05, "nothing is cut off, strays neither"
    assert torch.allclose(places, scene.object_positions, atol=1e-5)


@pytest.mark.parametrize("length", [0, 31, 65])
def test_a_file_that_is_cut_off_is_refused(length):
    said = javascript.run(
        "preview_splats/scene.mjs",
        f"""try {{ g.readScene(new ArrayBuffer({length}), {{ axes: [], centre: [], radius: 1 }}); return ""; }}
        catch (error) {{ return error.shown ?? "a crash: " + error.message; }}""",
    )
    assert said == "The splats cannot be shown: the file is cut off or damaged."


def test_splats_are_sorted_from_back_to_front():
    places = torch.randn(3000, 3, generator=torch.Generator().manual_seed(2))
    ways = torch.nn.functional.normalize(torch.tensor([[0.0, 0, 1], [1, 2, -1], [-3, 0.1, 0]]), dim=1)
    found = javascript.run(
        "preview_splats/scene.mjs",
        f"""const order = new g.Order(Float32Array.from({json.dumps(places.reshape(-1).tolist())}));
        return {json.dumps(ways.tolist())}.map((way) => [order.sort(way), [...order.indices], order.sort(way)]);""",
    )
    for way, (changed, indices, again) in zip(ways, found, strict=True):
        assert changed and not again, "the same direction costs nothing"
        assert sorted(indices) == list(range(3000))
        depth = places[torch.tensor(indices)] @ way
        step = float(depth.max() - depth.min()) / 65535
        assert float((depth[:-1] - depth[1:]).max()) <= 1.01 * step, "the nearest comes last"
        assert float(depth[-1] - depth[0]) > 3


def test_equal_depths_and_small_turns_are_harmless():
    found = javascript.run(
        "preview_splats/scene.mjs",
        """const flat = new g.Order(new Float32Array(30));
        flat.sort([0, 0, 1]);
        const turned = (degrees) => [Math.sin(degrees * Math.PI / 180), 0, Math.cos(degrees * Math.PI / 180)];
        return [[...flat.indices], flat.sort(turned(0.5), 0.99985), flat.sort(turned(2), 0.99985)];""",
    )
    assert found == [list(range(10)), False, True]


def test_a_million_splats_are_sorted_in_a_fraction_of_a_second():
    milliseconds = javascript.run(
        "preview_splats/scene.mjs",
        """const places = Float32Array.from({ length: 3000000 }, (_, i) => Math.sin(i * 12.9898) % 1);
        const order = new g.Order(places);
        order.sort([0, 0, 1]);
        const times = [1, 2, 3, 4, 5].map((i) => {
          const start = performance.now();
          order.sort([Math.sin(i), 0, Math.cos(i)]);
          return performance.now() - start;
        });
        return Math.min(...times);""",
    )
    print(f"a million splats: {milliseconds:.0f} ms")
    assert milliseconds < 500


CAMERAS = {
    "orbit": Viewpoint.orbit(0.7, -0.3, 2.0),
    "above": Viewpoint.orbit(2.0, math.pi / 2, 1.5),
    "tight": tight(Viewpoint.orbit(-1.0, 0.4, 2.0), torch.tensor([[0.5, 0.6, 0], [0.1, -0.2, 0.3]]), 48, 64),
    "elsewhere": Viewpoint.orbit(0.2, 0.1, 1.0, target=(0.4, 0.2, -0.3)),
}


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("width, height", [(300, 200), (120, 240)])
def test_standing_in_a_view_shows_the_view(name, width, height):
    """As large as it fits, and pixel for pixel where the camera sees it."""
    camera = CAMERAS[name]
    (outline,) = for_viewer(frusta([camera], 64, 48))
    points = torch.randn(30, 3, generator=torch.Generator().manual_seed(1)).double() * 0.3
    clip = javascript.run(
        "viewer/orbit.mjs",
        f"""const look = g.standing({json.dumps(outline["stand"])});
        return {json.dumps(points.tolist())}.map((p) => g.clip(look, p, {width}, {height}));""",
    )
    x, y, _, w = torch.tensor(clip, dtype=torch.float64).unbind(-1)
    row, column, depth = camera.pixels(points, 48, 64)
    scale = min(width / 64, height / 48)
    assert torch.allclose(w, depth, atol=1e-5)
    assert torch.allclose(x / w * width / 2, (column - 32) * scale, atol=2e-3 * scale)
    assert torch.allclose(-y / w * height / 2, (row - 24) * scale, atol=2e-3 * scale)


def test_an_orthographic_view_is_as_large_at_the_middle():
    camera = Viewpoint.orbit(0.3, 0.2, 2.0, span=1.5)
    (outline,) = for_viewer(frusta([camera], 64, 48))
    view = javascript.run("viewer/orbit.mjs", f"return g.standing({json.dumps(outline['stand'])}).view;")
    assert [v * 2.0 for v in view] == pytest.approx([0.75, 0.75 * 48 / 64], abs=1e-5)


def test_lines_of_outlines_are_pieces_and_reach():
    outlines = for_viewer(frusta(orbits.orbit(), 64, 64))
    pieces, reach = javascript.run(
        "viewer/lines.mjs",
        f"const all = {json.dumps(outlines)}; return [[...g.pieces(all)], g.reachOf(all)];",
    )
    # Of each camera a frame of four, four edges, a mark of two.
    assert len(pieces) == 9 * 10 * (4 + 4 + 2)
    assert pieces[6:9] == pytest.approx(outlines[0]["colour"]) and pieces[:3] == pytest.approx(
        outlines[0]["lines"][0][:3]
    )
    furthest = max(
        math.hypot(*line[i : i + 3]) for one in outlines for line in one["lines"] for i in range(0, len(line), 3)
    )
    assert reach == pytest.approx(furthest, abs=1e-6) and reach > 2
    assert javascript.run("viewer/lines.mjs", "return g.reachOf([]);") == 1


@pytest.mark.parametrize("look", [(0, 0, 90), (170, 30, 60), (-40, -80, 110)])
def test_directions_lie_where_the_panorama_shows_them(look):
    outlines = for_viewer(sphere_outlines(Lookout((Look.degrees(10, 5, 80), Look.degrees(-170, 60, 80)), 64, 64)))
    ways = torch.cat([torch.tensor(one["lines"][0]).reshape(-1, 3) for one in outlines]).double()
    found = javascript.run(
        "preview360/geometry.mjs",
        f"""const look = {{ azimuth: {look[0]}, elevation: {look[1]}, fov: {look[2]} }};
        return {json.dumps(ways.tolist())}.map((way) => g.placed(look, way, 90, 60));""",
    )
    row, column, _ = pixels_of(Look.degrees(*look), ways, 60, 90)
    before = ways @ Look.degrees(*look).axis > 0.01
    assert int(before.sum()) > 20 or look[1] == -80
    for place, seen, x, y in zip(found, before, column, row, strict=True):
        if seen:
            assert place["x"] == pytest.approx(float(x), abs=1e-2) and place["y"] == pytest.approx(float(y), abs=1e-2)
        else:
            assert place is None or place["depth"] < 0.011


RIG = """let inBar = true;
const button = () => ({ style: {}, setAttribute() {}, remove() { inBar = false; } });
const stood = [];
const viewer = {
  saver: { before() { inBar = true; } }, button, redraw() {}, stand: (outline) => stood.push(outline.number),
  project: ([x, y, z]) => (z < 0 ? null : { x, y, depth: z, faint: false }),
};
const rig = new g.Rig(viewer);
const outline = (number, label) => ({ number, label, lines: [], colour: [1, 0, 0] });
"""


def test_a_click_means_the_nearest_number_and_keys_go_through_all():
    found = javascript.run(
        "viewer/rig.mjs",
        RIG
        + """const before = [rig.at(10, 10, 99, 99) ?? null, inBar];
        rig.next(1);
        rig.take([outline(0, [10, 10, 5]), outline(1, [12, 10, 2]), outline(2, [60, 60, -1]), outline(3, [80, 10, 1])]);
        const at = [[10, 10], [60, 60], [84, 13], [40, 10]].map(([x, y]) => rig.at(x, y, 99, 99)?.number ?? null);
        for (const by of [1, 1, -1, -1, -1]) rig.next(by);
        rig.toggle();
        rig.next(1);
        const hidden = [rig.lines.length, rig.at(10, 10, 99, 99) ?? null];
        return { before, at, stood, hidden, inBar, opacity: rig.button.style.opacity };""",
    )
    assert found["before"] == [None, False], "without a rig there is no button"
    assert found["inBar"] and found["opacity"] == "0.6"
    assert found["at"] == [1, None, 3, None]
    assert found["stood"] == [0, 1, 0, 3, 2]
    assert found["hidden"] == [0, None]


@pytest.mark.parametrize("reach", [1.0, 2.3, 40.0])
def test_nothing_within_reach_is_cut_off_in_depth(reach):
    """Strays of a scene and cameras of a rig lie beyond the object's radius."""
    places = torch.nn.functional.normalize(
        torch.randn(40, 3, generator=torch.Generator().manual_seed(3)).double(), dim=1
    )
    clip = javascript.run(
        "viewer/orbit.mjs",
        f"""const m = g.projection(g.from(g.START, 1), 300, 200, {reach});
        return {json.dumps((reach * places).tolist())}.map((p) =>
          [2, 3].map((row) => m[row] * p[0] + m[4 + row] * p[1] + m[8 + row] * p[2] + m[12 + row]));""",
    )
    z, w = torch.tensor(clip, dtype=torch.float64).unbind(-1)
    before = w > 0.02
    assert int(before.sum()) > 10 and bool((z.abs() <= w)[before].all())
