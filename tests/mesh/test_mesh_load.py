"""Mesh files: what is kept, and what is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from helpers.mesh_files import QUAD, QUAD_UVS, TWO, Glb, bomb, picture, quad_glb
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.files.pictures import read_picture

# A box without lid: a seam down one edge gives vertices 0 and 3 two texture coordinates each.
SEAMED = """mtllib box.mtl
o sides
v 0 0 0
v 1 0 0
v 1 0 1
v 0 0 1
v 0 1 0
v 1 1 0
v 1 1 1
v 0 1 1
vt 0 0
vt .25 0
vt .5 0
vt .75 0
vt 1 0
vt 0 1
vt .25 1
vt .5 1
vt .75 1
vt 1 1
usemtl red
f 1/1 5/6 6/7 2/2
f 2/2 6/7 7/8 3/3
usemtl blue paint
f 3/3 7/8 8/9 4/4
f -5/-7 -1/-2 -4/-1 -8/-6
"""


def tensor(values):
    return torch.tensor(np.asarray(values))


def same_triangles(mesh, path) -> bool:
    """Whether trimesh reads the same triangles in space, with the same texture coordinates; it changes their order."""
    other = trimesh.load(path, process=False, force="mesh")
    own = np.concatenate([mesh.vertices[mesh.faces].numpy(), mesh.uvs[mesh.face_uvs].numpy()], -1)
    theirs = np.concatenate([other.vertices[other.faces], other.visual.uv[other.faces]], -1)
    return np.allclose(*(sorted(sorted(t) for t in (x.round(4) + 0.0).tolist()) for x in (own, theirs)), atol=2e-4)


def test_obj_keeps_indices_materials_and_textures(tmp_path):
    (tmp_path / "box.obj").write_text(SEAMED)
    (tmp_path / "box.mtl").write_text(
        "newmtl red\nKd 1 0.5 0\nd 0.25\nnewmtl blue paint\nKd 0 0 0\n"
        "map_Kd -s 1 1 1 -clamp on my wall.png\nmap_Bump b.png\n"
    )
    picture(tmp_path / "my wall.png")
    loaded = load_mesh(tmp_path / "box.obj")
    mesh = loaded.mesh
    assert mesh.vertices.shape == (8, 3) and mesh.uvs.shape == (10, 2), "a seam split a vertex"
    assert mesh.faces.tolist()[:2] == [[0, 4, 5], [0, 5, 1]]
    assert mesh.face_uvs.tolist()[:2] == [[0, 5, 6], [0, 6, 1]]
    assert mesh.faces.tolist()[-2:] == [[3, 7, 4], [3, 4, 0]] and mesh.face_uvs.tolist()[-2:] == [[3, 8, 9], [3, 9, 4]]
    assert [p.name for p in mesh.parts] == ["red", "blue paint"]
    assert mesh.part_of_face.tolist() == [0] * 4 + [1] * 4
    assert mesh.parts[0].colour == (1.0, 0.5, 0.0, 0.25)
    assert torch.equal(mesh.parts[1].texture, read_picture(tmp_path / "my wall.png", "x"))
    assert any("more than three corners" in n for n in loaded.notes) and any("map_Bump" in n for n in loaded.notes)


def test_obj_agrees_with_another_reader(tmp_path):
    (tmp_path / "a.obj").write_text(SEAMED.replace("mtllib box.mtl\n", "").replace("usemtl", "# usemtl"))
    assert same_triangles(load_mesh(tmp_path / "a.obj").mesh, tmp_path / "a.obj")


def test_obj_hard_edges_keep_their_normals(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvn 0 0 1\nvn 0 1 0\n"
    (tmp_path / "soft.obj").write_text(text + "f 1//1 2//1 3//1\n")
    (tmp_path / "hard.obj").write_text(text + "f 1//1 2//1 3//1\nf 1//2 4//2 2//2\n")
    soft, hard = load_mesh(tmp_path / "soft.obj").mesh, load_mesh(tmp_path / "hard.obj").mesh
    assert soft.corner_normals is None and soft.normals[:3].tolist() == [[0, 0, 1]] * 3
    assert hard.corner_normals[:, 0].tolist() == [[0, 0, 1], [0, 1, 0]]
    assert torch.allclose(hard.normals[0], torch.tensor([0, 0.5**0.5, 0.5**0.5]))


def test_concave_polygons_are_cut_without_folds(tmp_path):
    """An arrow head and an L: the triangles' areas, all facing the same way, add up to the polygon's."""
    arrow, ell = [(0, 0), (2, 1), (0, 2), (1, 1)], [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
    for corners, area, turned in ((arrow, 1, "{0} {1} 0"), (ell, 3, "0 {0} {1}"), (ell, 3, "{1} 0 {0}")):
        lines = ["v " + turned.format(*c) for c in corners] + ["f " + " ".join(map(str, range(1, len(corners) + 1)))]
        (tmp_path / "a.obj").write_text("\n".join(lines))
        mesh = load_mesh(tmp_path / "a.obj").mesh
        assert (mesh.face_normals.sum(0).abs().max(), len(mesh.faces)) == (len(corners) - 2, len(corners) - 2)
        a, b, c = mesh.vertices[mesh.faces].unbind(1)
        assert float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2) == pytest.approx(area)


def test_glb_keeps_order_flips_uvs_and_applies_transforms(tmp_path):
    glb = quad_glb()
    glb.tree["nodes"] = [
        {"children": [1, 2], "translation": [10, 0, 0]},
        {"mesh": 0, "rotation": [0, 0, 0.5**0.5, 0.5**0.5], "scale": [2, 1, 1]},
        {"mesh": 0, "scale": [-1, 1, 1]},
    ]
    mesh = load_mesh(glb.write(tmp_path / "a.glb")).mesh
    assert mesh.vertices[:4].round(decimals=5).tolist() == [[10, 0, 0], [10, 2, 0], [9, 2, 0], [9, 0, 0]]
    assert mesh.vertices[4:].tolist() == [[10, 0, 0], [9, 0, 0], [9, 1, 0], [10, 1, 0]]
    assert mesh.uvs[:4].tolist() == [[0, 1], [1, 1], [1, 0], [0, 0]]
    assert mesh.face_normals.round(decimals=5).tolist() == [[0, 0, 1]] * 4, "a mirrored node turns its faces over"
    assert torch.equal(mesh.faces, mesh.face_uvs)
    assert same_triangles(mesh, tmp_path / "a.glb")


def test_glb_reads_what_the_base_colour_says(tmp_path):
    """Second set of coordinates, quantised and transformed; factors are linear light."""
    glb = Glb()
    shift = {"KHR_texture_transform": {"offset": [0, 1], "rotation": np.pi / 2, "scale": [0.5, 0.5]}}
    texture = {"index": glb.texture(picture(mode="RGBA")), "texCoord": 1, "extensions": shift}
    number = glb.material("a", baseColorTexture=texture, baseColorFactor=[0.214041, 1, 0, 0.5])
    primitive = glb.primitive(uvs=np.zeros((4, 2), "<f4"), material=number)
    primitive["attributes"]["TEXCOORD_1"] = glb.accessor((QUAD_UVS * 65535).astype("<u2"), normalized=True)
    glb.tree["meshes"] = [{"primitives": [primitive]}]
    glb.tree["extensionsRequired"] = ["KHR_texture_transform", "KHR_mesh_quantization"]
    loaded = load_mesh(glb.write(tmp_path / "a.glb"))
    part = loaded.mesh.parts[0]
    assert part.texture.shape == (3, 4, 4) and part.colour == pytest.approx((0.5, 1, 0, 0.5), abs=1e-4)
    # The extension's own example: the lower left quadrant of the picture, turned clockwise.
    assert torch.allclose(loaded.mesh.uvs, tensor([[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 0.0]]).float(), atol=1e-4)
    assert any("several sets" in n for n in loaded.notes)


def test_glb_parts_share_vertices_and_other_things_are_told(tmp_path):
    glb = Glb()
    a, b = (
        glb.primitive(index=TWO[:3], material=glb.material("a")),
        glb.primitive(index=TWO[3:], material=glb.material("b")),
    )
    b["attributes"] = a["attributes"]
    points = {"attributes": {"POSITION": 0}, "mode": 0}
    strip = glb.primitive(points=QUAD[[0, 1, 3, 2]] + np.float32(2), uvs=None, index=None, mode=5, material=0)
    glb.tree["meshes"] = [{"primitives": [a, b, points, strip]}]
    glb.tree["nodes"].append({"camera": 0})
    glb.tree["scenes"] = [{"nodes": [0, 1]}]
    loaded = load_mesh(glb.write(tmp_path / "a.glb"))
    mesh = loaded.mesh
    assert mesh.vertices.shape == (8, 3) and mesh.part_of_face.tolist() == [0, 1, 0, 0]
    assert mesh.face_normals[2:].tolist() == [[0, 0, 1]] * 2
    assert mesh.uvs.shape == (5, 2) and mesh.face_uvs[2:].tolist() == [[4, 4, 4]] * 2
    said = " ".join(loaded.notes)
    assert "points" in said and "cameras" in said and "'a' has faces without texture coordinates" in said


def test_normals_that_are_no_numbers_are_left_out(tmp_path):
    glb = quad_glb()
    attributes = glb.tree["meshes"][0]["primitives"][0]["attributes"]
    attributes["NORMAL"] = glb.accessor(QUAD * np.float32(np.nan))
    loaded = load_mesh(glb.write(tmp_path / "a.glb"))
    assert loaded.mesh.normals is None and any("normals are no numbers" in n for n in loaded.notes)
    attributes["NORMAL"] = glb.accessor(QUAD + np.array([0, 0, 3], "<f4"))
    assert torch.allclose(load_mesh(glb.write(tmp_path / "a.glb")).mesh.normals.norm(dim=1), torch.ones(4))


def test_gltf_reads_the_files_beside_it(tmp_path):
    import json

    glb = quad_glb()
    glb.tree["images"], glb.tree["textures"] = [{"uri": "my%20wall.png"}], [{"source": 0}]
    glb.tree["materials"][0]["pbrMetallicRoughness"] = {"baseColorTexture": {"index": 0}}
    glb.bytes()
    glb.tree["buffers"] = [{"uri": "a.bin", "byteLength": len(glb.body)}]
    (tmp_path / "a.gltf").write_text(json.dumps(glb.tree))
    with pytest.raises(ValueError, match=r"^'a.gltf': the file 'a.bin' that it refers to is missing"):
        load_mesh(tmp_path / "a.gltf")
    (tmp_path / "a.bin").write_bytes(glb.body)
    picture(tmp_path / "my wall.png")
    assert load_mesh(tmp_path / "a.gltf").mesh.parts[0].texture.shape == (3, 4, 3)
    assert load_mesh(tmp_path / "a.gltf", textures="ignore").mesh.parts[0].texture is None


@pytest.mark.parametrize("form", ("ascii", "binary_little_endian", "binary_big_endian"))
def test_ply_mixes_triangles_and_quads_and_keeps_corner_uvs(tmp_path, form):
    """As Blender writes it; vertex 0 has two texture coordinates."""
    points = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0.5, 0.5, 1)]
    faces = [((0, 1, 2, 3), (0, 0, 0.5, 0, 0.5, 0.5, 0, 0.5)), ((0, 1, 4), (1, 0, 0.5, 0, 0.75, 1))]
    head = (
        f"ply\nformat {form} 1.0\ncomment TextureFile wall.png\nelement vertex 5\nproperty float x\nproperty float y\n"
    )
    head += "property float z\nproperty uchar red\nelement face 2\nproperty list uchar int vertex_indices\n"
    head += "property list uchar float texcoord\nend_header\n"
    order = ">" if "big" in form else "<"
    import struct

    if form == "ascii":
        body = "".join(f"{x} {y} {z} 7\n" for x, y, z in points)
        body += "".join(f"{len(f)} {' '.join(map(str, f))} {len(t)} {' '.join(map(str, t))}\n" for f, t in faces)
        data = (head + body).encode()
    else:
        data = head.encode() + b"".join(struct.pack(order + "3fB", *p, 7) for p in points)
        for f, t in faces:
            data += struct.pack(f"{order}B{len(f)}iB{len(t)}f", len(f), *f, len(t), *t)
    (tmp_path / "a.ply").write_bytes(data)
    picture(tmp_path / "wall.png")
    loaded = load_mesh(tmp_path / "a.ply")
    mesh = loaded.mesh
    assert torch.equal(mesh.vertices, tensor(points).float())
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4]]
    assert mesh.uvs[mesh.face_uvs].tolist()[2] == [[1, 0], [0.5, 0], [0.75, 1]]
    assert len(mesh.uvs) == 6, "the shared corner of the two faces is one coordinate"
    assert mesh.parts[0].texture is not None and any("colours" in n for n in loaded.notes)
    (tmp_path / "cut.ply").write_bytes(data[:-9])
    with pytest.raises(ValueError, match="cut off"):
        load_mesh(tmp_path / "cut.ply", textures="ignore")


def test_ply_with_uvs_of_vertices_agrees_with_trimesh(tmp_path):
    sphere = trimesh.creation.uv_sphere(count=(6, 8))
    sphere.visual = trimesh.visual.TextureVisuals(uv=sphere.vertices[:, :2].copy())
    sphere.export(tmp_path / "a.ply")
    mesh = load_mesh(tmp_path / "a.ply").mesh
    assert np.allclose(mesh.vertices, sphere.vertices) and np.array_equal(mesh.faces, sphere.faces)
    assert np.allclose(mesh.uvs, sphere.visual.uv) and torch.equal(mesh.faces, mesh.face_uvs)


@pytest.mark.parametrize("kind", ("stl", "stl_ascii"))
def test_stl_joins_corners_in_the_files_order(tmp_path, kind):
    box = trimesh.creation.box()
    (tmp_path / "a.stl").write_bytes(data if isinstance(data := box.export(file_type=kind), bytes) else data.encode())
    mesh = load_mesh(tmp_path / "a.stl").mesh
    assert mesh.vertices.shape == (8, 3) and mesh.faces[0].tolist() == [0, 1, 2]
    assert np.allclose(mesh.vertices[mesh.faces], box.triangles)
    assert load_mesh(tmp_path / "a.stl").mesh.has_uvs is False


def off(tmp_path: Path) -> None:
    trimesh.creation.box().export(tmp_path / "a.off")


def test_off_is_read(tmp_path):
    off(tmp_path)
    assert load_mesh(tmp_path / "a.off").mesh.faces.shape == (12, 3)


def spoil(**changes):
    """A quad's GLB with its JSON changed."""
    glb = quad_glb()
    glb.tree |= changes
    return glb.bytes()


def wrong_uvs():
    glb = Glb()
    glb.tree["meshes"] = [{"primitives": [glb.primitive(uvs=QUAD_UVS[:3])]}]
    return glb.bytes()


def far_index():
    glb = Glb()
    glb.tree["meshes"] = [{"primitives": [glb.primitive(index=TWO + np.uint16(3))]}]
    return glb.bytes()


def poisoned():
    glb = Glb()
    glb.tree["meshes"] = [{"primitives": [glb.primitive(points=QUAD * np.float32(np.nan))]}]
    return glb.bytes()


def only_points():
    glb = Glb()
    glb.tree["meshes"] = [{"primitives": [glb.primitive(mode=0)]}]
    return glb.bytes()


def with_bomb():
    glb = quad_glb()
    glb.tree["materials"][0]["pbrMetallicRoughness"] = {"baseColorTexture": {"index": glb.texture(bomb())}}
    return glb.bytes()


TRIANGLE = b"v 0 0 0\nv 1 0 0\nv 0 1 0\n"
REFUSED = {
    "draco.glb": (spoil(extensionsRequired=["KHR_draco_mesh_compression"]), "Draco .* without compression"),
    "odd.glb": (spoil(extensionsRequired=["ACME_blobs"]), "requires the extension ACME_blobs"),
    "uvs.glb": (wrong_uvs(), "3 texture coordinates for 4 vertices"),
    "index.glb": (far_index(), "uses vertex 6 of 4"),
    "nan.glb": (poisoned(), "no numbers"),
    "cloud.glb": (only_points(), "no triangles"),
    "bomb.glb": (with_bomb(), "pixels; scale it to at most 8192 x 8192"),
    "cut.glb": (quad_glb().bytes()[:-20], "cut off or damaged"),
    "one.glb": (b"glTF" + quad_glb().bytes()[4:8].replace(b"\2", b"\1") + quad_glb().bytes()[8:], "version 1"),
    "loop.glb": (spoil(nodes=[{"children": [0], "mesh": 0}]), "circle"),
    "text.glb": (b"hello there", "does not begin as a GLB"),
    "empty.obj": (b"", "empty"),
    "points.obj": (TRIANGLE, "no faces"),
    "far.obj": (TRIANGLE + b"f 1 2 9\n", "uses vertex 9 of 3"),
    "zero.obj": (TRIANGLE + b"f 0 1 2\n", "line 4 is no face: 'f 0 1 2'"),
    "nan.obj": (b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "no numbers"),
    "short.obj": (b"v 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "does not hold 3 numbers"),
    "flat.obj": (b"v 1 1 1\nf 1 1 1\n", "single point"),
    "cloud.ply": (
        b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n",
        "1 points and no faces",
    ),
    "odd.stl": (b"\0" * 84, "no faces"),
    "cut.stl": (trimesh.creation.box().export(file_type="stl")[:-60], "says 12 facets, and it holds 10"),
    "scene.fbx": (b"Kaydara", "is no format that is read; use OBJ"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_files_are_refused_in_one_line(tmp_path, name):
    data, said = REFUSED[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=said) as error:
        load_mesh(tmp_path / name)
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ("a.obj", "a.glb", "a.ply", "a.stl", "a.off"))
def test_too_many_faces_are_refused_before_they_are_read(tmp_path, name):
    trimesh.creation.box().export(tmp_path / name)
    with pytest.raises(ValueError, match="12 faces are more than 11; reduce them"):
        load_mesh(tmp_path / name, max_faces=11)
    assert len(load_mesh(tmp_path / name, max_faces=12).mesh.faces) == 12


def test_missing_files_and_paths_outside(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    picture(tmp_path / "secret.png")
    (folder / "a.obj").write_bytes(b"mtllib a.mtl\n" + TRIANGLE + b"usemtl m\nf 1 2 3\n")
    assert any("'a.mtl' is missing" in n for n in load_mesh(folder / "a.obj").notes)
    for name in ("gone.png", "../secret.png", str(tmp_path / "secret.png")):
        (folder / "a.mtl").write_text(f"newmtl m\nmap_Kd {name}\n")
        with pytest.raises(ValueError, match="is missing; put it beside the mesh, or set textures to ignore"):
            load_mesh(folder / "a.obj")
        assert load_mesh(folder / "a.obj", textures="ignore").mesh.parts[0].texture is None
    assert load_mesh(folder / "a.obj", root=tmp_path).mesh.parts[0].texture is not None
    with pytest.raises(ValueError, match="does not exist"):
        load_mesh(folder / "b.obj")


@pytest.mark.parametrize("name", ("a.obj", "a.glb", "a.ply", "a.stl"))
def test_damaged_bytes_never_escape_as_other_errors(tmp_path, name):
    """Bytes flipped and files cut at random: a mesh, or one line."""
    trimesh.creation.box().export(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    random = np.random.default_rng(3)
    for _ in range(60):
        data = bytearray(whole[: random.integers(1, len(whole) + 1)] if random.random() < 0.5 else whole)
        for at in random.integers(0, len(data), 3):
            data[at] = random.integers(0, 256)
        (tmp_path / name).write_bytes(bytes(data))
        try:
            load_mesh(tmp_path / name)
        except ValueError as error:
            assert str(error).startswith(f"'{name}': ") and "\n" not in str(error)


def test_the_reader_does_not_import_trimesh():
    """It is the second reader of these tests and no requirement."""
    root = Path(__file__).resolve().parents[2]
    code = "import sys, renderers.mesh.files.load; sys.exit('trimesh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
