"""Which points of a surface a camera sees."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace

import pytest
import torch
from helpers.meshes import box, ring_of_cameras, sheets, torus
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.mesh.geometry import MeshGeometry
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.raster.visibility import Seen, seen_points
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.mesh.uvs.atlas import AtlasLayout
from syncpack.renderers.mesh.uvs.uv_raster import Texels, texels
from syncpack.sync_core.aggregate import Aggregator
from torch import Tensor


def _texels(mesh: Mesh, size: int) -> Texels:
    return texels(mesh, AtlasLayout.of(mesh, "joint", size, size), size, size)


def _seen(mesh: Mesh, grid: Texels, camera: Viewpoint, **options: float) -> Seen:
    return seen_points(mesh, grid.position, grid.normal, camera, 64, 64, backend="torch", **options)  # pyright: ignore


def _hidden_by_rays(mesh: Mesh, points: Tensor, own: Tensor, camera: Viewpoint) -> Tensor:
    """bool [n]: whether a face other than its own lies between a point and the camera (Moeller and Trumbore)."""
    ray = torch.tensor(camera.position, dtype=torch.float64) - points.double()
    if camera.span is not None:
        ray = camera.rotation[:, 2].expand_as(ray) * 10
    hidden = torch.zeros(len(points), dtype=torch.bool)
    for number, (a, b, c) in enumerate(mesh.vertices.double()[mesh.faces]):
        side = torch.linalg.cross(ray, (c - a).expand_as(ray))
        determinant = side @ (b - a)
        start = points.double() - a
        u = (start * side).sum(1) / determinant
        q = torch.linalg.cross(start, (b - a).expand_as(ray))
        v, t = (ray * q).sum(1) / determinant, q @ (c - a) / determinant
        hidden |= (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-4) & (t < 1) & (own != number)
    return hidden


@pytest.mark.parametrize(
    "camera", [*ring_of_cameras(2, 1, 2.5), Viewpoint.orbit(1.2, 0.4, 3.0, span=3.2), Viewpoint((1.0, 0.0, 0.0))]
)
def test_agrees_with_rays(camera: Viewpoint) -> None:
    mesh = torus(40, 20)
    grid = _texels(mesh, 48)
    seen = _seen(mesh, grid, camera)
    ours = torch.zeros(len(grid.index), dtype=torch.bool)
    ours[seen.point] = True
    row, column, depth = camera.pixels(grid.position.double(), 1, 1)
    inside = (depth > 1e-3) & (row >= 0) & (row < 1) & (column >= 0) & (column < 1)
    towards = torch.tensor(camera.position, dtype=torch.float64) - grid.position
    if camera.span is not None:
        towards = camera.rotation[:, 2].expand_as(towards)
    cosine = (grid.normal * towards).sum(1) / towards.norm(dim=1)
    truth = inside & (cosine.abs() >= 0.05) & ~_hidden_by_rays(mesh, grid.position, grid.face, camera)
    assert 0.01 < float(truth.float().mean()) < 0.9
    assert float((ours != truth).float().mean()) < 0.006
    assert float((ours & ~truth).float().mean()) < 0.003
    both = ours[seen.point] & truth[seen.point]
    assert torch.allclose(seen.cosine[both].double(), cosine[seen.point][both].abs(), atol=1e-5)
    assert torch.allclose(seen.row[both].double(), row[seen.point][both], atol=1e-4)


def test_nothing_is_seen_through_a_wall_however_thin() -> None:
    for thickness in (0.2, 0.01, 1e-4, 0.0):
        wall = box((1.0, 1.0, thickness))
        grid = _texels(wall, 60)
        for camera in (Viewpoint.orbit(0, 0, 3), Viewpoint.orbit(0.5, 0.4, 3), Viewpoint.orbit(0.2, 0, 3, span=3)):
            chart = grid.chart[_seen(wall, grid, camera).point]
            assert bool((chart == 4).any()) and not bool((chart == 5).any()), thickness


@pytest.mark.parametrize("backend", ["torch", "auto"])
def test_surfaces_back_to_back_stay_apart_where_others_are_seen_from_behind(backend: str) -> None:
    # A wall of two squares without thickness, and a square beside it that faces away.
    square = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    beside = torch.tensor([2.5, 0.0, 0.0])
    vertices = torch.cat([square, square - torch.tensor([0, 0, 1e-4]), square + beside])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6], [8, 10, 9], [8, 11, 10]])
    corners = (square[:, :2] + 1) / 2 * 0.4 + 0.05
    uvs = torch.cat([corners, corners + torch.tensor([0.5, 0.0]), corners + torch.tensor([0.0, 0.5])])
    mesh = Mesh(vertices, faces, uvs, faces, torch.zeros(6, dtype=torch.int64))
    grid = _texels(mesh, 40)
    seen = seen_points(mesh, grid.position, grid.normal, Viewpoint((0.5, 0.0, 6.0)), 64, 64, backend=backend)  # pyright: ignore
    assert set(grid.chart[seen.point].tolist()) == {0, 2}


def test_only_the_first_of_sheets_is_seen() -> None:
    mesh = sheets()
    grid = _texels(mesh, 40)
    assert set(grid.chart[_seen(mesh, grid, Viewpoint.orbit(0, 0, 2)).point].tolist()) == {0}
    # From behind, the last; and only when both sides count.
    back = Viewpoint.orbit(math.pi, 0, 4)
    assert set(grid.chart[_seen(mesh, grid, back).point].tolist()) == {3}
    assert _seen(mesh, grid, back, two_sided=False).point.numel() == 0


@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="no numba here")
@pytest.mark.parametrize("mesh", [torus(40, 20), box(parts=6), sheets()], ids=lambda m: m.name)
def test_numba_builds_the_same(mesh: Mesh) -> None:
    mesh = replace(mesh, uvs=mesh.uvs + torch.tensor([0.3, 0.2]))
    cameras = (*ring_of_cameras(2, 1), Viewpoint.orbit(1.2, 0.4, 3.0, span=2.2), Viewpoint.orbit(3.0, 0.2, 2.2))
    rig = Orbit(cameras, 96, 96)
    ours, theirs = (MeshGeometry(MeshTexture(mesh, 128, 128, backend=b), rig) for b in ("torch", "numba"))  # pyright: ignore
    grids = (ours.texels(100, 90), theirs.texels(100, 90))
    assert torch.equal(grids[0].index, grids[1].index) and torch.equal(grids[0].face, grids[1].face)
    for camera in ours.cameras():
        one, two = (g.seen(grids[0], camera, 96, 96) for g in (ours, theirs))
        marks = torch.zeros(2, len(grids[0].index), dtype=torch.bool)
        marks[0, one.point] = marks[1, two.point] = True
        assert float((marks[0] != marks[1]).float().mean()) <= 0.001
        if torch.equal(one.point, two.point):
            for name in ("row", "column", "depth", "cosine"):
                assert torch.allclose(getattr(one, name), getattr(two, name), atol=1e-4)
    z = torch.rand(1, 3, 100, 90, generator=torch.Generator().manual_seed(0))
    w = torch.rand(5, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    one, two = (g.views_on(96, 96, 100, 90, "bilinear") for g in (ours, theirs))
    assert float(((one.project(z) - two.project(z)).abs() > 1e-3).float().mean()) <= 0.001
    assert float(((Aggregator(one)(w) - Aggregator(two)(w)).abs() > 1e-3).float().mean()) <= 0.002


def test_flat_angles_count_as_unseen() -> None:
    mesh = sheets(1)
    grid = _texels(mesh, 16)
    flat = Viewpoint.orbit(math.radians(80), 0, 3)
    assert len(_seen(mesh, grid, flat).point) > 0
    assert len(_seen(mesh, grid, flat, least_cosine=0.3).point) == 0
