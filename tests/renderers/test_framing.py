"""Tight frames: the object touches the border, and nothing else about a camera changes."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from syncpack.renderers.cameras.framing import bounds, filled, fitted_size, tight
from syncpack.renderers.cameras.orbits import Lens, orbit


def cloud(sides=(0.8, 0.4, 0.3), count=400):
    generator = torch.Generator().manual_seed(3)
    return (torch.rand(count, 3, generator=generator) * 2 - 1) * torch.tensor(sides)


@given(st.floats(-180, 180), st.floats(-90, 90), st.booleans(), st.sampled_from([(64, 64), (48, 96), (96, 48)]))
def test_points_fill_the_frame(azimuth, elevation, flat, size):
    points, (height, width) = cloud(), size
    camera = Lens(60, 2, flat).at(azimuth, elevation)
    close = tight(camera, points, height, width, 0.05)
    assert (close.position, close.right, close.up) == (camera.position, camera.right, camera.up)
    row, column, depth = close.pixels(points.double(), height, width)
    assert float(depth.min()) > 0
    across = (float(column.min()) / width, 1 - float(column.max()) / width)
    down = (float(row.min()) / height, 1 - float(row.max()) / height)
    # In the middle both ways, and as near as the margin one way.
    assert across[0] == pytest.approx(across[1], abs=1e-6) and down[0] == pytest.approx(down[1], abs=1e-6)
    assert min(across[0], down[0]) == pytest.approx(0.05, abs=1e-6)


def test_the_reference_frame_wastes_what_tight_uses():
    points = cloud()
    for camera in orbit():
        assert filled(camera, points, 64, 64) < 0.45
        close = tight(camera, points, 64, 64, 0.0)
        left, right, bottom, top = bounds(camera, points)
        ratio = (right - left) / (top - bottom)
        assert filled(close, points, 64, 64) == pytest.approx(min(ratio, 1 / ratio), abs=1e-6)


def test_a_fitted_shape_keeps_the_number_of_pixels():
    wide = cloud((0.9, 0.3, 0.3))
    cameras = orbit(step=180, tops=())
    height, width = fitted_size(cameras, wide, 512, 512)
    assert height % 64 == width % 64 == 0 and 0.8 <= height * width / 512**2 <= 1.1
    assert 2.2 < width / height < 3.8
    used = [filled(tight(c, wide, height, width, 0.0), wide, height, width) for c in cameras]
    square = [filled(tight(c, wide, 512, 512, 0.0), wide, 512, 512) for c in cameras]
    assert min(used) > 0.8 and max(square) < 0.45
    assert fitted_size(cameras, wide, 40, 40) == (40, 40)


def test_a_camera_inside_is_refused():
    with pytest.raises(ValueError, match="inside the object or too near"):
        tight(Lens(60, 0.1).at(0, 0), cloud(), 64, 64)
    with pytest.raises(ValueError, match=r"margin 0\.5"):
        tight(Lens().at(0, 0), cloud(), 64, 64, 0.5)
    assert math.isfinite(tight(Lens().at(0, 0), torch.zeros(1, 3), 64, 64).fov)
