"""Textured meshes written and read back."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from helpers.saved_meshes import save_mesh
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.uvs.split import split_seams

TEAPOT = Path(__file__).resolve().parents[2] / "assets" / "teapot.glb"


def cube(hard: bool = True, parts: int = 1) -> Mesh:
    """Eight vertices, six charts: every vertex has three texture coordinates and, with ``hard``, three normals."""
    box = trimesh.creation.box()
    faces = torch.from_numpy(np.asarray(box.faces)).long()
    order = torch.argsort(torch.from_numpy(np.asarray(box.facets_boundary and box.facets)).reshape(-1))
    side = torch.arange(6).repeat_interleave(2)[order]
    uvs = torch.rand(36, 2, generator=torch.Generator().manual_seed(1))
    normals = torch.from_numpy(box.face_normals.copy()).float()
    return Mesh(
        vertices=torch.from_numpy(box.vertices + np.array([0.1, 5, 0])).float(),
        faces=faces,
        uvs=uvs,
        face_uvs=torch.arange(36).reshape(12, 3),
        part_of_face=side % parts,
        parts=tuple(Part(f"part {i}", None, (0.25, 0.5, 1.0, 1.0)) for i in range(parts)),
        normals=None,
        corner_normals=normals[:, None].repeat(1, 3, 1) if hard else None,
    )


def picture(seed: int, channels: int = 3) -> torch.Tensor:
    """Random 8-bit colours."""
    return torch.randint(0, 256, (12, 20, channels), generator=torch.Generator().manual_seed(seed)) / 255


def corners(mesh: Mesh) -> torch.Tensor:
    """[F, 3, 5]: place and texture coordinate of every corner."""
    return torch.cat([mesh.vertices[mesh.faces], mesh.uvs[mesh.face_uvs]], -1)


@pytest.mark.parametrize("format", ("glb", "obj", "ply"))
@pytest.mark.parametrize("hard", (True, False))
def test_what_is_saved_is_loaded(tmp_path, format, hard):
    mesh, texture = cube(hard), picture(0)
    files = save_mesh(mesh, texture, tmp_path / "sub" / "a v1.5", format)
    assert files[0] == tmp_path / "sub" / f"a v1.5.{format}"
    assert sorted(files) == sorted((tmp_path / "sub").iterdir())
    again = load_mesh(files[0]).mesh
    assert torch.allclose(corners(again), corners(mesh), atol=1e-6)
    assert torch.equal(again.vertices[:8], mesh.vertices), "the order of vertices changed"
    assert torch.equal((again.parts[0].texture * 255).round(), (texture * 255).round())
    if format != "glb":
        assert torch.equal(again.faces, mesh.faces), "a seam split vertices"
    if hard and format != "ply":
        own = again.normals[again.faces] if again.corner_normals is None else again.corner_normals
        assert torch.allclose(own, mesh.corner_normals, atol=1e-6)


@pytest.mark.parametrize("format", ("glb", "obj"))
def test_every_part_keeps_its_texture_or_colour(tmp_path, format):
    mesh = cube(parts=3)
    files = save_mesh(mesh, [picture(1), None, picture(2, 4)], tmp_path / "a", format)
    again = load_mesh(files[0]).mesh
    assert [p.name for p in again.parts] == ["part 0", "part 1", "part 2"]
    assert torch.equal((again.parts[0].texture * 255).round(), (picture(1) * 255).round())
    assert again.parts[2].texture.shape == (12, 20, 4)
    assert again.parts[1].texture is None and again.parts[1].colour == pytest.approx((0.25, 0.5, 1, 1), abs=1e-5)
    order = torch.argsort(mesh.part_of_face, stable=True) if format == "glb" else torch.arange(12)
    assert torch.allclose(corners(again), corners(mesh)[order], atol=1e-6)
    assert torch.equal(again.part_of_face, mesh.part_of_face[order])


def test_one_texture_for_all_parts_is_stored_once(tmp_path):
    mesh, texture = cube(parts=2), picture(3)
    glb = save_mesh(mesh, texture, tmp_path / "a")[0].read_bytes()
    tree = json.loads(glb[20 : 20 + struct.unpack_from("<I", glb, 12)[0]])
    assert len(tree["images"]) == 1 and len(tree["materials"]) == 2
    assert [p.name for p in save_mesh(mesh, texture, tmp_path / "b", "obj")] == ["b.obj", "b_0.png", "b.mtl"]
    ply = save_mesh(mesh, texture, tmp_path / "c", "ply")
    assert torch.allclose(corners(load_mesh(ply[0]).mesh), corners(mesh), atol=1e-6)


def test_a_glb_carries_json_along(tmp_path):
    extras = {"prompt": '{"1": {"class_type": "Größe"}}', "workflow": "{}"}
    data = save_mesh(cube(), None, tmp_path / "a", "glb", extras)[0].read_bytes()
    tree = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])
    assert tree["asset"]["extras"] == extras
    assert len(load_mesh(tmp_path / "a.glb").mesh.faces) == 12
    assert all(p.exists() for p in save_mesh(cube(), None, tmp_path / "b", "obj", extras))


@pytest.mark.parametrize("format", ("glb", "obj", "ply"))
def test_another_reader_sees_the_same(tmp_path, format):
    """trimesh, from the file's coordinates to the texture."""
    mesh, texture = cube(hard=False), picture(5)
    file = save_mesh(mesh, texture, tmp_path / "a", format)[0]
    other = trimesh.load(file, process=False, force="mesh")
    theirs = np.concatenate([other.vertices[other.faces], other.visual.uv[other.faces]], -1)
    assert np.allclose(
        *(sorted(sorted(t) for t in x.round(4).tolist()) for x in (theirs, corners(mesh).numpy())), atol=2e-4
    )
    image = getattr(other.visual.material, "baseColorTexture", None) or other.visual.material.image
    assert np.array_equal(np.asarray(image.convert("RGB")), (texture * 255).round().byte().numpy())


def test_a_glb_comes_back_as_it_was(tmp_path):
    """Where the file has split its seams already, nothing is split again; saving twice gives the same bytes."""
    mesh = load_mesh(TEAPOT).mesh
    file = save_mesh(mesh, None, tmp_path / "teapot")[0]
    again = load_mesh(file).mesh
    assert torch.equal(again.vertices, mesh.vertices) and torch.equal(again.faces, mesh.faces)
    assert torch.equal(again.normals, mesh.normals) and torch.allclose(again.uvs, mesh.uvs, atol=1e-7)
    assert save_mesh(again, None, tmp_path / "b")[0].read_bytes()[-40000:] == file.read_bytes()[-40000:]


def test_split_seams_keeps_vertices_and_copies_only_what_seams_need():
    mesh = cube(hard=False)
    soft = replace(mesh, uvs=mesh.vertices[:, :2].contiguous(), face_uvs=mesh.faces)
    assert torch.equal(split_seams(soft).faces, mesh.faces) and len(split_seams(soft).vertices) == 8
    split = split_seams(mesh)
    assert len(split.vertices) == 36 and torch.equal(split.vertices[:8], mesh.vertices)
    assert torch.equal(split.vertices, mesh.vertices[split.origin])
    assert torch.equal(torch.cat([split.vertices, split.uvs], 1)[split.faces], corners(mesh))
    assert len(split_seams(cube(hard=True)).vertices) == 36
    stray = replace(mesh, vertices=torch.cat([mesh.vertices, torch.ones(2, 3)]))
    assert torch.equal(split_seams(stray).vertices[:10], stray.vertices)


def test_ply_carries_colours_for_viewers_without_textures(tmp_path):
    flat = torch.tensor([0.2, 0.4, 0.6]).expand(4, 4, 3)
    other = trimesh.load(save_mesh(cube(), flat, tmp_path / "a", "ply")[0], process=False, prefer_color="vertex")
    raw = other.metadata["_ply_raw"]["vertex"]["data"]
    assert np.allclose([raw[c] for c in ("red", "green", "blue")], np.array([[51], [102], [153]]))


def test_nothing_is_written_on_errors(tmp_path):
    mesh = cube(parts=2)
    bare = replace(mesh, uvs=torch.zeros(0, 2), face_uvs=torch.zeros(0, 3, dtype=torch.int64))
    cases = [
        (mesh, [picture(0)] * 3, "glb", "3 textures for a mesh of 2 parts"),
        (mesh, [picture(0), picture(1)], "ply", "PLY holds one texture"),
        (mesh, picture(0) * float("nan"), "obj", "NaN"),
        (mesh, torch.zeros(4, 4), "glb", "is no picture"),
        (bare, picture(0), "glb", "no texture coordinates; unwrap it first"),
        (mesh, None, "fbx", "format 'fbx' is unknown"),
    ]
    for bad, textures, format, said in cases:
        with pytest.raises(ValueError, match=said):
            save_mesh(bad, textures, tmp_path / "a", format)
    assert not list(tmp_path.iterdir())
    assert load_mesh(save_mesh(bare, None, tmp_path / "a")[0]).mesh.has_uvs is False


def test_a_file_that_cannot_be_written_leaves_none(tmp_path):
    (tmp_path / "a.mtl").mkdir()
    with pytest.raises(ValueError, match=r"'a.mtl' could not be written .*; save elsewhere"):
        save_mesh(cube(), picture(0), tmp_path / "a", "obj")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mtl"]
