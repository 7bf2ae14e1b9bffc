"""Splat files: every layout that is read, what is saved byte for byte, and what is refused."""

import numpy as np
import pytest
import torch
from helpers.splat_files import ORDERS, ply, random_splats, save_splats, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from syncpack.renderers.splats.files.load_save import load_splats
from syncpack.renderers.splats.splats import SH_DC

FIELDS = ("positions", "scales", "rotations", "opacities", "sh")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("splats")


def load(folder, content, name="scene.ply", **options):
    path = folder / name
    path.write_bytes(content)
    return load_splats(path, **options)


def saved(folder, splats, name="saved.ply"):
    save_splats(splats, folder / name)
    return (folder / name).read_bytes()


def same(one, other, fields=FIELDS):
    return all(torch.equal(getattr(one, f), getattr(other, f)) for f in fields)


# Reading


def test_values_are_what_a_renderer_needs(folder):
    """INRIA's layout: log scales, logit opacity, channels of f_rest one after the other, unnormalised quaternions."""
    columns = stored(5, rest=45)
    splats = load(folder, ply(columns))
    for k in range(5):
        assert splats.positions[k].tolist() == pytest.approx([columns[a][k] for a in "xyz"])
        assert splats.scales[k].tolist() == pytest.approx([np.exp(columns[f"scale_{i}"][k]) for i in range(3)])
        assert float(splats.opacities[k]) == pytest.approx(1 / (1 + np.exp(-columns["opacity"][k])))
        quaternion = np.array([columns[f"rot_{i}"][k] for i in range(4)])
        assert splats.rotations[k].tolist() == pytest.approx(
            (quaternion / np.linalg.norm(quaternion)).tolist(), abs=1e-6
        )
        for channel in range(3):
            assert float(splats.sh[k, 0, channel]) == columns[f"f_dc_{channel}"][k]
            for band in range(1, 16):
                assert float(splats.sh[k, band, channel]) == columns[f"f_rest_{channel * 15 + band - 1}"][k]
    grey = (0.5 + 0.28209479177387814 * columns["f_dc_1"]).clip(0, 1)
    assert splats.colours[:, 1].numpy() == pytest.approx(grey, abs=1e-6)
    assert splats.degree == 3 and splats.name == "scene"


layouts = st.fixed_dictionaries(
    {
        "rest": st.sampled_from([0, 9, 24, 45]),
        "normals": st.booleans(),
        "encoding": st.sampled_from(sorted(ORDERS)),
        "order": st.randoms(use_true_random=False),
        "double": st.booleans(),
        "newline": st.sampled_from(["\n", "\r\n"]),
        "extra": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None)
@given(layouts, st.integers(0, 1000))
def test_any_layout_is_read_and_saved_byte_for_byte(folder, layout, seed):
    columns = stored(7, layout["rest"], seed, layout["normals"])
    plain = load(folder, ply(columns))
    if layout["extra"]:
        columns["label"] = np.arange(7) % 3
    names = list(columns)
    layout["order"].shuffle(names)
    kinds = {name: "double" if layout["double"] else "float32" for name in names if name.startswith(("f_", "x"))}
    kinds["label"] = "uchar"
    content = ply({n: columns[n] for n in names}, kinds, layout["encoding"], newline=layout["newline"])
    splats = load(folder, content)
    assert same(splats, plain), "the layout changes no value"
    assert saved(folder, splats) == content

    new = torch.rand(7, 3, generator=torch.Generator().manual_seed(seed))
    for bands in ("kept", "dropped"):
        painted = splats.recoloured(new, bands)
        again = load(folder, saved(folder, painted), "again.ply")
        assert float((again.colours - new).abs().max()) < 1e-6
        assert same(again, splats, FIELDS[:4])
        assert torch.equal(again.sh[:, 1:], splats.sh[:, 1:] if bands == "kept" else torch.zeros_like(splats.sh[:, 1:]))
        for name in names:
            touched = name.startswith("f_dc") or (bands == "dropped" and name.startswith("f_rest"))
            if not touched:
                assert again.source.rows[name].tobytes() == splats.source.rows[name].tobytes(), name


def test_colours_are_where_viewers_expect_them(folder):
    painted = load(folder, ply(stored(6, 9))).recoloured(torch.tensor([[0.25, 0.5, 0.75]]).repeat(6, 1))
    content = saved(folder, painted)
    head, body = content.split(b"end_header\n")
    names = [line.split()[2].decode() for line in head.split(b"\n") if line.startswith(b"property")]
    rows = np.frombuffer(body, "<f4").reshape(6, len(names))
    base = rows[:, [names.index(f"f_dc_{i}") for i in range(3)]]
    assert base == pytest.approx(np.tile([-0.25 / SH_DC, 0, 0.25 / SH_DC], (6, 1)), abs=1e-6)


def test_chosen_splats_alone_change(folder):
    splats = load(folder, ply(stored(8, 9)))
    chosen = torch.arange(8) % 2 == 0
    painted = splats.recoloured(torch.zeros(8, 3), "dropped", chosen)
    assert torch.equal(painted.sh[~chosen], splats.sh[~chosen])
    assert bool((painted.colours[chosen] == 0).all()) and bool((painted.sh[chosen, 1:] == 0).all())
    once, twice = saved(folder, splats, "a.ply"), saved(folder, painted, "b.ply")
    size = len(splats.source.rows.tobytes()) // 8
    for k in range(8):
        rows = (content[len(splats.source.head) + k * size :][:size] for content in (once, twice))
        assert (len(set(rows)) == 1) == (k % 2 == 1)


def test_solved_bands_are_stored(folder):
    splats = load(folder, ply(stored(5, 45)))
    solved = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(3))
    again = load(folder, saved(folder, splats.recoloured(solved)), "again.ply")
    assert torch.equal(again.sh[:, :4], solved) and bool((again.sh[:, 4:] == 0).all())


def test_colours_beyond_the_range_keep_their_bits(folder):
    """Trained colours reach past black and white; what is not repainted stays."""
    columns = stored(6)
    columns["f_dc_0"][:] = 9.0
    splats = load(folder, ply(columns))
    assert float(splats.colours[:, 0].min()) == 1.0
    assert saved(folder, splats.recoloured(splats.colours)) == ply(columns)


def test_flat_splats_are_read(folder):
    """2DGS stores two scales."""
    columns = stored(4)
    del columns["scale_2"]
    splats = load(folder, ply(columns))
    assert torch.allclose(splats.scales[:, 2], splats.scales[:, :2].amin(1) * 1e-3)
    assert saved(folder, splats) == ply(columns)


def test_what_follows_the_splats_stays(folder):
    content = ply(stored(4), extra="element camera 1\nproperty float fov", tail=b"\0\0\0\1")
    assert saved(folder, load(folder, content)) == content


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 30), st.sampled_from([1, 4, 9, 16]), st.integers(0, 99))
def test_splats_without_a_file_are_saved_in_full(folder, count, bands, seed):
    splats = random_splats(count, bands, seed)
    again = load(folder, saved(folder, splats))
    assert torch.equal(again.positions, splats.positions) and torch.equal(again.sh, splats.sh)
    for field in ("scales", "rotations", "opacities"):
        assert torch.allclose(getattr(again, field), getattr(splats, field), rtol=1e-5, atol=1e-6)


def test_opaque_and_flat_splats_can_be_saved(folder):
    splats = random_splats(3, opacities=torch.ones(3), scales=torch.tensor([[0.1, 0.1, 0.0]]).repeat(3, 1))
    again = load(folder, saved(folder, splats))
    assert torch.allclose(again.opacities, splats.opacities) and torch.allclose(again.scales, splats.scales)


# .splat


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 50), st.integers(0, 999))
def test_splat_files_come_back_byte_for_byte(folder, count, seed):
    g = np.random.default_rng(seed)
    rows = np.zeros(count, [("p", "<f4", 3), ("s", "<f4", 3), ("c", "u1", 4), ("r", "u1", 4)])
    rows["p"], rows["s"] = g.normal(size=(count, 3)), g.uniform(0.01, 0.1, (count, 3))
    rows["c"], rows["r"] = g.integers(1, 256, (count, 4)), g.integers(140, 256, (count, 4))
    splats = load(folder, rows.tobytes(), "scene.splat")
    assert saved(folder, splats, "saved.splat") == rows.tobytes()
    assert splats.colours.numpy() * 255 == pytest.approx(rows["c"][:, :3], abs=1e-3)
    assert splats.opacities.numpy() * 255 == pytest.approx(rows["c"][:, 3], abs=1e-3)
    painted = np.frombuffer(saved(folder, splats.recoloured(torch.zeros(count, 3)), "black.splat"), rows.dtype)
    assert bool((painted["c"][:, :3] == 0).all())
    assert all(painted[f].tobytes() == rows[f].tobytes() for f in "psr")
    assert painted["c"][:, 3].tobytes() == rows["c"][:, 3].tobytes()


def test_a_ply_saved_as_splat_and_back(folder):
    splats = load(folder, ply(stored(20, 45)))
    back = load(folder, saved(folder, splats, "x.splat"), "y.splat")
    assert torch.equal(back.positions, splats.positions) and back.degree == 0
    assert float((back.colours - splats.colours).abs().max()) <= 0.5 / 255 + 1e-6
    assert float((back.opacities - splats.opacities).abs().max()) <= 0.5 / 255 + 1e-6
    assert float((back.rotations - splats.rotations).abs().max()) < 0.02
    assert same(load(folder, saved(folder, back, "z.ply"), "z.ply"), back, ("positions", "sh"))


# Refused


def cases():
    full = stored(6, 9)
    mesh = {a: full[a] for a in "xyz"}
    face = "element face 2\nproperty list uchar int vertex_indices"
    without = {n: v for n, v in full.items() if n != "rot_3"}
    odd = {n: v for n, v in full.items() if n != "f_rest_8"}
    bad = dict(full, x=np.full(6, np.nan))
    still = {**full, **{f"rot_{i}": np.zeros(6) for i in range(4)}}
    clear = dict(full, opacity=np.full(6, -1e4))
    packed = {"packed_position": full["x"], "packed_rotation": full["x"]}
    binary = ply(full)
    return {
        "a mesh": (ply(mesh, extra=face), "is a mesh with 2 faces", "SyncTweediesLoadMesh"),
        "a point cloud": (ply(mesh), "is a point cloud of 6 points", "3DGS"),
        "packed": (ply(packed), "compressed scene", "ordinary PLY"),
        "no vertices": (b"ply\nformat ascii 1.0\nelement face 0\nend_header\n", "without vertices", "use a 3DGS"),
        "a missing property": (ply(without), "lacks the property 'rot_3'", "INRIA's or gsplat's"),
        "odd bands": (ply(odd), "8 f_rest properties", "0, 9, 24, 45"),
        "cut off": (binary[:-9], "holds 5 of 6 rows", "again"),
        "text cut off": (ply(full, encoding="ascii", count=7), "holds 6 of 7 rows", "again"),
        "no header end": (binary[:60], "end_header", "again"),
        "not a ply": (b"solid cube\n" + binary, "is no PLY", "check"),
        "no format": (b"ply\nelement vertex 1\nend_header\n", "names no format", "repair"),
        "format 2.0": (binary.replace(b"an 1.0", b"an 2.0"), "format binary_little_endian 2.0", "repair"),
        "a broken type": (binary.replace(b"float rot_3", b"flaot rot_3"), "property flaot rot_3", "unknown"),
        "twice": (ply({**full}).replace(b"float nx", b"float ny"), "'ny' is there twice", "repair"),
        "a list": (ply(full, extra="property list uchar int x2"), "more than splats", "3DGS layout"),
        "whole numbers": (ply(full, {"f_dc_0": "int"}), "'f_dc_0' as whole numbers", "anew"),
        "text": (ply(full, encoding="ascii").replace(b" -0.", b" x.", 1), "no number", "repair"),
        "a byte of 300": (
            ply({**full, "nx": np.full(6, 7)}, {"nx": "uchar"}, "ascii").replace(b" 7 ", b" 300 ", 1),
            "'nx' holds text that is no number of type uint8",
            "repair",
        ),
        "a short row": (ply(full, encoding="ascii").replace(b"\n0", b"\n", 1).rstrip() + b" 1\n", "values", "repair"),
        "nan": (ply(bad), "6 of 6 splats have positions that are no numbers", "another file"),
        "zero quaternions": (ply(still), "6 of 6 splats have zero quaternions", "another file"),
        "a long word": (
            ply(full, encoding="ascii").replace(b" -0.", b" -0." + b"1" * 100_000, 1),
            "a word of 100",
            "no number",
        ),
        "clear": (ply(clear), "every opacity is zero", "another file"),
        "empty": (ply({n: v[:0] for n, v in full.items()}), "empty", "use a file with splats"),
    }


CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_refused_in_one_line(folder, name):
    content, *words = CASES[name]
    with pytest.raises(ValueError) as caught:
        load(folder, content)
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words), str(caught.value)
    assert "scene" in str(caught.value), "it names the file"


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("a.spz", b"\x1f\x8b", (".spz is not read here", ".ply")),
        ("a.obj", b"v 0 0 0", ("no splat scene", ".ply or .splat")),
        ("a.splat", b"\0" * 33, ("33 bytes", "cut off")),
        ("a.splat", b"", ("0 bytes", "cut off")),
    ],
)
def test_other_files_are_refused(folder, name, content, words):
    with pytest.raises(ValueError) as caught:
        load(folder, content, name)
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("name, content", [("a.ply", ply(stored(9))), ("a.splat", bytes(32 * 9))])
def test_more_than_memory_holds_is_refused_before_it_is_read(folder, name, content):
    with pytest.raises(ValueError) as caught:
        load(folder, content, name, limit=8)
    assert "holds 9 splats" in str(caught.value) and "about 8" in str(caught.value)


def test_text_takes_more_memory(folder):
    content = ply(stored(9), encoding="ascii")
    with pytest.raises(ValueError, match="holds 9 splats, memory holds about 8"):
        load(folder, content, limit=53)
    assert len(load(folder, content, limit=54)) == 9


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"scales": -torch.ones(40, 3)}, ("40 of 40 splats have scales below zero", "exp()")),
        ({"scales": torch.zeros(40, 3)}, ("every scale is zero",)),
        ({"opacities": torch.full((40,), 1.5)}, ("40 of 40 splats have opacities outside 0 to 1", "logits")),
        ({"opacities": torch.rand(40, 1)}, ("opacities of shape (40, 1)", "(40,)")),
        ({"sh": torch.zeros(40, 5, 3)}, ("sh of shape (40, 5, 3)",)),
        ({"positions": torch.full((40, 3), float("inf"))}, ("no numbers",)),
        ({"up": "north"}, ("up 'north'", "+y")),
    ],
)
def test_values_that_cannot_be_drawn(changes, words):
    with pytest.raises(ValueError) as caught:
        random_splats(**changes)
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words), str(caught.value)


def test_nothing_is_left_behind_by_an_error(tmp_path):
    splats = random_splats()
    with pytest.raises(ValueError, match=r"\.ply or \.splat"):
        save_splats(splats, tmp_path / "a.obj")
    (tmp_path / "there.ply").mkdir()
    with pytest.raises(ValueError, match=r"'there.ply' could not be written"):
        save_splats(splats, tmp_path / "there.ply")
    assert [p.name for p in tmp_path.iterdir()] == ["there.ply"]


# One bad splat

BAD = {
    "x": np.nan, "f_dc_1": np.nan, "f_rest_3": np.inf, "opacity": np.nan, "scale_0": np.inf, "scale_1": 60.0, "rot_0": 0
}  # fmt: skip


def with_bad(name, at=2, encoding="binary_little_endian"):
    columns = stored(40, 9)
    columns[name][at] = BAD[name]
    if name == "rot_0":
        for i in range(4):
            columns[f"rot_{i}"][at] = 0
    return ply(columns, encoding=encoding)


@pytest.mark.parametrize("encoding", ["ascii", "binary_big_endian"])
@pytest.mark.parametrize("name", BAD)
def test_one_bad_splat_is_hidden_and_keeps_its_bits(folder, name, encoding):
    content = with_bad(name, encoding=encoding)
    splats = load(folder, content)
    good = load(folder, ply(stored(40, 9)))
    assert splats.hidden.nonzero().tolist() == [[2]] and good.hidden is None
    assert len(splats.flaws) == 1 and "1 of 40 splats are hidden" in splats.flaws[0] and "splat 2" in splats.flaws[0]
    others = torch.arange(40) != 2
    for field in FIELDS:
        value = getattr(splats, field)
        assert bool(torch.isfinite(value).all()) and torch.equal(value[others], getattr(good, field)[others])
    assert float(splats.opacities[2]) == 0 and splats.radius == pytest.approx(good.radius, rel=0.2)
    assert saved(folder, splats) == content
    painted = splats.recoloured(torch.rand(40, 3, generator=torch.Generator().manual_seed(1)))
    assert painted.hidden.nonzero().tolist() == [[2]] and painted.flaws == splats.flaws
    again = load(folder, saved(folder, painted), "again.ply")
    assert again.source.rows[2].tobytes() == splats.source.rows[2].tobytes()
    assert not torch.equal(again.sh[others, 0], splats.sh[others, 0])
    assert len(load(folder, saved(folder, painted, "b.splat"), "b.splat")) == 40, "rows and order stay"


def test_one_bad_row_of_a_splat_file(folder):
    g = np.random.default_rng(3)
    rows = np.zeros(10, [("p", "<f4", 3), ("s", "<f4", 3), ("c", "u1", 4), ("r", "u1", 4)])
    rows["p"], rows["s"] = g.normal(size=(10, 3)), g.uniform(0.01, 0.1, (10, 3))
    rows["c"], rows["r"] = g.integers(1, 256, (10, 4)), g.integers(140, 256, (10, 4))
    rows["p"][3], rows["r"][4] = np.nan, 128
    splats = load(folder, rows.tobytes(), "scene.splat")
    assert splats.hidden.nonzero()[:, 0].tolist() == [3, 4] and len(splats.flaws) == 2
    assert saved(folder, splats, "saved.splat") == rows.tobytes()
    painted = np.frombuffer(saved(folder, splats.recoloured(torch.zeros(10, 3)), "black.splat"), rows.dtype)
    assert all(painted[i].tobytes() == rows[i].tobytes() for i in (3, 4)) and not painted["c"][5, :3].any()
