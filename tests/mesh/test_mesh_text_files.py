"""OBJ, MTL, PLY, STL and OFF as people have them."""

import struct

import pytest
import torch
from fuzz.text_readers import binary_stl, facets
from helpers.mesh_files import picture
from syncpack.renderers.mesh.files.load import load_mesh

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"


def load(folder, name, data, **more):
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return load_mesh(folder / name, **more)


def area(mesh):
    a, b, c = mesh.vertices.double()[mesh.faces].unbind(1)
    return float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2)


def test_obj_polygon_with_a_bridged_hole(tmp_path):
    points = "v 0 0 0\nv 4 0 0\nv 4 4 0\nv 0 4 0\nv 1 1 0\nv 1 3 0\nv 3 3 0\nv 3 1 0\n"
    assert area(load(tmp_path, "a.obj", points + "f 1 2 3 4 1 5 6 7 8 5\n").mesh) == pytest.approx(12)


def test_obj_numbers_of_any_length(tmp_path):
    one = "1." + "0" * 60 + "e-03"
    mesh = load(tmp_path, "a.obj", f"v 0 0 0\nv {one} 0 0\nv 0 {one} 0\nf 1 2 3\n").mesh
    assert float(mesh.vertices.max()) == pytest.approx(1e-3)
    with pytest.raises(ValueError, match="no numbers"):
        load(tmp_path, "b.obj", f"v 0 0 0\nv {'9' * 100_000} 0 0\nv 0 1 0\nf 1 2 3\n")


@pytest.mark.parametrize("name", ("a.obj", "a.off", "a.stl", "a.ply"))
def test_far_coordinates_keep_their_shape(tmp_path, name):
    x, y = 448262.125, 5411932.25
    points = [(x, y, 71.5), (x + 0.1, y, 71.5), (x + 0.1, y + 0.1, 71.5)]
    rows = [" ".join(map(repr, p)) for p in points]
    head = "ply\nformat ascii 1.0\nelement vertex 3\nproperty double x\nproperty double y\nproperty double z\n"
    head += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    text = {
        "a.obj": "".join(f"v {row}\n" for row in rows) + "f 1 2 3\n",
        "a.off": "OFF\n3 1 0\n" + "\n".join(rows) + "\n3 0 1 2\n",
        "a.stl": "solid\nfacet normal 0 0 1\nouter loop\nvertex " + "\nvertex ".join(rows) + "\nendloop\nendfacet\n",
        "a.ply": head + "\n".join(rows) + "\n3 0 1 2\n",
    }[name]
    mesh = load(tmp_path, name, text).mesh
    assert area(mesh) == pytest.approx(0.005, rel=1e-4) and mesh.origin[1] == pytest.approx(y, abs=1)


def test_obj_marks_comments_line_ends_and_colours(tmp_path):
    text = "mtllib a.mtl\nv 0 0 0 1 0 0 # here\nv 1 0 0\nv 0 1 0 0 0 1\nusemtl red\nf 1 2 3 # front\n"
    (tmp_path / "a.mtl").write_bytes(b"\xef\xbb\xbfnewmtl red\r\nKd 1 0 0\r\n")
    for data in (text, "\ufeff" + text, text.replace("\n", "\r"), text.replace("\n", "\r\n")):
        mesh = load(tmp_path, "a.obj", data).mesh
        assert mesh.parts[0].colour == (1, 0, 0, 1) and mesh.colours.tolist() == [[1, 0, 0], [1, 1, 1], [0, 0, 1]]
    with pytest.raises(ValueError, match="UTF-16"):
        load(tmp_path, "a.obj", text.encode("utf-16"))


def test_obj_without_the_texture_coordinates_that_faces_use(tmp_path):
    loaded = load(tmp_path, "a.obj", TRIANGLE + "f 1/1 2/2 3/3\n")
    assert not loaded.mesh.has_uvs and "texture coordinate 3 and the file has 0" in " ".join(loaded.notes)


@pytest.mark.parametrize("line", ("my a.mtl b.mtl", '"my a.mtl" b.mtl', "my a.mtl\nmtllib b.mtl", "my a.mtl b.mtl # x"))
def test_obj_finds_all_material_files(tmp_path, line):
    (tmp_path / "my a.mtl").write_text("newmtl red\nKd 1 0 0\n")
    (tmp_path / "b.mtl").write_text("newmtl blue\nKd 0 0 1\n")
    loaded = load(tmp_path, "a.obj", f"mtllib {line}\n{TRIANGLE}usemtl red\nf 1 2 3\nusemtl blue\nf 3 2 1\n")
    assert [p.colour[:3] for p in loaded.mesh.parts] == [(1, 0, 0), (0, 0, 1)] and not loaded.notes


@pytest.mark.parametrize("encoding, name", (("latin-1", "Fläche"), ("gbk", "木板"), ("cp932", "表面"), ("utf-8", "石")))
def test_texture_names_in_other_encodings(tmp_path, encoding, name):
    picture(tmp_path / f"{name}.png")
    (tmp_path / "a.mtl").write_bytes(f"newmtl {name}\nmap_Kd {name}.PNG\n".encode(encoding))
    mesh = load(tmp_path, "a.obj", f"mtllib a.mtl\n{TRIANGLE}usemtl {name}\nf 1 2 3\n".encode(encoding)).mesh
    assert mesh.parts[0].texture is not None
    assert mesh.parts[0].name == name or encoding == "cp932"


MATERIALS = {
    "d 1.0\nTr 1.0": (1.0, "opaque"),
    "Tr 1.0\nd 1.0": (1.0, "opaque"),
    "Tr 0.25": (0.75, "blend"),
    "Tr 0": (1.0, "opaque"),
    "d 0.5\nTr 0.9": (0.5, "blend"),
    "d -halo 0.5": (0.5, "blend"),
    "Kd 1 1 1": (1.0, "opaque"),
}


@pytest.mark.parametrize("lines", MATERIALS)
def test_mtl_opacity(tmp_path, lines):
    (tmp_path / "a.mtl").write_text(f"newmtl m\n{lines}\n")
    part = load(tmp_path, "a.obj", f"mtllib a.mtl\n{TRIANGLE}usemtl m\nf 1 2 3\n").mesh.parts[0]
    assert (part.colour[3], part.alpha) == MATERIALS[lines]


def test_mtl_textures_are_shared_multiplied_and_masked(tmp_path):
    picture(tmp_path / "wall.png", mode="RGBA")
    (tmp_path / "a.mtl").write_text(
        "newmtl a\nKd .5 .5 .5\nmap_Kd wall.png\nnewmtl b\nKd 0 0 0\nmap_Kd wall.png\n"
        "newmtl c\nmap_Kd wall.png\nmap_d wall.png\n"
    )
    faces = "".join(f"usemtl {name}\nf 1 2 3\n" for name in "abc")
    a, b, c = load(tmp_path, "a.obj", f"mtllib a.mtl\n{TRIANGLE}{faces}").mesh.parts
    assert a.texture is b.texture and a.colour == (0.5, 0.5, 0.5, 1) and b.colour == (1, 1, 1, 1)
    assert a.alpha == "opaque" and c.alpha == "blend" and torch.equal(c.texture, a.texture)
    (tmp_path / "a.mtl").write_text("newmtl a\nmap_Kd " + "x" * 5000 + ".png\n")
    with pytest.raises(ValueError, match=r"'a.obj': the texture 'x.* is missing"):
        load_mesh(tmp_path / "a.obj")


def test_stl_solids_and_counts(tmp_path):
    loaded = load(tmp_path, "a.stl", facets(2))
    assert len(loaded.mesh.faces) == 4 and any("2 solids" in n for n in loaded.notes)
    for data, faces, said in (
        (binary_stl(2, 2, b"xy"), 2, "2 bytes after"),
        (binary_stl(2, 2, b"x" * 80), 2, "80 bytes after"),
        (binary_stl(2, 0), 2, "says 0 facets"),
        (binary_stl(2, 0xFFFFFFFF), 2, "holds 2 whole ones"),
    ):
        loaded = load(tmp_path, "a.stl", data)
        assert len(loaded.mesh.faces) == faces and any(said in n for n in loaded.notes), said
    for data in (binary_stl(2, 3), binary_stl(3, 3)[:-30], facets(2)[:-40]):
        with pytest.raises(ValueError, match=r"^'a.stl': .*it is cut off; export or download it again$"):
            load(tmp_path, "a.stl", data)


SQUARE = "0 0 0{0}\n1 0 0{0}\n1 1 0{0}\n0 1 0{0}\n4 0 1 2 3\n"
OFFS = {
    "plain": "OFF\n4 1 4\n" + SQUARE.format(""),
    "comments": "OFF\n# hand\n\n4 1 4 # counts\n" + SQUARE.format(" # v"),
    "glued": "OFF4 1 4\n" + SQUARE.format(""),
    "one line": "OFF 4 1 4\n" + SQUARE.format(""),
    "no edges": "OFF\n4 1\n" + SQUARE.format(""),
    "no head": "4 1 4\n" + SQUARE.format(""),
    "no lines": "OFF\n4 1 4\n" + SQUARE.format("").replace("\n", " "),
    "COFF": "COFF\n4 1 4\n" + SQUARE.format(" 255 0 0 255"),
    "NOFF": "NOFF\n4 1 4\n" + SQUARE.format(" 0 0 1"),
    "STOFF": "STOFF\n4 1 4\n" + SQUARE.format(" .5 1"),
    "4OFF": "4OFF\n4 1 4\n0 0 0 2\n2 0 0 2\n2 2 0 2\n0 2 0 2\n4 0 1 2 3\n",
    "face colour": "OFF\n4 1 4\n" + SQUARE.format("").rstrip() + " 255 0 0\n",
}


@pytest.mark.parametrize("name", OFFS)
def test_off_family(tmp_path, name):
    mesh = load(tmp_path, "a.off", OFFS[name]).mesh
    assert area(mesh) == pytest.approx(1) and len(mesh.vertices) == 4
    assert (mesh.colours is not None and mesh.colours.tolist()[0] == [1, 0, 0]) == (name == "COFF")
    assert (mesh.normals is not None) == (name == "NOFF") and mesh.has_uvs == (name == "STOFF")
    assert mesh.parts[0].colour == ((1, 0, 0, 1) if name == "face colour" else (1, 1, 1, 1))


def test_off_concave_faces(tmp_path):
    mesh = load(tmp_path, "a.off", "OFF\n4 1 0\n0 0 0\n2 1 0\n0 2 0\n1 1 0\n4 0 1 2 3\n").mesh
    assert area(mesh) == pytest.approx(1)


HEAD = "ply\nformat {} 1.0\n{}element vertex 3\nproperty float x\nproperty float y\nproperty float z\n{}"
FACE = "element face 1\nproperty list uchar int vertex_indices\nend_header\n"


def test_ply_lines_longer_than_the_header_says(tmp_path):
    text = HEAD.format("ascii", "", FACE) + "0 0 0 9\n1 0 0 9\n0 1 0 9\n3 0 1 2\n"
    loaded = load(tmp_path, "a.ply", text)
    assert area(loaded.mesh) == pytest.approx(0.5) and any("more values" in n for n in loaded.notes)
    with pytest.raises(ValueError, match="row 1 of 'vertex' holds 2 values"):
        load(tmp_path, "a.ply", text.replace("1 0 0 9", "1 0"))


def test_ply_colours_of_vertices(tmp_path):
    kinds = "".join(f"property uchar {c}\n" for c in ("red", "green", "blue", "alpha"))
    body = b"".join(struct.pack("<3f4B", *p, 255, 0, 51, 255) for p in ((0, 0, 0), (1, 0, 0), (0, 1, 0)))
    data = HEAD.format("binary_little_endian", "", kinds + FACE).encode() + body + struct.pack("<B3i", 3, 0, 1, 2)
    assert torch.allclose(load(tmp_path, "a.ply", data).mesh.colours[0], torch.tensor([1, 0, 0.2]))


@pytest.mark.parametrize("form", ("ascii", "binary_little_endian"))
@pytest.mark.parametrize("rows", ("property int a\n", "property list uchar int a\n", ""))
def test_ply_claims_are_checked_against_what_is_there(tmp_path, form, rows):
    text = HEAD.format(form, f"element other 2000000000\n{rows}", FACE) + "0 0 0\n"
    with pytest.raises(ValueError, match="cut off"):
        load(tmp_path, "a.ply", text)


def test_ply_strips(tmp_path):
    text = HEAD.format("ascii", "", "element tristrips 1\nproperty list int int vertex_indices\nend_header\n")
    text = text.replace("vertex 3", "vertex 4") + "0 0 0\n1 0 0\n0 1 0\n1 1 0\n8 0 1 2 3 -1 0 1 2\n"
    assert load(tmp_path, "a.ply", text).mesh.faces.tolist() == [[0, 1, 2], [2, 1, 3], [0, 1, 2]]
