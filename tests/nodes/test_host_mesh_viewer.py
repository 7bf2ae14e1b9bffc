"""The node behind the mesh viewer: files for the front end that are the mesh, and textures that do not fit."""

from types import SimpleNamespace

import pytest
import torch
from helpers.hosting import one_line
from syncpack.nodes.host.mesh_socket import to_socket
from syncpack.nodes.viewers.nodes import SyncTweediesPreviewMesh
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh

pytestmark = pytest.mark.host


def pictures(*shape):
    """Values that eight bits hold exactly."""
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(3)) / 255


def square(parts=1, uvs=True):
    corners = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    return Mesh(
        torch.cat([corners, torch.zeros(4, 1)], 1),
        faces,
        corners if uvs else torch.zeros(0, 2),
        faces if uvs else torch.zeros(0, 3, dtype=torch.int64),
        torch.tensor([0, parts - 1]),
        tuple(Part(f"part{i}", pictures(4 + i, 4, 3) if uvs else None) for i in range(parts)),
    )


def show(mesh, texture=None, layout="joint"):
    given = to_socket(mesh) if isinstance(mesh, Mesh) else mesh
    shown = SyncTweediesPreviewMesh().show(given, texture, layout)
    assert set(shown) == {"ui", "result"} and set(shown["ui"]) == {"meshes"}
    assert shown["result"] == (given,), "the mesh is passed on as it is"
    return shown["ui"]["meshes"]


def stored(folder, entry):
    assert set(entry) == {"filename", "subfolder", "type"} and entry["type"] == "temp"
    return load_mesh(folder / entry["subfolder"] / entry["filename"]).mesh


def test_the_mesh_is_written_with_its_own_look(temp_folder):
    mesh = square(2)
    (entry,) = show(mesh)
    found = stored(temp_folder, entry)
    assert torch.equal(found.vertices, mesh.vertices) and torch.equal(found.faces, mesh.faces)
    for part, expected in zip(found.parts, mesh.parts, strict=True):
        assert torch.allclose(part.texture, expected.texture)
    (again,) = show(mesh)
    assert again["filename"] != entry["filename"], "a second run keeps the first's file"


def test_a_texture_is_shown_instead(temp_folder):
    texture = pictures(1, 8, 8, 3)
    for part in stored(temp_folder, show(square(2), texture)[0]).parts:
        assert torch.allclose(part.texture, texture[0])


def test_one_texture_for_each_part_and_several_sets(temp_folder):
    texture = pictures(4, 8, 8, 3)
    files = show(square(2), texture)
    assert len({entry["filename"] for entry in files}) == 2
    for number, entry in enumerate(files):
        parts = stored(temp_folder, entry).parts
        assert all(torch.allclose(p.texture, texture[2 * number + i]) for i, p in enumerate(parts))
    assert len(show(square(), texture)) == 4


def test_tiles_of_one_picture(temp_folder):
    """Two parts lie beside each other; every picture of a batch is a look of its own."""
    texture = pictures(2, 8, 16, 3)
    files = show(square(2), texture, "tiles")
    assert len(files) == 2
    for entry, picture in zip(files, texture, strict=True):
        left, right = stored(temp_folder, entry).parts
        assert torch.allclose(left.texture, picture[:, :8]) and torch.allclose(right.texture, picture[:, 8:])


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_textures(temp_folder, channels):
    texture = pictures(1, 8, 8, channels)
    (part,) = stored(temp_folder, show(square(), texture)[0]).parts
    assert torch.allclose(part.texture, texture[0].expand(8, 8, max(channels, 3)))


def test_a_mesh_of_the_host_is_shown(temp_folder):
    """The host's own MESH has vertices and faces, on newer hosts texture coordinates (v downwards) and a texture."""
    mesh, texture = square(), pictures(1, 4, 4, 3)
    flipped = torch.stack([mesh.uvs[:, 0], 1 - mesh.uvs[:, 1]], 1)
    core = SimpleNamespace(vertices=mesh.vertices[None], faces=mesh.faces[None], uvs=flipped[None], texture=texture)
    found = stored(temp_folder, show(core)[0])
    assert torch.equal(found.vertices, mesh.vertices) and torch.allclose(found.uvs, mesh.uvs)
    assert torch.allclose(found.parts[0].texture, texture[0])
    bare = SimpleNamespace(vertices=mesh.vertices[None], faces=mesh.faces[None])
    assert not stored(temp_folder, show(bare)[0]).has_uvs


def refused(mesh, texture, folder, *words):
    with pytest.raises(ValueError) as error:
        show(mesh, texture)
    one_line(error.value, "SyncTweediesPreviewMesh", *words)
    assert not list(folder.iterdir()), "nothing is written"


def test_textures_that_do_not_fit_are_refused(temp_folder):
    nan = pictures(2, 8, 8, 3)
    nan[1, 3, 5, 0] = torch.nan
    refused(square(2), nan, temp_folder, "NaN", "--fp32-vae")
    refused(square(2), pictures(3, 8, 8, 3), temp_folder, "3 textures", "2 parts", "one for each")
    refused(square(), pictures(0, 8, 8, 3), temp_folder, "empty", "connect an image")
    refused(square(uvs=False), pictures(1, 8, 8, 3), temp_folder, "no texture coordinates", "unwrap")
    refused(SimpleNamespace(vertices=torch.zeros(1, 3, 3)), None, temp_folder, "faces")


def test_nothing_is_left_when_a_later_texture_is_refused(temp_folder):
    texture = pictures(2, 8, 8, 3)
    texture[1] = torch.nan
    refused(square(), texture, temp_folder, "NaN")
