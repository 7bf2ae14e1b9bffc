"""Cameras for a mesh, each chosen for what it sees of the surface that no other sees yet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..arrays import cross, norm
from ..cameras.chosen import Coverage, candidates, check_wish, chosen
from ..cameras.orbits import Lens
from ..cameras.viewpoints import Viewpoint
from .mesh import Mesh
from .raster.raster import Backend
from .raster.visibility import seen_points

# The surface is looked at in about this many places, and through frames of this many pixels.
_PLACES = 20000
_FRAME = 512
_LENS = Lens()
# Of the surface: less shows through the tolerance at edges of a mesh that is turned inside out.
_NOTHING = 0.02


def surface_points(mesh: Mesh, count: int) -> tuple[Tensor, Tensor]:
    """``count`` places spread evenly over the surface -> (float64 [M, 3], their faces int64 [M]). Always the same."""
    corners = mesh.vertices.double()[mesh.faces]
    area = norm(cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), 1)
    edges = torch.cumsum(area, 0)
    at = (torch.arange(count, dtype=torch.float64) + 0.5) / count * edges[-1]
    face = torch.searchsorted(edges, at).clamp(max=len(area) - 1)
    # A lattice that fills the unit square evenly (R2, Roberts 2018), folded into the triangle.
    lattice = torch.arange(count, dtype=torch.float64)[:, None] * torch.tensor([0.7548776662466927, 0.5698402909980532])
    a, b = (lattice % 1.0).unbind(1)
    folded = a + b > 1
    a, b = torch.where(folded, 1 - a, a), torch.where(folded, 1 - b, b)
    bary = torch.stack([1 - a - b, a, b], 1)
    return (corners[face] * bary[..., None]).sum(1), face


def cosines(
    mesh: Mesh,
    points: Tensor,
    face: Tensor,
    cameras: Sequence[Viewpoint],
    two_sided: bool = False,
    backend: Backend = "auto",
) -> Tensor:
    """float32 [N, M]: the cosine at which each camera (in the mesh's coordinates) sees each point of a face, 0 where it
    does not."""
    normals = mesh.face_normals[face]
    out = torch.zeros(len(cameras), len(points))
    for row, camera in zip(out, cameras, strict=True):
        seen = seen_points(mesh, points.float(), normals, camera, _FRAME, _FRAME, two_sided=two_sided, backend=backend)
        row[seen.point] = seen.cosine
    return out


def coverage_rig(
    mesh: Mesh,
    lens: Lens = _LENS,
    target: float = 0.98,
    most: int = 12,
    flattest: float = 0.35,
    start: float = 0.0,
    two_sided: bool = False,
    backend: Backend = "auto",
) -> tuple[tuple[Viewpoint, ...], Coverage]:
    """Cameras in object units, greedily chosen, and what they see.

    A place counts as seen from a cosine of ``flattest`` on. Cameras are added until ``target`` (share of what can be
    seen from any candidate) or ``most`` is reached, or none sees anything new. start: azimuth of the front, degrees.
    Raises ValueError for a target outside 0 to 1, no cameras, or a mesh that no camera sees.
    """
    check_wish(target, most)
    choice = candidates(lens, start)
    points, face = surface_points(mesh, _PLACES)
    placed = tuple(v.in_scene(mesh.centre, mesh.radius) for v in choice)
    found = cosines(mesh, points, face, placed, two_sided, backend)
    reachable = float((found >= flattest).any(0).double().mean())
    if reachable < _NOTHING:
        raise ValueError("no camera sees the surface; its faces may be turned inside out, or the distance too small")
    taken, shares = chosen(found, torch.ones(len(points)), flattest, target, most)
    return tuple(choice[i] for i in taken), Coverage(tuple(shares), reachable, target)
