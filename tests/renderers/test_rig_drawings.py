"""Where views are, drawn: every view is there, at the place and with the frame that geometry says, fainter where the
object hides it."""

import json
import math

import pytest
import torch
from helpers.meshes import box
from syncpack.renderers.cameras import orbits
from syncpack.renderers.cameras.drawn import Around, cameras_of, eye, frusta, frustum
from syncpack.renderers.cameras.framing import tight
from syncpack.renderers.cameras.looks import Look, pixels_of
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.drawing.ink import PAPER, Ink, apart, badge_size, colours
from syncpack.renderers.drawing.outlines import for_viewer
from syncpack.renderers.illusions.drawn import card
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import FlipY, Identity, Rotate90
from syncpack.renderers.mesh.drawn import mesh_outlines
from syncpack.renderers.panorama.drawn import places_on_map, sphere_outlines
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.renderers.plane.drawn import window_rectangles
from syncpack.renderers.plane.space import Plane, Windows, place
from syncpack.renderers.scene import Scene
from syncpack.renderers.splats.drawn import splat_outlines
from syncpack.renderers.splats.splats import Splats

SIDES = torch.tensor([[0.0, 0], [96, 0], [96, 64], [0, 64], [0, 0]]).double()  # (x, y) of a view's corners, closed
LOOKS = tuple(
    Look.degrees(a, e, 80, r) for a, e, r in ((0, 0, 0), (170, -20, 10), (-180, 0, 0), (40, 90, 0), (90, -75, 0))
)


def near(picture, x, y, colour, reach=3):
    """Least distance of a colour to the pixels around a place."""
    top, left = max(0, round(y) - reach), max(0, round(x) - reach)
    patch = picture[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    return float((patch - torch.tensor(colour)).abs().amax(-1).min())


def test_colours_of_numbers_differ_and_are_equally_bright():
    for count in (1, 2, 7, 26, 100):
        found = torch.tensor(colours(count))
        assert found.shape == (count, 3) and len(set(colours(count))) == count
        light = torch.where(found <= 0.04045, found / 12.92, ((found + 0.055) / 1.055) ** 2.4)
        luminance = light @ torch.tensor([0.2126, 0.7152, 0.0722])
        assert float(luminance.min()) > 0.38 and float(luminance.max()) < 0.56, "none shouts, dark numbers can be read"


def test_ink_draws_where_it_is_told():
    ink = Ink.blank(40, 30)
    ink.stroke([[(5, 10.5), (35, 10.5)]], (1.0, 0, 0), 3, 0.5)
    ink.stroke([[(5, 20.5), (20, 20.5), (20, 20.5), (5, 20.5)]], (1.0, 0, 0), 3, 0.5)
    picture = ink.picture()
    half = (torch.tensor(PAPER) + torch.tensor([1.0, 0, 0])) / 2
    assert torch.allclose(picture[10, 20], half, atol=0.01)
    assert torch.allclose(picture[20, 10], half, atol=0.01), "a line over itself is no stronger"
    assert torch.allclose(picture[15, 20], torch.tensor(PAPER), atol=0.01)


def test_discs_part_but_stay_near():
    places = torch.tensor([[50.0, 50], [50, 50], [52, 50], [200, 80]])
    moved = apart(places, 20, (256, 128))
    way = (moved[:, None] - moved[None]).square().sum(-1).sqrt() + 1e3 * torch.eye(4)
    assert float(way.min()) > 19 and float((moved - places).abs().max()) <= 30
    assert torch.allclose(moved[3].float(), places[3], atol=0.1)


CAMERAS = {
    "plain": Viewpoint.orbit(0.4, 0.3, 2.0, fov=math.radians(50)),
    "shifted": tight(Viewpoint.orbit(-2.0, -0.8, 2.0), torch.tensor([[0.5, 0.9, 0], [0.2, 0.1, 0.3]]), 64, 96),
    "flat": Viewpoint.orbit(1.0, 1.2, 3.0, span=1.7),
}  # fmt: skip


@pytest.mark.parametrize("name", ["plain", "shifted"])
def test_a_frustum_is_what_the_camera_sees(name):
    """Its frame lies on the borders of the view, its edges on the rays through the corners."""
    camera = CAMERAS[name]
    outline = frustum(3, camera, 96, 64, 0.2)
    frame, edges, mark = outline.lines[0], outline.lines[1:5], outline.lines[5]
    row, column, depth = camera.pixels(frame, 64, 96)
    assert torch.allclose(torch.stack([column, row], 1), SIDES, atol=1e-9)
    assert float(depth.min()) > 0 and float(depth.max() - depth.min()) < 1e-9
    for corner, edge in zip(frame, edges, strict=False):
        assert torch.allclose(edge[0], torch.tensor(camera.position).double()) and torch.allclose(edge[1], corner)
    row, column, _ = camera.pixels(mark, 64, 96)
    assert float(row[1]) < 0 and float(column[1]) == pytest.approx(48), "the mark is at the upper edge"
    longest = max(float((frame[1] - frame[0]).norm()), float((frame[2] - frame[1]).norm()))
    # (a long lens: no needle, so its frame is smaller)
    assert longest == pytest.approx(0.4) if name == "plain" else 0.05 < longest < 0.4


def test_an_orthographic_camera_is_a_box():
    camera = CAMERAS["flat"]
    outline = frustum(0, camera, 96, 64, 0.2)
    far, near_ = outline.lines[0], outline.lines[-1]
    ahead = -torch.tensor(camera.backward).double()
    assert torch.allclose(far - near_, (far - near_)[0].expand_as(far)), "its edges are parallel"
    assert torch.allclose((far - near_)[0], ahead * (far - near_)[0].norm())
    assert torch.allclose(near_[:4].mean(0), torch.tensor(camera.position).double())
    sides = (far[1] - far[0]).norm(), (far[2] - far[1]).norm()
    assert sides[0] == pytest.approx(0.4) and sides[1] == pytest.approx(0.4 * 64 / 96)


def ball(radius):
    """What a camera sees of a grey ball, or of nothing."""

    def solid(camera, height, width):
        row, column = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        across, down = camera.half_size(height, width)
        x = (2 * column / width - 1 - camera.shift[0]) * across
        y = (1 - 2 * row / height - camera.shift[1]) * down
        ray = torch.stack([x, y, -torch.ones_like(x)], -1).double() @ camera.rotation.T
        start = torch.tensor(camera.position, dtype=torch.float64)
        a, b, c = ray.square().sum(-1), 2 * (ray @ start), start.square().sum() - radius**2
        root = b * b - 4 * a * c
        depth = torch.where(root > 0, (-b - root.clamp_min(0).sqrt()) / (2 * a), torch.inf)
        picture = torch.where(torch.isfinite(depth)[..., None], torch.tensor(0.6), torch.tensor(PAPER)).float()
        return picture, depth

    return solid


CORNERS = torch.tensor([[x, y, z] for x in (-0.6, 0.6) for y in (-0.6, 0.6) for z in (-0.6, 0.6)])


def around(cameras, radius=0.9, front=0.0):
    return Around(tuple(cameras), 96, 64, front, CORNERS, ball(radius))


def test_every_camera_of_26_is_drawn_where_it_stands():
    """At its place by an independent projection; numbers that would lie on each other lie beside each other."""
    cameras = orbits.orbit_sphere(26)
    size = 512
    picture = around(cameras, radius=1e-9).picture(size)
    outlines = frusta(cameras, 96, 64)
    ring = 2 * torch.tensor([[math.sin(t), 0.0, math.cos(t)] for t in torch.linspace(0, 2 * math.pi, 97).tolist()])
    drawn = torch.cat([CORNERS.double(), ring.double(), *(line for o in outlines for line in o.lines)])
    camera, high, wide = eye(drawn, size, 32.0)
    assert picture.shape == (high, wide, 3) and max(high, wide) == size
    row, column, _ = camera.pixels(drawn, high, wide)
    assert float(row.min()) > 0 and float(row.max()) < high and float(column.min()) > 0 and float(column.max()) < wide
    # The closed form: along the eye's own axes, over the distance.
    a, e = math.radians(32), math.radians(24)
    right = (math.cos(a), 0, -math.sin(a))
    up = (-math.sin(e) * math.sin(a), math.cos(e), -math.sin(e) * math.cos(a))
    back = (math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a))
    away = math.hypot(*camera.position)
    assert camera.position == pytest.approx([away * b for b in back])
    scale = wide / 2 / math.tan(camera.fov / 2)
    places = []
    for view in cameras:
        x, y, z = (sum(p * axis for p, axis in zip(view.position, way, strict=True)) for way in (right, up, back))
        places.append([wide / 2 * (1 + camera.shift[0]) + scale * x / (away - z),
                       high / 2 * (1 - camera.shift[1]) - scale * y / (away - z)])  # fmt: skip
    reach = badge_size(26, size)
    moved = apart(torch.tensor(places, dtype=torch.float64), 2.15 * reach, (wide, high))
    assert float((moved - torch.tensor(places)).abs().max()) < 3 * reach
    for (x, y), colour in zip(moved.tolist(), colours(26), strict=True):
        assert near(picture, x + 0.75 * reach, y, colour) < 0.03


def test_what_is_behind_the_object_is_fainter():
    behind = Viewpoint.orbit(math.radians(212), math.radians(-24), 2.0)
    hidden, seen = (around([behind], radius).picture(512) for radius in (0.9, 1e-9))
    tint = torch.tensor(colours(1)[0])

    def strength(picture):
        """How much of the colour there is."""
        return float(((picture - picture.mean(-1, keepdim=True)) @ (tint - tint.mean())).clamp_min(0).sum())

    assert 0.1 * strength(seen) < strength(hidden) < 0.45 * strength(seen)


def test_turn_goes_around_and_front_is_in_front():
    one = around([Viewpoint.orbit(0.0, 0.0, 2.0)])
    pictures = [one.picture(256, turn) for turn in (0.0, 90.0)]
    assert pictures[0].shape != pictures[1].shape or float((pictures[0] - pictures[1]).abs().max()) > 0.3
    turned = around([Viewpoint.orbit(1.0, 0.0, 2.0)], front=1.0).picture(256)
    assert pictures[0].shape == turned.shape and float((pictures[0] - turned).abs().mean()) < 0.02


def test_cameras_that_stand_nowhere_are_refused():
    with pytest.raises(ValueError, match="OrbitRig's or CameraFileRig's"):
        cameras_of(Windows(64, 64, 32, 32))
    with pytest.raises(ValueError, match="set ViewRig's kind to ring, sphere"):
        sphere_outlines(Windows(64, 64, 32, 32))


def test_outlines_of_a_mesh_are_in_object_units():
    mesh = box()
    rig = Orbit(orbits.orbit(), 64, 64)
    far = Orbit(rig.in_scene(mesh.centre, mesh.radius), 64, 64, units="scene")
    for given in (rig, far):
        for outline, view in zip(mesh_outlines(mesh, given), rig.viewpoints, strict=True):
            assert outline.label.tolist() == pytest.approx(list(view.position), abs=1e-5)


@pytest.mark.parametrize("up", ["+y", "-y", "+z", "-x"])
def test_outlines_of_splats_stand_upright(up):
    generator = torch.Generator().manual_seed(0)
    splats = Splats(
        torch.rand(50, 3, generator=generator) + 4,
        torch.full((50, 3), 0.02),
        torch.tensor([1.0, 0, 0, 0]).repeat(50, 1),
        torch.ones(50),
        torch.zeros(50, 1, 3),
        up=up,
    )
    rig = Orbit(orbits.orbit(), 64, 64)
    recorded = Orbit(splats.cameras(rig), 64, 64, units="scene")
    for given in (rig, recorded):
        for outline, view in zip(splat_outlines(splats, given), rig.viewpoints, strict=True):
            assert outline.label.tolist() == pytest.approx(list(view.position), abs=1e-5)
            assert outline.stand.up.tolist() == pytest.approx(list(view.up), abs=1e-5)


def test_what_viewers_get_is_json():
    found = json.loads(json.dumps(for_viewer(frusta(orbits.orbit(), 64, 48))))
    assert [one["number"] for one in found] == list(range(10))
    first = found[0]
    assert first["label"] == pytest.approx([0, 0, 2], abs=1e-6)
    assert first["stand"]["half"] == pytest.approx([math.tan(math.radians(30)), 0.75 * math.tan(math.radians(30))])
    assert all(len(line) % 3 == 0 and len(line) >= 6 for line in first["lines"])


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_frames_on_the_sphere_are_the_borders_of_views(look):
    (outline,) = sphere_outlines(Lookout((look,), 96, 64))
    line = outline.lines[0]
    assert torch.allclose(line[0], line[-1]) and torch.allclose(line.norm(dim=1), torch.ones(len(line)).double())
    row, column, _ = pixels_of(look, line, 64, 96)
    beside = torch.stack([row, 64 - row, column, 96 - column]).abs().amin(0)
    assert float(beside.max()) < 1e-9, "every point lies on a border"
    corners = pixels_of(look, line[[0, 24, 48, 72]], 64, 96)
    assert torch.allclose(torch.stack([corners[1], corners[0]], 1), SIDES[:4], atol=1e-9)
    assert torch.allclose(outline.label, look.axis)


def test_lines_on_the_map_go_on_where_it_ends():
    (outline,) = sphere_outlines(Lookout((Look.degrees(180, 0, 90),), 64, 64))
    flat = places_on_map(outline.lines[0], 360, 180)
    assert float(flat[:, 0].diff().abs().max()) > 180, "as places they jump"
    line = places_on_map(outline.lines[0], 360, 180, math.pi)
    assert float(line[:, 0].diff().abs().max()) < 10
    assert float(line[:, 0].min()) == pytest.approx(360 - 45, abs=1) and float(line[:, 0].max()) == pytest.approx(
        360 + 45, abs=1
    )
    middle = places_on_map(torch.tensor([[0.0, 0, -1], [1, 0, 0], [0, 1, 0]]), 360, 180)
    assert middle[0].tolist() == [180, 90] and middle[1].tolist() == [270, 90] and middle[2, 1] == 0


def test_every_view_of_a_panorama_is_drawn():
    looks = tuple(Look.degrees(a, e, 80) for a, e in ((0, 0), (90, 0), (180, 0), (-90, 0), (45, 50), (0, -90)))
    picture = Scene(Panorama(256, 128), Lookout(looks, 64, 64)).geometry.drawing(400, 0.0)
    assert picture.shape == (200, 400, 3)
    reach = badge_size(6, 400)
    places = apart(places_on_map(torch.stack([look.axis for look in looks]), 400, 200), 2.15 * reach, (400, 200))
    for (x, y), colour in zip(places.tolist(), colours(6), strict=True):
        assert near(picture, x + 0.7 * reach, y, colour) < 0.04
    # An outline that crosses the seam is seen at both ends: that of the view to the back.
    tint = colours(6)[2]
    assert near(picture, 400 * 40 / 360, 100, tint, 2) < 0.1 and near(picture, 400 * 320 / 360, 100, tint, 2) < 0.1


def test_windows_are_where_they_lie_and_overlaps_are_brighter():
    plane, rig = Plane(512, 256), Windows(256, 256, 128, 128)
    placement = place(plane, rig, 1)
    assert window_rectangles(placement, (False, False)) == [[(x, 0, x + 256, 256)] for x in (0, 128, 256)]
    ring = place(Plane(512, 256, True), rig, 1)
    pieces = window_rectangles(ring, (False, True))
    assert pieces[-1] == [(384, 0, 640, 256), (-128, 0, 128, 256)] and len(pieces[0]) == 1
    picture = Scene(plane, rig).geometry.drawing(400, 0.0)
    border, scale = 12, (400 - 24) / 512
    assert picture.shape == (round(256 * scale + 24), 400, 3)
    grey = [float(picture[round(border + 64 * scale), round(border + x * scale)].mean()) for x in (64, 192, 320, 448)]
    assert grey[1] > grey[0] + 0.1 and grey[2] == pytest.approx(grey[1]) and grey[3] == pytest.approx(grey[0])
    for i, colour in enumerate(colours(3)):
        x = border + (128 + 128 * i) * scale
        assert near(picture, x + 4, border + 128 * scale, colour) < 0.03, "its number"
        assert near(picture, border + 128 * i * scale + 4, border + 4, colour, 5) < 0.12, "its upper left corner"


def test_a_long_canvas_has_room_for_numbers():
    picture = Scene(Plane(4096, 64), Windows(64, 64, 64, 64)).geometry.drawing(768, 0.0)
    assert picture.shape[1] == 768 and picture.shape[0] >= 150


def test_readings_show_the_card_as_they_see_it():
    rig = Warps((Identity(), FlipY(), Rotate90()))
    scene = Scene(Illusion(64, 64), rig)
    picture = scene.geometry.drawing(400, 0.0)
    assert picture.shape[1] <= 400 and max(picture.shape[:2]) >= 395
    shown = scene.geometry.look(card(64, 64)[None])
    assert torch.equal(shown[1], card(64, 64).flip(-2))
    gap = 0.022 * 400
    side = int((400 - 5 * gap) / 4)
    for i, tile in enumerate([card(64, 64), *shown]):
        left = round(gap + i * (side + gap))
        found = picture[round(gap) : round(gap) + side, left : left + side]
        for y, x in ((0.1, 0.1), (0.9, 0.9), (0.3, 0.45), (0.9, 0.1)):
            expected = tile[:, int(y * 64), int(x * 64)]
            assert torch.allclose(found[int(y * side), int(x * side)], expected, atol=0.02), (i, y, x)
    for colour in colours(3):
        assert float((picture[round(gap) + side :] - torch.tensor(colour)).abs().amax(-1).min()) < 0.03


def test_a_card_tells_planes_and_directions_apart():
    first, second = card(64, 64, 0, 2), card(64, 64, 1, 2)
    assert float((first - second).abs().max()) > 0.2
    one = card(64, 64)
    ways = [one, one.flip(-1), one.flip(-2), one.rot90(1, (-2, -1)), one.rot90(2, (-2, -1))]
    assert all(float((a - b).abs().mean()) > 0.05 for i, a in enumerate(ways) for b in ways[:i])
