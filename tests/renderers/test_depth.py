"""Depth of a sphere: files of every kind, z against ray distance, invalid values."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from syncpack.renderers.cameras.looks import Look, rays
from syncpack.renderers.panorama.depth import depth_hints
from syncpack.renderers.panorama.depth_exr import depth_channels
from syncpack.renderers.panorama.depth_files import read_depth
from syncpack.renderers.panorama.space import Lookout, equirect_directions

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
    Image.new("RGB", (8, 4), (255, 0, 0)).save(tmp_path / "colour.png")
    with pytest.raises(ValueError, match="false colours are not guessed"):
        read_depth(tmp_path / "colour.png")
    np.save(tmp_path / "three.npy", np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="one number per pixel"):
        read_depth(tmp_path / "three.npy")


def png(values, colour):
    """A PNG of 16 bits written by hand: values [H, W, C] uint16; colour: 2 RGB, 4 grey with alpha, 6 RGBA."""
    height, width, channels = values.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = values.astype(">u2").reshape(height, -1).view(np.uint8).astype(int)
    body = bytearray()
    for y, row in enumerate(rows):
        # Filters none, sub and up in turn.
        before = {
            0: np.zeros_like(row),
            1: np.concatenate([np.zeros(2 * channels, int), row[: -2 * channels]]),
            2: rows[y - 1] if y else np.zeros_like(row),
        }[y % 3]
        body += bytes([y % 3]) + bytes(((row - before) % 256).astype(np.uint8))
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    data = zlib.compress(bytes(body))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_grey_that_was_saved_as_colours(tmp_path):
    """As SaveImage, Blender and palettes have it: the same values as the plain grey file."""
    grey = np.linspace(10, 250, 32).reshape(4, 8).astype(np.uint8)
    clear = np.full_like(grey, 7)
    kinds = {
        "rgb": Image.fromarray(np.stack([grey] * 3, -1)),
        "rgba": Image.fromarray(np.stack([grey] * 3 + [clear], -1)),
        "la": Image.fromarray(np.stack([grey, clear], -1), "LA"),
        "palette": Image.fromarray(grey).convert("P"),
    }
    for ending in ("png", "tif"):
        for name, picture in kinds.items():
            picture.save(tmp_path / f"{name}.{ending}")
            assert read_depth(tmp_path / f"{name}.{ending}").numpy() == pytest.approx(grey / 255), (name, ending)
    Image.fromarray(grey > 100).save(tmp_path / "bits.png")
    assert np.array_equal(read_depth(tmp_path / "bits.png").numpy(), grey > 100)
    for name, change in (("rgb", 3), ("palette", 40)):
        colours = np.stack([grey, grey, np.clip(grey.astype(int) - change, 0, 255).astype(np.uint8)], -1)
        picture = Image.fromarray(colours)
        (picture if name == "rgb" else picture.convert("P")).save(tmp_path / "false.png")
        with pytest.raises(ValueError, match=r"'false.png' is a colour picture .*false colours are not guessed at"):
            read_depth(tmp_path / "false.png")


@pytest.mark.parametrize("colour, channels", [(2, 3), (6, 4), (4, 2)])
def test_sixteen_bits_of_grey_colours_are_kept(tmp_path, colour, channels):
    grey = np.linspace(300, 65000, 70).reshape(7, 10).astype(np.uint16)
    values = np.stack([grey] * channels, -1)
    if colour != 2:
        values[..., -1] = 1234
    (tmp_path / "a.png").write_bytes(png(values, colour))
    assert read_depth(tmp_path / "a.png").numpy() == pytest.approx(grey / 65535, abs=1e-7)


@pytest.mark.parametrize(
    "names, wanted",
    [
        ("Z", "Z"),
        ("V", "V"),
        ("whatever", "whatever"),
        ("Y A", "Y"),
        ("R G B A Z", "Z"),
        ("A B Depth.V G R", "Depth.V"),
        ("R G B depth.Z", "depth.Z"),
        ("R G B Z ZBack", "Z"),
        ("R G B A depth", "depth"),
        ("L.Combined.R L.Combined.G L.Combined.B L.Combined.A L.Depth.Z", "L.Depth.Z"),
        ("L.Combined.R L.Combined.G L.Combined.B L.Depth.V L.Mist.V L.Mist.Z", "L.Depth.V"),
        ("L.Depth.Z L.Normal.X L.Normal.Y L.Normal.Z L.Position.X L.Position.Y L.Position.Z", "L.Depth.Z"),
        ("R G B N.X N.Y N.Z Z", "Z"),
        ("R G B beauty.Z", "beauty.Z"),
        ("Z.A Z.R R G B", "Z.R"),
        ("R G B", "R G B"),
        ("B G R A", "R G B"),
        ("depth.B depth.G depth.R R G B", "depth.R depth.G depth.B"),
    ],
)
def test_which_channel_is_depth(names, wanted):
    assert depth_channels(names.split(), "a.exr") == tuple(wanted.split())


@pytest.mark.parametrize(
    "names, words",
    [
        ("R G B A Index", ("no channel that is called depth, Z or V", "R, G, B, A, Index")),
        ("R G B L.Normal.X L.Normal.Y L.Normal.Z", ("no channel", "L.Normal.Z")),
        ("R G B L.UV.U L.UV.V", ("no channel", "L.UV.V")),
        ("R G B L.Mist.Z", ("no channel", "L.Mist.Z")),
        ("R G B L.Depth.Z M.Depth.Z", ("several channels of depth (L.Depth.Z, M.Depth.Z)",)),
        ("Y RY BY", ("no channel",)),
        ("A", ("no channel",)),
    ],
)
def test_an_exr_without_a_certain_depth_asks(names, words):
    with pytest.raises(ValueError) as caught:
        depth_channels(names.split(), "a.exr")
    assert all(word in str(caught.value) for word in ("'a.exr'", *words)) and "\n" not in str(caught.value)


def exr_library():
    library = pytest.importorskip("OpenEXR")
    if not hasattr(library, "File"):
        pytest.skip("this OpenEXR is older than its File class")
    return library


@pytest.mark.parametrize("kind", ["f4", "f2", "u4"])
@pytest.mark.parametrize("how", ["scanlines", "tiles", "parts"])
def test_depth_beside_colours(tmp_path, kind, how):
    library = exr_library()
    depth = np.linspace(10, 250, 32 * 64).reshape(32, 64).astype(kind)
    grey = np.full((32, 64), 0.5, "f4")
    path = str(tmp_path / "a.exr")
    colours = {f"L.Combined.{c}": grey for c in "RGB"}
    if how == "parts":
        parts = [library.Part({"type": library.scanlineimage}, {c: grey for c in "RGB"}, "L.Combined"),
                 library.Part({"type": library.scanlineimage}, {"V": depth}, "L.Depth")]  # fmt: skip
        library.File(parts).write(path)
    else:
        kinds = {"scanlines": library.scanlineimage, "tiles": library.tiledimage}
        header = {"type": kinds[how], "compression": library.ZIPS_COMPRESSION}
        if how == "tiles":
            header["tiles"] = library.TileDescription()
        library.File(header, {**colours, "L.Depth.Z": depth}).write(path)
    assert np.array_equal(read_depth(tmp_path / "a.exr").numpy(), depth.astype("f4"))


def test_colours_of_an_exr_are_no_depth(tmp_path):
    library = exr_library()
    grey = np.linspace(1, 9, 32, dtype="f4").reshape(4, 8)
    header = {"type": library.scanlineimage}
    library.File(header, {c: grey for c in "RGB"}).write(str(tmp_path / "grey.exr"))
    assert np.array_equal(read_depth(tmp_path / "grey.exr").numpy(), grey)
    library.File(header, {"R": grey, "G": grey, "B": grey + 1}).write(str(tmp_path / "false.exr"))
    with pytest.raises(ValueError, match=r"'false.exr' holds colours and no depth \(B, G, R\)"):
        read_depth(tmp_path / "false.exr")
    (tmp_path / "cut.exr").write_bytes((tmp_path / "grey.exr").read_bytes()[:-20])
    (tmp_path / "text.exr").write_bytes(b"depth")
    for name in ("cut.exr", "text.exr"):
        with pytest.raises(ValueError, match=f"'{name}' is no EXR, or it is damaged or cut short"):
            read_depth(tmp_path / name)


def npy(header, data=b""):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def broken():
    """name: (content, words of the refusal)."""
    stream = io.BytesIO()
    Image.fromarray(np.arange(20000, dtype=np.uint16).reshape(100, 200)).save(stream, "PNG")
    good = stream.getvalue()
    stream = io.BytesIO()
    np.savez(stream, a=np.ones((4, 8)))
    large = bytearray(good)
    large[16:24] = struct.pack(">II", 12000, 12000)
    large[29:33] = struct.pack(">I", zlib.crc32(bytes(large[12:29])))
    bomb = bytearray(large)
    bomb[16:24] = struct.pack(">II", 40000, 40000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bytes(bomb[12:29])))
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
    return {
        "cut.png": (good[: len(good) // 2], "damaged or cut short"),
        "text.png": (b"hello", "is no PNG"),
        "text.tiff": (b"II*\0hello", "is no TIFF"),
        "empty.tif": (b"", "is no TIF"),
        "large.png": (bytes(large), "12000 x 12000 pixels, which its bytes cannot hold"),
        "bomb.png": (bytes(bomb), "more than 179 million pixels"),
        "jpeg.png": (b"\xff\xd8\xff\xe0" + bytes(20), "is no PNG"),
        "empty.npy": (b"", "is no NPY file"),
        "header.npy": (npy("{'descr': '<f4', 'fortran_"), "its header is damaged"),
        "nested.npy": (npy("(" * 117), "its header is damaged"),
        "huge.npy": (npy(head % "(1000000, 3000000)"), "0 of 12000000000000 bytes"),
        "huge2.npy": (npy(head % "(99999999999, 99999999999)", bytes(99)), "99 of"),
        "negative.npy": (npy(head % "(-1, 8)", bytes(99)), "one number per pixel"),
        "one.npy": (npy(head % "(25,)", bytes(100)), "one number per pixel"),
        "objects.npy": (npy("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }", bytes(99)), "holds object"),
        "words.npy": (npy("{'descr': '<U3', 'fortran_order': False, 'shape': (2, 2), }", bytes(99)), "holds <U3"),
        "archive.npy": (stream.getvalue(), "archive of arrays"),
    }


BROKEN = broken()


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_one_line(tmp_path, name):
    content, words = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read_depth(tmp_path / name)
    message = str(caught.value)
    assert name in message and words in message and "\n" not in message and len(message) < 300


@pytest.mark.parametrize("ending", [".png", ".tif", ".npy", ".dpt", ".exr"])
def test_a_folder_of_that_name_is_no_file(tmp_path, ending):
    (tmp_path / f"a{ending}").mkdir()
    with pytest.raises(ValueError) as caught:
        read_depth(tmp_path / f"a{ending}")
    assert f"a{ending}" in str(caught.value) and "\n" not in str(caught.value)
