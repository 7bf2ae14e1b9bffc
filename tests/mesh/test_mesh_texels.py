"""Texels: which face has them, where they lie, parts in one picture, what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from helpers.meshes import box, sheets, torus
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.mesh.uvs.adjacency import charts
from syncpack.renderers.mesh.uvs.atlas import AtlasLayout
from syncpack.renderers.mesh.uvs.uv_raster import texels


def _texels(mesh: Mesh, rows: int, columns: int, kind: str = "tiles"):
    return texels(mesh, AtlasLayout.of(mesh, kind, 96, 96), rows, columns)  # pyright: ignore[reportArgumentType]


def test_every_texel_has_the_face_its_centre_lies_in() -> None:
    mesh = torus(7, 5)
    rows, columns = 18, 15
    found = _texels(mesh, rows, columns)
    corners = mesh.uvs.double()[mesh.face_uvs]
    for cell in range(rows * columns):
        u, v = (cell % columns + 0.5) / columns, 1 - (cell // columns + 0.5) / rows
        expected = -1
        for number, (a, b, c) in enumerate(corners):
            basis = torch.stack([b - a, c - a], 1)
            s, t = torch.linalg.solve(basis, torch.tensor([u, v]).double() - a).tolist()
            if s >= 0 and t >= 0 and s + t <= 1:
                expected, bary = number, torch.tensor([1 - s - t, s, t])
                break
        place = int(found.place[cell])
        assert (place >= 0) == (expected >= 0)
        if expected >= 0:
            assert int(found.face[place]) == expected and int(found.index[place]) == cell
            assert torch.allclose(found.bary[place], bary.float(), atol=1e-5)
            point = (mesh.vertices[mesh.faces[expected]] * bary[:, None].float()).sum(0)
            assert torch.allclose(found.position[place], point, atol=1e-5)


def test_texels_know_their_size_on_the_surface() -> None:
    found = _texels(sheets(), 32, 32)
    # A square of 2 x 2 on half the picture's width: 16 texels of 1/8.
    assert torch.allclose(found.size, torch.tensor(0.125), rtol=1e-5)
    assert float(found.normal[:, 2].min()) == pytest.approx(1)


def test_charts_are_faces_that_hang_together_in_the_texture() -> None:
    def found(mesh: Mesh) -> torch.Tensor:
        return charts(mesh.face_uvs, mesh.part_of_face)

    assert torch.equal(found(box()), torch.arange(6).repeat_interleave(2))
    assert int(found(torus()).max()) == 0
    shared = box(parts=6)
    assert int(found(replace(shared, face_uvs=shared.face_uvs[:2].repeat(6, 1))).max()) == 5


def test_parts_get_tiles_of_their_own() -> None:
    mesh = box(parts=6)
    layout = AtlasLayout.of(mesh, "tiles", 96, 64)
    assert (layout.columns, layout.rows) == (3, 2)
    found = texels(mesh, layout, 64, 96)
    for part in range(6):
        rows, columns = layout.tile(part)
        inside = torch.zeros(64, 96, dtype=torch.bool)
        inside[rows, columns] = True
        own = found.index[mesh.part_of_face[found.face] == part]
        assert len(own) > 700 and bool(inside.reshape(-1)[own].all())
    with pytest.raises(ValueError, match="one tile for each part"):
        texels(mesh, AtlasLayout.of(mesh, "joint", 96, 64), 64, 96)


def test_a_tile_shows_what_the_part_alone_would() -> None:
    mesh = box(parts=6)
    layout = AtlasLayout.of(mesh, "tiles", 100, 100)  # 33 x 50 pixels each, one column is left over
    found = texels(mesh, layout, 100, 100)
    rows, columns = layout.tile(4)
    cell = found.place.reshape(100, 100)[rows, columns]
    assert cell.shape == (50, 33)
    inside = cell[cell >= 0].long()
    place = mesh.uvs[mesh.face_uvs[found.face[inside]]]
    uv = (place * found.bary[inside][..., None]).sum(1)
    row, column = torch.nonzero(cell >= 0, as_tuple=True)
    assert torch.allclose(uv[:, 0], (column + 0.5) / 33, atol=1e-5)
    assert torch.allclose(uv[:, 1], 1 - (row + 0.5) / 50, atol=1e-5)


def test_a_chart_too_thin_for_any_texel_gets_the_free_one_it_lies_in() -> None:
    mesh = sheets(2)
    uvs = mesh.uvs.clone()
    uvs[4:] = torch.tensor([[0.70, 0.1], [0.701, 0.1], [0.701, 0.9], [0.70, 0.9]])
    thin = replace(mesh, uvs=uvs)
    found = _texels(thin, 16, 16)
    assert found.lost_charts == 0 and int((found.chart == 1).sum()) == 1
    cell = int(found.index[found.chart == 1])
    assert cell % 16 == 11
    # No room: it is told.
    uvs[4:, 0] -= 0.3
    assert _texels(replace(mesh, uvs=uvs), 16, 16).lost_charts == 1


def test_what_cannot_be_painted_is_refused() -> None:
    mesh = box()
    with pytest.raises(ValueError, match="larger than the texture"):
        MeshTexture(replace(mesh, uvs=mesh.uvs * 5))
    with pytest.raises(ValueError, match="no texture coordinates"):
        MeshTexture(replace(mesh, uvs=torch.zeros(0, 2), face_uvs=torch.zeros(0, 3, dtype=torch.int64)))
    with pytest.raises(ValueError, match="no numbers"):
        MeshTexture(replace(mesh, uvs=mesh.uvs * math.nan))
    mirrored = mesh.uvs.clone()
    mirrored[20:] = mirrored[:4]
    with pytest.raises(ValueError, match="used by several faces"):
        _texels(replace(mesh, uvs=mirrored), 64, 64)
    for bad, text in (
        ({"width": 2}, "shows nothing"),
        ({"latent_size": 2}, "latent_size"),
        ({"layout": "grid"}, "layout"),
        ({"sampling": "cubic"}, "sampling"),
        ({"backend": "opengl"}, "rasteriser"),
    ):
        with pytest.raises(ValueError, match=text):
            MeshTexture(mesh, **bad)


def test_equal_geometry_is_an_equal_space() -> None:
    assert MeshTexture(box()) == MeshTexture(box())
    assert MeshTexture(box()) != MeshTexture(box((1, 1, 2)))
    assert hash(MeshTexture(box())) == hash(MeshTexture(box()))


def test_a_texture_repeats() -> None:
    # Charts that are moved by whole textures, or over the edge, are where the repeated texture has them.
    for mesh in (torus(16, 8), box(), box(parts=6)):
        here = _texels(mesh, 62, 62)
        moved = _texels(replace(mesh, uvs=mesh.uvs + torch.tensor([2.0, -1.0])), 62, 62)
        assert torch.equal(here.index, moved.index) and torch.equal(here.face, moved.face)
    # By a quarter of 60 texels: the same picture, rolled.
    mesh = torus(16, 8)
    here = _texels(mesh, 60, 60)
    over = _texels(replace(mesh, uvs=mesh.uvs + 0.25), 60, 60)
    there = torch.full((60 * 60,), -1, dtype=torch.int64)
    there[here.index] = here.face
    found = torch.full((60 * 60,), -1, dtype=torch.int64)
    found[over.index] = over.face
    rolled = there.reshape(60, 60).roll((-15, 15), (0, 1)).reshape(-1)
    assert float((rolled == found).float().mean()) > 0.998 and torch.equal(rolled >= 0, found >= 0)


def test_a_part_that_reaches_over_the_edge_stays_in_its_tile() -> None:
    mesh = box(parts=6)
    mesh = replace(mesh, uvs=mesh.uvs + torch.tensor([0.3, 0.2]))
    layout = AtlasLayout.of(mesh, "tiles", 96, 64)
    found = texels(mesh, layout, 64, 96)
    for part in range(6):
        rows, columns = layout.tile(part)
        inside = torch.zeros(64, 96, dtype=torch.bool)
        inside[rows, columns] = True
        own = found.index[mesh.part_of_face[found.face] == part]
        assert len(own) > 700 and bool(inside.reshape(-1)[own].all())
