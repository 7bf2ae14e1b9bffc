"""Cameras around an object: the reference's ten, even ones, written down, and the host viewer's."""

import math

import pytest
import torch
from syncpack.renderers.cameras.orbits import Lens, custom, orbit, orbit_sphere
from syncpack.renderers.cameras.viewer import from_load3d
from syncpack.renderers.directions import orbit_places, parse_selector, views_of


def degrees(viewpoints):
    return [(round(math.degrees(v.azimuth)) % 360, round(math.degrees(v.elevation))) for v in viewpoints]


def test_the_reference_rig():
    cameras = orbit()
    assert degrees(cameras) == [(45 * i, 0) for i in range(8)] + [(0, 30), (180, 30)]
    for camera in cameras:
        assert math.hypot(*camera.position) == pytest.approx(2)
        # The unit sphere touches the frame: the tangent from distance 2 leaves at 30 degrees.
        assert math.degrees(camera.fov) == pytest.approx(60)
        middle = torch.zeros(1, 3, dtype=torch.float64)
        row, column, depth = camera.pixels(middle, 96, 96)
        assert (float(row), float(column), float(depth)) == pytest.approx((48, 48, 2))


def test_direction_words_name_the_reference_views():
    places = orbit_places(orbit())
    named = {w: sorted(views_of(parse_selector(w), places, False, "orbit cameras")) for w in ("front", "side", "back")}
    assert named == {"front": [0, 8], "side": [1, 2, 6, 7], "back": [3, 4, 5, 9]}
    tops = orbit_places(orbit(tops=((0, 90), (90, 60), (0, -80))))
    assert tops[8].azimuth is None and tops[8].elevation == 90
    assert views_of(parse_selector("top"), tops, False, "orbit cameras") == {8, 9}
    assert views_of(parse_selector("bottom"), tops, False, "orbit cameras") == {10}
    assert [p.azimuth for p in tops][2] == 90
    turned = orbit_places(orbit(start=170), math.radians(170))
    assert [p.azimuth for p in turned[:8]] == pytest.approx([0, 45, 90, 135, 180, -135, -90, -45])


def test_orthographic_shows_as_much_as_perspective_at_the_middle():
    flat = Lens(50, 3, orthographic=True).at(20, 10)
    assert flat.span == pytest.approx(2 * 3 * math.tan(math.radians(25)))
    edge = torch.tensor([flat.right], dtype=torch.float64) * flat.span / 2
    deep = Lens(50, 3).at(20, 10)
    assert float(flat.pixels(edge, 64, 64)[1]) == pytest.approx(64)
    assert float(deep.pixels(edge, 64, 64)[1]) == pytest.approx(64)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 10, 14, 20, 33, 64])
def test_even_directions(count):
    cameras = orbit_sphere(count)
    assert len(cameras) == count and len(set(degrees(cameras))) == count
    assert degrees(cameras)[0] == (0, 0)
    back = torch.tensor([c.backward for c in cameras])
    generator = torch.Generator().manual_seed(0)
    probes = torch.nn.functional.normalize(torch.randn(2000, 3, generator=generator), dim=1)
    # No direction is further from a camera than twice what a hexagonal packing of as many needs.
    widest = math.acos(min(1.0, float((probes @ back.T).amax(1).min())))
    best = math.acos(max(-1.0, 1 - 2 / max(count, 2) * (2 * math.pi / math.sqrt(27))))
    assert count < 6 or widest < 1.8 * best


def test_written_down():
    cameras = custom("# mine\n0 0\n 45, 30 3\n-90 -20 2.5 40  # low\n\n", Lens(60, 2))
    assert degrees(cameras) == [(0, 0), (45, 30), (270, -20)]
    assert [math.hypot(*c.position) for c in cameras] == pytest.approx([2, 3, 2.5])
    assert [math.degrees(c.fov) for c in cameras] == pytest.approx([60, 60, 40])
    for text, message in (
        ("0 0\nfront", "camera line 2 'front' is not 'azimuth elevation"),
        ("# none", "no camera is written down"),
        ("0 120", "camera line 1: elevation 120 is outside -90 to 90"),
        ("0 0 0", "camera line 1: camera distance 0"),
    ):
        with pytest.raises(ValueError, match=message):
            custom(text)


def test_bad_rigs():
    with pytest.raises(ValueError, match="azimuth step 0 is outside"):
        orbit(step=0)
    with pytest.raises(ValueError, match="0 cameras see nothing"):
        orbit_sphere(0)
    with pytest.raises(ValueError, match="field of view 190"):
        orbit(Lens(fov=190))


VIEWER = {
    "position": {"x": 5.0, "y": 3.0, "z": 5.0},
    "target": {"x": 0.0, "y": 1.5, "z": 0.0},
    "zoom": 1,
    "cameraType": "perspective",
}


def viewer_pixel(camera, fov, point, height, width):
    """three.js written out: lookAt, vertical fov, zoom."""
    eye, target = (torch.tensor([camera[k][a] for a in "xyz"], dtype=torch.float64) for k in ("position", "target"))
    back = (eye - target) / (eye - target).norm()
    right = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), back)
    right = right / right.norm()
    up = torch.linalg.cross(back, right)
    own = point - eye
    x, y, depth = own @ right, own @ up, -(own @ back)
    half = math.tan(math.radians(fov) / 2) / camera["zoom"] * depth if fov else torch.tensor(5.0 / camera["zoom"])
    return float((1 - y / half) * height / 2), float(width / 2 + x / half * height / 2)


@pytest.mark.parametrize("zoom", [1.0, 1.7])
@pytest.mark.parametrize("kind", ["perspective", "orthographic"])
@pytest.mark.parametrize("fov", [None, 50.0])
def test_a_viewers_camera_shows_the_same(zoom, kind, fov):
    """An object whose box is 1.6 x 1 x 0.8 object units stands on the viewer's ground, longest side 5."""
    camera = {**VIEWER, "zoom": zoom, "cameraType": kind, **({"fov": fov} if fov else {})}
    extent = (1.6, 1.0, 0.8)
    found = from_load3d(camera, 48, 64, extent)
    point = torch.tensor([[0.3, -0.2, 0.35]], dtype=torch.float64)
    scale = 5 / 1.6
    shown = point[0] * scale + torch.tensor([0.0, 0.5 * scale, 0.0])
    expected = viewer_pixel(camera, 0 if kind == "orthographic" else fov or 35, shown, 48, 64)
    row, column, _ = found.pixels(point, 48, 64)
    assert (float(row), float(column)) == pytest.approx(expected, abs=1e-6)


def test_a_viewers_quaternion_and_missing_mesh():
    # Turned by 90 degrees about y: looks along -X, right is -Z.
    turned = {**VIEWER, "quaternion": {"x": 0.0, "y": math.sqrt(0.5), "z": 0.0, "w": math.sqrt(0.5)}}
    found = from_load3d(turned, 64, 64)
    assert found.right == pytest.approx((0, 0, -1)) and found.up == pytest.approx((0, 1, 0))
    assert found.backward == pytest.approx((1, 0, 0))
    plain = from_load3d(VIEWER, 64, 64)
    assert plain.position == pytest.approx((2, 0.6, 2))
    above = from_load3d({**VIEWER, "position": {"x": 0, "y": 9, "z": 0}}, 64, 64)
    assert above.backward == pytest.approx((0, 1, 0)) and above.right == pytest.approx((1, 0, 0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": None}, "position is None, not three numbers"),
        ({"target": {"x": 5.0, "y": 3.0, "z": 5.0}}, "stands on its target"),
        ({"zoom": -1}, "zoom is -1"),
        ({"quaternion": {"x": 1}}, "quaternion is"),
        ({"quaternion": [0, 0, 0, 0]}, "quaternion is 0"),
    ],
)
def test_bad_viewer_cameras(change, message):
    with pytest.raises(ValueError, match=message):
        from_load3d({**VIEWER, **change}, 64, 64)
