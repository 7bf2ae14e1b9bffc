"""The mesh nodes: files in and out, the socket that the host's nodes share, unwrapping."""

import copy
import importlib.util
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import trimesh
from helpers.host_nodes import shown_by
from helpers.hosting import comfy, interrupted_error
from helpers.mesh_files import Glb, picture, quad_glb
from syncpack.nodes.host.mesh_socket import from_socket, to_socket
from syncpack.nodes.mesh.file_nodes import SaveTexturedMesh, SyncTweediesLoadMesh, SyncTweediesUnwrap
from syncpack.nodes.mesh.files import UvWishes, list_meshes, prepared
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.uvs.carry import carry_textures
from syncpack.renderers.mesh.uvs.unwrap import unwrap

pytestmark = pytest.mark.host

DEFAULTS = {
    name: options.get("default", kind[0] if isinstance(kind, list) else None)
    for name, (kind, options) in SyncTweediesLoadMesh.INPUT_TYPES()["required"].items()
}


def load(file, **changes):
    with torch.inference_mode():
        return SyncTweediesLoadMesh().load(**{**DEFAULTS, "file": file, **changes})


def save(mesh, **changes):
    with torch.inference_mode():
        given = {"filename_prefix": "a/b", "format": "glb", "layout": "joint", **changes}
        return SaveTexturedMesh().save(mesh, **given)


def two_parts() -> Glb:
    """Two materials, each with all of its own texture."""
    glb = Glb()
    pieces = [glb.primitive(material=glb.material(name)) for name in ("a", "b")]
    glb.tree["meshes"] = [{"primitives": pieces}]
    return glb


# Files in


def test_meshes_are_found_and_loaded(folders):
    (folders / "input" / "3d" / "more").mkdir(parents=True)
    for name in ("a.glb", "3d/b.GLB", "3d/more/c.glb"):
        quad_glb().write(folders / "input" / name)
    (folders / "input" / "a.mtl").write_text("no mesh")
    assert list_meshes() == ["3d/b.GLB", "3d/more/c.glb", "a.glb", "teapot.glb"]
    assert SyncTweediesLoadMesh.INPUT_TYPES()["required"]["file"][0] == list_meshes()
    for name in list_meshes()[:3]:
        assert SyncTweediesLoadMesh.VALIDATE_INPUTS(file=name) is True
        mesh, report = load(name)
        assert len(from_socket(mesh).faces) == 2 and "4 vertices, 2 faces" in report and "are fine" in report


def test_the_shipped_mesh_loads_without_a_file_and_ones_own_comes_first(folders):
    mesh, report = load("teapot.glb")
    assert len(from_socket(mesh).faces) > 10_000 and "8 charts" in report
    quad_glb().write(folders / "input" / "teapot.glb")
    assert len(from_socket(load("teapot.glb")[0]).faces) == 2


def test_a_changed_file_or_texture_is_loaded_again(folders):
    path = quad_glb().write(folders / "input" / "a.glb")
    before, stat = SyncTweediesLoadMesh.IS_CHANGED(file="a.glb"), path.stat()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"paint", b"brick"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert SyncTweediesLoadMesh.IS_CHANGED(file="a.glb") != before
    path.write_bytes(data)
    assert SyncTweediesLoadMesh.IS_CHANGED(file="a.glb", unwrap="keep") == before
    picture(folders / "input" / "wall.png")
    assert SyncTweediesLoadMesh.IS_CHANGED(file="a.glb") == before, "it does not name that picture"
    assert SyncTweediesLoadMesh.IS_CHANGED(file="gone.glb") == "gone.glb"


@pytest.mark.parametrize("name, said", [("../a.glb", "lies outside of"), ("b.glb", "is not in ComfyUI's input folder")])
def test_files_elsewhere_are_refused(folders, name, said):
    quad_glb().write(folders / "a.glb")
    assert said in SyncTweediesLoadMesh.VALIDATE_INPUTS(file=name)
    with pytest.raises(ValueError, match=f"^SyncTweediesLoadMesh: .*{said}"):
        load(name)


def test_textures_must_lie_in_the_input_folder(folders):
    (folders / "input" / "3d").mkdir()
    obj = folders / "input" / "3d" / "a.obj"
    obj.write_text("mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl m\nf 1/1 2/2 3/3\n")
    picture(folders / "wall.png")
    obj.with_suffix(".mtl").write_text("newmtl m\nmap_Kd ../../wall.png\n")
    with pytest.raises(ValueError, match=r"wall\.png.*is missing"):
        load("3d/a.obj")
    assert "no textures" in load("3d/a.obj", file_textures="ignore")[1]
    picture(folders / "input" / "wall.png")
    obj.with_suffix(".mtl").write_text("newmtl m\nmap_Kd ../wall.png\n")
    assert "one texture" in load("3d/a.obj")[1]


# Texture coordinates


def test_a_mesh_without_coordinates_is_unwrapped_or_refused(folders):
    trimesh.creation.icosphere(2).export(folders / "input" / "a.stl")
    mesh, report = load("a.stl", method="boxes", texture_size=256)
    assert (
        from_socket(mesh).has_uvs
        and "the mesh has none" in report
        and "Unwrapped with boxes for a texture of 256" in report
    )
    with pytest.raises(ValueError, match="are not usable: the mesh has none; set unwrap to 'when needed'"):
        load("a.stl", unwrap="keep")
    teapot, report = load("teapot.glb", unwrap="always", method="boxes")
    assert not torch.equal(from_socket(teapot).face_uvs, from_socket(teapot).faces) and "Unwrapped" in report


def test_parts_keep_their_textures_or_share_one(folders):
    two_parts().write(folders / "input" / "a.glb")
    each, report = load("a.glb")
    assert len(from_socket(each).parts) == 2 and "2 parts: a, b" in report and "are fine" in report
    joint, report = load("a.glb", parts="joint", method="boxes")
    assert len(from_socket(joint).parts) == 1 and "claimed by several" in report and "Unwrapped" in report
    with pytest.raises(ValueError, match=r"when the parts share one texture: .* claimed by several"):
        load("a.glb", parts="joint", unwrap="keep")


def test_old_textures_are_carried_over():
    """A texture of smooth colours, seen at the same places before and after, although it was tiled and mirrored."""
    ball = trimesh.creation.icosphere(4)
    vertices, faces = torch.from_numpy(ball.vertices).float(), torch.from_numpy(ball.faces).long()
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    wave = torch.stack([torch.sin(x * 2 * torch.pi / 128), torch.cos(y * 2 * torch.pi / 128), 0 * x], -1) / 2 + 0.5
    old = Mesh(
        vertices, faces, vertices[:, :2] * 0.9 + 0.3, faces, torch.zeros(len(faces), dtype=torch.int64),
        (Part("m", wave),),
    )  # fmt: skip
    new = carry_textures(old, unwrap(old, "boxes", 512).mesh, 512)

    def seen(mesh):
        part = mesh.parts[0].texture
        uv = mesh.uvs[mesh.face_uvs].mean(1) % 1
        return part[((1 - uv[:, 1]) * len(part)).long() % len(part), (uv[:, 0] * len(part)).long() % len(part)]

    assert float((seen(new) - seen(old)).abs().max()) < 0.08
    bare = replace(old, parts=(Part("m", None, (1.0, 0.5, 0.25, 1.0)),))
    assert carry_textures(bare, new, 64) is new


def test_a_host_can_interrupt_unwrapping():
    if importlib.util.find_spec("xatlas") is None:
        pytest.skip("xatlas is not installed")
    ball = trimesh.creation.icosphere(4)
    bare = SimpleNamespace(
        vertices=torch.from_numpy(ball.vertices).float()[None], faces=torch.from_numpy(ball.faces).long()[None]
    )
    stopped = interrupted_error()
    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(stopped):
        prepared(from_socket(bare), UvWishes("joint", "always", "xatlas", 1024, 300))


# The socket


def test_the_socket_shows_what_hosts_ask_for(folders):
    glb = quad_glb()
    texture = picture(seed=4)
    glb.tree["materials"][0]["pbrMetallicRoughness"] = {"baseColorTexture": {"index": glb.texture(texture)}}
    glb.write(folders / "input" / "a.glb")
    mesh = load("a.glb")[0]
    assert (mesh.vertices.shape, mesh.faces.shape, mesh.uvs.shape) == ((1, 4, 3), (1, 2, 3), (1, 4, 2))
    assert mesh.uvs[0].tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]], "v runs downwards, as in the file"
    assert mesh.texture.shape == (1, 3, 4, 3) and mesh.vertex_counts is None and mesh.normals is None
    again = from_socket(SimpleNamespace(vertices=mesh.vertices, faces=mesh.faces, uvs=mesh.uvs, texture=mesh.texture))
    assert torch.allclose(again.uvs, from_socket(mesh).uvs) and torch.equal(again.parts[0].texture, mesh.texture[0])
    assert from_socket(mesh) is from_socket(copy.copy(mesh)), "the very same while nothing changes"


def test_padded_meshes_of_the_host_are_cut():
    vertices, faces = torch.rand(1, 9, 3), torch.tensor([[[0, 1, 2], [0, 2, 3], [0, 0, 0]]])
    found = from_socket(
        SimpleNamespace(
            vertices=vertices, faces=faces, normals=torch.ones(1, 9, 3), vertex_counts=torch.tensor([4]),
            face_counts=torch.tensor([2]),
        )
    )  # fmt: skip
    assert (len(found.vertices), len(found.faces), found.normals.shape) == (4, 2, (4, 3))
    assert torch.allclose(found.normals.norm(dim=1), torch.ones(4))


FLAT = {"vertices": torch.rand(1, 3, 3), "faces": torch.tensor([[[0, 1, 2]]])}
BAD = {
    "no mesh": ({}, "has no vertices; connect SyncTweediesLoadMesh"),
    "points": ({"vertices": torch.rand(1, 3, 3)}, "has no faces"),
    "two": ({"vertices": torch.rand(2, 3, 3), "faces": torch.zeros(2, 1, 3, dtype=torch.int64)}, "2 meshes in one"),
    "quads": ({**FLAT, "faces": torch.zeros(1, 1, 4, dtype=torch.int64)}, "faces of 4 corners"),
    "uvs": ({**FLAT, "uvs": torch.rand(1, 5, 2)}, "5 uvs for 3 vertices"),
    "index": ({**FLAT, "faces": torch.tensor([[[0, 1, 3]]])}, "index lies outside 0 to 2"),
    "nan": ({**FLAT, "vertices": torch.full((1, 3, 3), torch.nan)}, "no numbers"),
    "empty": ({**FLAT, "faces": torch.zeros(1, 0, 3, dtype=torch.int64)}, "has no faces"),
    "huge": ({**FLAT, "faces": torch.zeros(1, 1, 3, dtype=torch.int64).expand(1, 2_000_001, 3)}, "2000001 faces"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_meshes_on_the_socket_are_refused(case):
    attributes, said = BAD[case]
    with pytest.raises(ValueError, match=f"^SyncTweediesUnwrap: .*{said}") as error:
        SyncTweediesUnwrap().unwrap(SimpleNamespace(**attributes), "keep", "auto", 512, "joint", 60.0)
    assert "\n" not in str(error.value)


def test_the_hosts_own_nodes_take_our_meshes_and_we_theirs(folders):
    shown = shown_by("SaveGLB", mesh=load("teapot.glb")[0], filename_prefix="host/mesh")["3d"]
    saved = load_mesh(folders / "output" / shown[0]["subfolder"] / shown[0]["filename"]).mesh
    assert torch.equal(saved.faces, load_mesh(list_file()).mesh.faces)
    theirs = SimpleNamespace(vertices=saved.vertices[None], faces=saved.faces[None])
    found, report = SyncTweediesUnwrap().unwrap(theirs, "always", "boxes", 512, "one texture each", 60.0)
    assert torch.equal(from_socket(found).vertices, saved.vertices) and "are fine" in report


def list_file():
    from syncpack.nodes.files import ASSETS

    return ASSETS / "teapot.glb"


# Files out


@pytest.mark.parametrize("format", ("glb", "obj", "ply"))
def test_a_textured_mesh_is_saved_where_the_host_says(folders, format):
    mesh = load("teapot.glb")[0]
    image = torch.rand(1, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    found = save(mesh, texture=image, format=format)
    textured, path = found["result"][:2]
    assert path == f"a/b_00001_.{format}" and found["ui"]["text"] == [path]
    assert {entry["filename"] for entry in found["ui"]["3d"]} == {p.name for p in (folders / "output" / "a").iterdir()}
    again = load_mesh(folders / "output" / path).mesh
    assert torch.equal((again.parts[0].texture * 255).round(), (image[0] * 255).round())
    assert torch.equal(from_socket(textured).parts[0].texture, image[0])
    assert save(mesh, texture=image, format=format)["result"][1] == f"a/b_00002_.{format}"
    assert save(textured, format=format)["result"][1] == f"a/b_00003_.{format}"


def test_several_parts_take_one_image_a_batch_or_tiles(folders):
    two_parts().write(folders / "input" / "a.glb")
    mesh = load("a.glb")[0]
    image = torch.rand(1, 8, 16, 3, generator=torch.Generator().manual_seed(1))
    joint, tiles = (from_socket(save(mesh, texture=image, layout=k)["result"][0]) for k in ("joint", "tiles"))
    assert torch.equal(joint.parts[1].texture, image[0])
    assert torch.equal(tiles.parts[0].texture, image[0, :, :8]) and torch.equal(tiles.parts[1].texture, image[0, :, 8:])
    batch = from_socket(save(mesh, texture=torch.cat([image, 1 - image]))["result"][0])
    assert torch.equal(batch.parts[1].texture, 1 - image[0])
    with pytest.raises(ValueError, match=r"^SaveTexturedMesh: 3 images for a mesh of 2 parts"):
        save(mesh, texture=image.expand(3, -1, -1, -1))


def test_nothing_is_written_on_errors(folders):
    bare = SimpleNamespace(**FLAT)
    with pytest.raises(ValueError, match=r"^SaveTexturedMesh: mesh 'mesh' has no texture coordinates; unwrap it first"):
        save(bare, texture=torch.rand(1, 8, 8, 3))
    with pytest.raises(ValueError, match="NaN"):
        save(load("teapot.glb")[0], texture=torch.full((1, 8, 8, 3), torch.nan))
    assert not list((folders / "output").rglob("*.*"))
    assert from_socket(to_socket(from_socket(bare))).faces.tolist() == [[0, 1, 2]]
