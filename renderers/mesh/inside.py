"""Whether a point lies inside a mesh."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..arrays import cross, norm, split
from ..cameras.viewpoints import Viewpoint
from .mesh import Mesh

# Faces looked at together.
_AT_ONCE = 200_000


def winding_number(mesh: Mesh, points: Tensor) -> Tensor:
    """float64 [M]: how often the surface goes around each point [M, 3]: 1 inside a closed mesh, 0 outside, between
    where it has holes, -1 inside one that is turned inside out.

    The sum of the faces' signed solid angles over 4 pi (Jacobson et al., "Robust inside-outside segmentation using
    generalized winding numbers", 2013; the angle after Van Oosterom and Strackee, 1983).
    """
    out: list[Tensor] = []
    for point in points.double():
        total = 0.0
        for faces in split(mesh.faces, _AT_ONCE):
            a, b, c = (mesh.vertices.double()[faces[:, i]] - point for i in range(3))
            la, lb, lc = (norm(v, 1) for v in (a, b, c))
            over = (a * cross(b, c)).sum(1)
            under = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
            total += float(2 * torch.atan2(over, under).sum())
        out.append(torch.tensor(total / (4 * math.pi), dtype=torch.float64))
    return torch.stack(out)


def check_outside(mesh: Mesh, cameras: Sequence[Viewpoint]) -> None:
    """Raise ValueError when a perspective camera (in the mesh's coordinates) stands inside the object: it would paint
    the inside. A camera in a room, seen from within, has the faces' backs around it and is meant."""
    low, high = mesh.used.amin(0).double(), mesh.used.amax(0).double()
    for number, camera in enumerate(cameras):
        place = torch.tensor(camera.position, dtype=torch.float64)
        if camera.span is not None or bool(((place <= low) | (place >= high)).any()):
            continue
        if float(winding_number(mesh, place[None])[0]) > 0.5:
            raise ValueError(
                f"camera {number} stands inside of mesh '{mesh.name}' and sees only its inside; use a larger distance"
            )
