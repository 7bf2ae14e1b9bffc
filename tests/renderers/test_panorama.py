"""The sphere and its cameras: conventions, exact maps, the seam and the poles, joining views again."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.transposes import adjoint
from syncpack.renderers.cameras.looks import Look, angles, angular_hann, direction, pixels_of, rays
from syncpack.renderers.panorama.space import (
    Lookout,
    Panorama,
    cells_read_views,
    equirect_directions,
    equirect_taps,
    panorama_views,
)
from syncpack.renderers.panorama.stitch import stitch_looks, view_edges
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import polar_noise

# The 26 views of a cube's faces, edges and corners.
CUBE = (
    *(Look.degrees(a, e, 90) for e in (-45.0, 0.0, 45.0) for a in range(-180, 180, 45)),
    Look.degrees(0, 90, 90),
    Look.degrees(0, -90, 90),
)

looks = st.builds(
    Look.degrees,
    st.floats(-180, 180),
    st.floats(-90, 90),
    st.floats(40, 120),
    st.floats(-180, 180),
)


def smooth(directions):
    """A smooth picture on the sphere: [..., 3] -> [3, ...]."""
    x, y, z = (directions / directions.norm(dim=-1, keepdim=True)).unbind(-1)
    return torch.stack(
        [0.5 + 0.3 * x * y + 0.2 * z, 0.5 + 0.4 * torch.sin(3 * x + 2 * y), 0.5 + 0.3 * torch.cos(4 * z - x)]
    )


# Conventions


@pytest.mark.parametrize(
    "azimuth, elevation, expected",
    [(0, 0, (0, 0, -1)), (90, 0, (1, 0, 0)), (180, 0, (0, 0, 1)), (-90, 0, (-1, 0, 0)), (0, 90, (0, 1, 0))],
)
def test_where_directions_point(azimuth, elevation, expected):
    look = Look.degrees(azimuth, elevation, 90)
    assert torch.allclose(look.axis, torch.tensor(expected).double(), atol=1e-12)
    middle = rays(look, 3, 3)[1, 1]
    assert torch.allclose(middle, torch.tensor(expected).double(), atol=1e-12)


def test_the_view_is_upright_and_not_mirrored():
    grid = rays(Look.degrees(0, 0, 90), 2, 2)
    assert grid[0, 0].tolist() == pytest.approx([-0.5, 0.5, -1.0]), "upper left is left and up"
    assert grid[1, 1].tolist() == pytest.approx([0.5, -0.5, -1.0])
    azimuth, elevation = angles(rays(Look.degrees(30, 20, 60), 9, 9))
    assert bool((azimuth[4].diff() > 0).all()), "azimuth grows to the right"
    assert bool((elevation[:, 4].diff() < 0).all()), "elevation falls downwards"


def test_a_roll_turns_the_camera_clockwise():
    """Rolled by 90 degrees to the right, what was at the right of the frame is at its top."""
    look = Look.degrees(0, 0, 90, roll=90)
    right = direction(torch.tensor([math.radians(30)]).double(), torch.zeros(1).double())
    row, column, seen = pixels_of(look, right, 100, 100)
    assert bool(seen[0]) and float(row[0]) < 30 and float(column[0]) == pytest.approx(50)


def test_the_map_begins_at_azimuth_minus_180_and_elevation_90():
    directions = equirect_directions(4, 8)
    azimuth, elevation = angles(directions)
    assert torch.rad2deg(azimuth[0]).tolist() == pytest.approx([-157.5 + 45 * i for i in range(8)])
    assert torch.rad2deg(elevation[:, 0]).tolist() == pytest.approx([67.5, 22.5, -22.5, -67.5])


@settings(max_examples=40, deadline=None)
@given(looks, st.integers(1, 9), st.integers(1, 9))
def test_pixels_and_rays_are_inverse(look, height, width):
    if max(look.tangents(height, width)) > 20:
        return
    row, column, seen = pixels_of(look, rays(look, height, width), height, width)
    assert bool(seen.all())
    assert torch.allclose(row, torch.arange(height).double()[:, None].expand(-1, width) + 0.5, atol=1e-6)
    assert torch.allclose(column, torch.arange(width).double().expand(height, -1) + 0.5, atol=1e-6)


# Maps


def slow_taps(direction, rows, columns):
    """One direction's four taps, from the definition: {cell: weight}."""
    azimuth, elevation = (float(a) for a in angles(direction))
    y = (0.5 - elevation / math.pi) * rows - 0.5
    x = (azimuth / math.pi + 1) / 2 * columns - 0.5
    found = {}
    for r in (math.floor(y), math.floor(y) + 1):
        for c in (math.floor(x), math.floor(x) + 1):
            weight = (1 - abs(y - r)) * (1 - abs(x - c))
            # Over a pole: the same distance beyond it, half way around.
            if r < 0:
                cell = (0, (c + columns // 2) % columns)
            elif r >= rows:
                cell = (rows - 1, (c + columns // 2) % columns)
            else:
                cell = (r, c % columns)
            found[cell] = found.get(cell, 0.0) + weight
    return found


@settings(max_examples=60, deadline=None)
@given(st.floats(-math.pi, math.pi), st.floats(-math.pi / 2, math.pi / 2), st.integers(2, 9))
def test_taps_equal_the_slow_twin(azimuth, elevation, rows):
    one = direction(torch.tensor(azimuth).double(), torch.tensor(elevation).double())
    cells, weights = equirect_taps(one, rows, 2 * rows)
    found = {}
    for cell, weight in zip(cells.tolist(), weights.tolist(), strict=True):
        key = divmod(cell, 2 * rows)
        found[key] = found.get(key, 0.0) + weight
    expected = slow_taps(one, rows, 2 * rows)
    for key in found.keys() | expected.keys():
        assert found.get(key, 0.0) == pytest.approx(expected.get(key, 0.0), abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.lists(looks, min_size=1, max_size=3), st.sampled_from(["bilinear", "nearest"]), st.integers(0, 99))
def test_laws_of_views(cameras, sampling, seed):
    generator = torch.Generator().manual_seed(seed)
    views = panorama_views(Lookout(tuple(cameras), 8, 6, sampling), 6, 8, (8, 16))
    z = torch.randn(2, 3, 8, 16, generator=generator)
    w = torch.randn(2 * len(cameras), 3, 6, 8, generator=generator)
    assert float((views.project(z) * w).sum()) == pytest.approx(float((z * adjoint(views, w)).sum()), abs=1e-3)
    assert torch.allclose(views.project(torch.ones(1, 1, 8, 16)), torch.ones(len(cameras), 1, 6, 8), atol=1e-6)
    assert bool(views.covered.all())
    mean = Aggregator(views)
    constant = mean(torch.ones(len(cameras), 1, 6, 8))
    assert torch.allclose(constant[0, 0][mean.seen.reshape(8, 16)], torch.ones(()), atol=1e-6)


def test_a_cell_that_a_view_looks_at_is_seen():
    """Cells near a pole are finer than pixels; few pixels name one of them, yet all of them are seen."""
    views = panorama_views(Lookout((Look.degrees(0, 90, 60),), 8, 8), 8, 8, (64, 128))
    looked_at = pixels_of(Look.degrees(0, 90, 60), equirect_directions(64, 128), 8, 8)[2]
    seen = Aggregator(views).seen.reshape(64, 128)
    assert bool(seen[looked_at].all())
    assert int((views.hits.reshape(64, 128) > 0).sum()) < 0.5 * int(looked_at.sum()), "or the test shows nothing"


def test_gather_rows_are_one_interpolation_per_view():
    gather = cells_read_views(CUBE, 8, 8, (16, 32))
    per_cell = gather.apply(torch.ones(gather.cols, 1))[:, 0]
    seen = sum(pixels_of(look, equirect_directions(16, 32), 8, 8)[2].long() for look in CUBE).reshape(-1)
    assert torch.allclose(per_cell, seen.float(), atol=1e-5)


def test_a_smooth_picture_survives_the_way_to_the_views_and_back():
    grid = (256, 512)
    truth = smooth(equirect_directions(*grid)).float()[None]
    views = panorama_views(Lookout(CUBE, 128, 128), 128, 128, grid)
    seen = views.project(truth)
    exact = torch.stack([smooth(rays(look, 128, 128)) for look in CUBE]).float()
    assert float((seen - exact).abs().max()) <= 2e-4
    error = (Aggregator(views)(seen) - truth)[0].abs().amax(0)
    assert float(error.max()) <= 0.01
    usual = float(error[64:192, 64:-64].max())
    for part in (error[:3], error[-3:], error[:, 0], error[:, -1]):
        assert float(part.max()) <= usual, "no worse at the poles and at the seam"


def test_shared_noise_is_white_in_every_view():
    views = panorama_views(Lookout(CUBE[:4], 24, 24), 24, 24, (24, 48))
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(1, 400, 24, 48, generator=generator)
    noise = polar_noise(views, z, lambda: torch.randn(4, 400, 24, 24, generator=generator))
    assert float(noise.var()) == pytest.approx(1.0, abs=0.01)
    for axis in (-1, -2):
        neighbours = (noise * noise.roll(1, axis)).mean()
        assert abs(float(neighbours)) < 0.01
    both = (noise[0] * noise[1]).mean(0)
    assert float(both.abs().max()) < 0.4, "each pixel of one view has other noise than the same pixel of the next"


# Weights


@settings(max_examples=25, deadline=None)
@given(looks, st.integers(2, 12), st.integers(2, 12))
def test_weights_fall_towards_every_border(look, height, width):
    weights = angular_hann(look, height, width)
    assert bool((weights > 0).all()) and float(weights.max()) <= 1.0
    assert torch.allclose(weights, weights.flip(0), atol=1e-5) and torch.allclose(weights, weights.flip(1), atol=1e-5)
    top = weights[: (height + 1) // 2, width // 2]
    assert bool((top.diff() >= -1e-6).all())


# Joining


def test_joined_views_are_the_picture():
    images = [smooth(rays(look, 96, 96)).permute(1, 2, 0).float() for look in CUBE]
    truth = smooth(equirect_directions(64, 128)).permute(1, 2, 0).float()
    for detail in (0.0, 3.0):
        joined = stitch_looks(CUBE, images, 64, 128, detail)
        assert float((joined.picture - truth).abs().max()) <= 2e-3
        assert bool((joined.weight > 0).all())


def test_a_constant_stays_constant_and_unseen_cells_stay_empty():
    two = CUBE[:2]
    joined = stitch_looks(two, [torch.full((16, 16, 1), 0.7)] * 2, 32, 64, detail=2.0)
    seen = joined.weight > 0
    assert 0.1 < float(seen.float().mean()) < 0.4
    assert torch.allclose(joined.picture[..., 0][seen], torch.tensor(0.7), atol=1e-5)
    assert float(joined.picture[~seen].abs().sum()) == 0.0


def test_two_bands_keep_the_detail_that_averaging_blurs():
    """Views with detail of their own: the average has less of it, the best view's detail is kept."""
    generator = torch.Generator().manual_seed(1)
    images = [0.5 + 0.1 * torch.randn(64, 64, 1, generator=generator) for _ in CUBE]
    plain, kept = (stitch_looks(CUBE, images, 64, 128, detail).picture.std() for detail in (0.0, 3.0))
    assert float(kept) > 1.3 * float(plain)


def test_other_numbers_of_images_are_refused():
    for count in (0, 1, 3):
        with pytest.raises(ValueError, match="2 views"):
            stitch_looks(CUBE[:2], [torch.zeros(4, 4, 1)] * count, 8, 16)


def test_edges_are_where_a_view_ends():
    left, above = view_edges([Look.degrees(180, 0, 90)], 64, 64, 64, 128)
    row = left[32].nonzero().flatten().tolist()
    assert row == [16, 112], "45 degrees either side of the seam column"
    assert not bool(left[:, 0].any()) and bool(above[:, 0].any()) and not bool(above[0].any())


# Bad input


@pytest.mark.parametrize("size", [(512, 512), (1024, 500), (0, 0), (2, 1)])
def test_a_panorama_is_twice_as_wide_as_high(size):
    with pytest.raises(ValueError, match="twice as wide as high; use"):
        Panorama(*size)


def test_a_cell_that_does_not_fit_is_refused():
    assert Panorama(512, 256).grid(8) == (32, 64)
    with pytest.raises(ValueError, match="not a multiple of this model's cell of 16 pixels; use 96 x 48"):
        Panorama(100, 50).grid(16)


@pytest.mark.parametrize("fov", [0.0, 180.0, -10.0, float("nan")])
def test_a_field_of_view_that_is_none(fov):
    with pytest.raises(ValueError, match=r"field of view|camera fov"):
        Look.degrees(0, 0, fov)


def test_other_bad_cameras():
    with pytest.raises(ValueError, match="elevation 91"):
        Look.degrees(0, 91, 90)
    with pytest.raises(ValueError, match="without cameras"):
        Lookout((), 8, 8)
    with pytest.raises(ValueError, match="0 x 8"):
        Lookout(CUBE, 0, 8)
    with pytest.raises(ValueError, match="'cubic' is unknown"):
        Lookout(CUBE, 8, 8, "cubic")
