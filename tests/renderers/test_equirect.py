"""Equirectangular pictures turned, cut into a cube and joined again."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from syncpack.renderers.cameras.looks import Look, rays
from syncpack.renderers.panorama.equirect import (
    FACES,
    from_cubemap,
    look_at,
    read_equirect,
    rotate_equirect,
    split_cubemap,
    to_cubemap,
)
from syncpack.renderers.panorama.space import equirect_directions


def smooth(directions):
    x, y, z = (directions / directions.norm(dim=-1, keepdim=True)).unbind(-1)
    return torch.stack([0.5 + 0.3 * x * y + 0.2 * z, 0.5 + 0.4 * torch.sin(3 * x + 2 * y)], -1).float()


PICTURE = smooth(equirect_directions(128, 256))[None]


@settings(max_examples=20, deadline=None)
@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(40, 110), st.floats(-90, 90))
def test_a_camera_sees_the_picture(azimuth, elevation, fov, roll):
    look = Look.degrees(azimuth, elevation, fov, roll)
    seen = look_at(PICTURE, look, 20, 30)
    assert seen.shape == (1, 20, 30, 2)
    assert torch.allclose(seen[0], smooth(rays(look, 20, 30)), atol=1e-3)


@pytest.mark.parametrize("yaw, pitch", [(90, 0), (30, 40), (-120, -70), (10, 90), (0, 120)])
def test_what_is_looked_at_comes_to_the_middle(yaw, pitch):
    turned = rotate_equirect(PICTURE, yaw, pitch, 0)
    e, a = math.radians(pitch), math.radians(yaw)
    axis = torch.tensor([math.cos(e) * math.sin(a), math.sin(e), -math.cos(e) * math.cos(a)]).double()
    middle = read_equirect(turned, torch.tensor([0.0, 0.0, -1.0]).double())
    assert torch.allclose(middle[0], smooth(axis), atol=2e-3)


def test_turning_up_brings_the_sky_down():
    """Looking up by 30 degrees, the horizon sinks below the middle of the picture."""
    sky = (equirect_directions(64, 128)[..., 1] > 0).float()[None, ..., None]
    turned = rotate_equirect(sky, 0, 30, 0)
    assert float(turned[0, 36, 64]) > 0.999 and float(turned[0, 50, 64]) < 0.001


@settings(max_examples=15, deadline=None)
@given(st.floats(-180, 180), st.floats(-180, 180), st.floats(-180, 180))
def test_turning_there_and_back(yaw, pitch, roll):
    """Undone in the other order: roll, then pitch, then yaw."""
    there = rotate_equirect(PICTURE, yaw, pitch, roll)
    back = rotate_equirect(rotate_equirect(rotate_equirect(there, 0, 0, -roll), 0, -pitch, 0), -yaw, 0, 0)
    assert float((back - PICTURE).abs().max()) < 0.01


def test_whole_columns_of_yaw_lose_nothing():
    noise = torch.rand(2, 16, 32, 3)
    turned = rotate_equirect(noise, 45, 0, 0)
    assert torch.equal(turned, noise.roll(-4, 2))
    assert torch.equal(rotate_equirect(turned, -45, 0, 0), noise)
    assert torch.equal(rotate_equirect(noise, 360, 0, 0), noise)


@pytest.mark.parametrize("layout", ["faces", "row", "cross"])
def test_a_cube_and_back(layout):
    cube = to_cubemap(PICTURE, 64, layout)
    assert cube.shape == {"faces": (6, 64, 64, 2), "row": (1, 64, 384, 2), "cross": (1, 192, 256, 2)}[layout]
    faces = split_cubemap(cube)
    assert torch.equal(faces, split_cubemap(to_cubemap(PICTURE, 64, "faces")))
    back = from_cubemap(faces, 128)
    error = (back - PICTURE).abs().amax(-1)[0]
    assert float(error.max()) < 4e-3, "across the edges of the cube, at the seam and at the poles"


def test_where_faces_look():
    for name, axis in zip(FACES, [(0, 0, -1), (1, 0, 0), (0, 0, 1), (-1, 0, 0), (0, 1, 0), (0, -1, 0)], strict=True):
        face = to_cubemap(PICTURE, 33)[FACES.index(name)]
        assert torch.allclose(face[16, 16], smooth(torch.tensor(axis).double()), atol=1e-3), name


def test_a_batch_keeps_its_order():
    two = torch.cat([PICTURE, 1 - PICTURE])
    for layout in ("faces", "row", "cross"):
        both = split_cubemap(to_cubemap(two, 16, layout))
        assert torch.equal(both[1], split_cubemap(to_cubemap(two[1:], 16, layout))[0])


@pytest.mark.parametrize("shape", [(5, 8, 8, 3), (1, 8, 9, 3), (2, 10, 30, 3)])
def test_what_is_no_cube_map(shape):
    with pytest.raises(ValueError, match="no cube map; use six square faces"):
        split_cubemap(torch.zeros(shape))


def test_sizes_without_pixels():
    with pytest.raises(ValueError, match="faces of 0 pixels"):
        to_cubemap(PICTURE, 0)
    with pytest.raises(ValueError, match="panorama of 1 rows"):
        from_cubemap(torch.zeros(1, 6, 4, 4, 3), 1)
