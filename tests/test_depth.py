"""Depth of a sphere: files of every kind, z against ray distance, invalid values."""

import struct

import numpy as np
import pytest
import torch
from PIL import Image
from syncpack.renderers.cameras import Look, rays
from syncpack.renderers.depth import depth_hints, read_depth
from syncpack.renderers.panorama import Lookout, equirect_directions

RIG = Lookout((Look.degrees(0, 0, 90), Look.degrees(90, 0, 90)), 33, 33)


def room(half=2.0, rows=128):
    """Distances from the middle of a cube-shaped room to its walls."""
    return half / equirect_directions(rows, 2 * rows).abs().amax(-1).float()


def test_a_wall_is_flat():
    """Every point of a wall in front of the camera has the same depth, though corners are further away."""
    hints, valid = depth_hints(room(), Lookout((Look.degrees(0, 0, 80),), 33, 33), "distance", "joint")
    assert bool(valid.all())
    longest = rays(Look.degrees(0, 0, 80), 33, 33).norm(dim=-1).max()
    assert float(longest) > 1.5, "or the test shows nothing"
    # A wall alone would be all range; something nearer gives it a scale.
    near = room()
    near[60:68, 126:130] = 1.0
    hints, _ = depth_hints(near, Lookout((Look.degrees(0, 0, 80),), 33, 33), "distance", "joint")
    wall = hints[0][hints[0] < 0.5]
    assert float(wall.max() - wall.min()) < 5e-3 and float(hints[0, 16, 16]) == pytest.approx(1.0, abs=0.02)


def test_near_is_white_and_distance_agrees_with_its_inverse():
    depth = room()
    depth[:, :128] *= 3
    rig = Lookout((Look.degrees(-90, 0, 60), Look.degrees(90, 0, 60)), 16, 16)
    hints, _ = depth_hints(depth, rig, "distance", "joint")
    assert float(hints[1].mean()) > 0.9 and float(hints[0].mean()) < 0.1
    same, _ = depth_hints(1 / depth, rig, "inverse", "joint")
    assert torch.allclose(same, hints, atol=1e-5)


def test_a_range_for_each_view_or_for_all():
    depth = room()
    depth[:, :128] *= 3
    rig = Lookout((Look.degrees(-90, 0, 60), Look.degrees(90, 0, 60)), 16, 16)
    each, _ = depth_hints(depth, rig, "distance", "per view")
    for hint in each:
        assert float(hint.min()) == 0.0 and float(hint.max()) == 1.0
    joint, _ = depth_hints(depth, rig, "distance", "joint")
    assert float(joint[0].max()) < 0.2, "the far side stays dark"


@pytest.mark.parametrize("bad", [float("nan"), 0.0, float("inf"), -1.0])
def test_invalid_values_are_far_and_do_not_spread(bad):
    x, y, z = equirect_directions(128, 256).float().unbind(-1)
    smooth = 3 + x + 0.5 * y * z
    depth = smooth.clone()
    depth[40:90, 100:120] = bad
    hints, valid = depth_hints(depth, RIG, "distance", "joint")
    assert 0.02 < float((~valid).float().mean()) < 0.3
    assert float(hints[~valid].abs().max()) == 0.0 and bool(torch.isfinite(hints).all())
    clean, _ = depth_hints(smooth, RIG, "distance", "joint")
    assert torch.allclose(hints[valid], clean[valid], atol=0.03)


@pytest.mark.parametrize("shape", [(64, 64), (64, 127)])
def test_a_depth_that_is_no_panorama(shape):
    with pytest.raises(ValueError, match="twice as wide as high"):
        depth_hints(torch.ones(shape), RIG, "distance", "joint")
    with pytest.raises(ValueError, match="no valid value"):
        depth_hints(torch.full((8, 16), float("nan")), RIG, "distance", "joint")


# Files


def test_every_kind_of_file(tmp_path):
    values = np.linspace(0.1, 0.9, 32, dtype=np.float32).reshape(4, 8)
    np.save(tmp_path / "a.npy", values)
    (tmp_path / "b.dpt").write_bytes(struct.pack("<fii", 202021.25, 8, 4) + values.tobytes())
    (tmp_path / "c.dpt").write_bytes(struct.pack(">fii", 202021.25, 8, 4) + values.astype(">f4").tobytes())
    Image.fromarray((values * 65535).round().astype(np.uint16)).save(tmp_path / "d.png")
    Image.fromarray((values * 255).round().astype(np.uint8)).save(tmp_path / "e.png")
    Image.fromarray(values).save(tmp_path / "f.tiff")
    for name, tolerance in (("a.npy", 0), ("b.dpt", 0), ("c.dpt", 0), ("d.png", 1e-5), ("e.png", 3e-3), ("f.tiff", 0)):
        read = read_depth(tmp_path / name)
        assert read.dtype == torch.float32 and read.shape == (4, 8)
        assert float((read - torch.from_numpy(values)).abs().max()) <= tolerance, name


def test_an_exr_file(tmp_path):
    openexr = pytest.importorskip("OpenEXR")
    if not hasattr(openexr, "File"):
        pytest.skip("this OpenEXR is older than its File class")
    values = np.linspace(0.5, 20, 32, dtype=np.float32).reshape(4, 8)
    header = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage}
    with openexr.File(header, {"Z": values}) as file:
        file.write(str(tmp_path / "a.exr"))
    assert torch.equal(read_depth(tmp_path / "a.exr"), torch.from_numpy(values))


def test_files_that_are_no_depth(tmp_path):
    good = struct.pack("<fii", 202021.25, 8, 4) + bytes(128)
    cases = {
        "short.dpt": (good[:8], "cut short"),
        "cut.dpt": (good[:-4], "cut short: 124 of 128"),
        "tag.dpt": (b"\0\0\0\0" + good[4:], "no .dpt file"),
        "size.dpt": (struct.pack("<fii", 202021.25, -8, 4), "header is damaged"),
        "text.txt": (b"1", "no depth file; use one of"),
    }
    for name, (data, message) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=message):
            read_depth(tmp_path / name)
    Image.new("RGB", (8, 4)).save(tmp_path / "colour.png")
    with pytest.raises(ValueError, match="false colours are not guessed"):
        read_depth(tmp_path / "colour.png")
    np.save(tmp_path / "three.npy", np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="one number per pixel"):
        read_depth(tmp_path / "three.npy")
