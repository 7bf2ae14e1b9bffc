"""Smooth normals where a surface is smooth, sharp ones at its creases."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..viewpoints import Viewpoint
from .mesh import Mesh

# Faces that meet at less than this angle are one smooth surface, degrees.
CREASE = 45.0


def corner_normals(mesh: Mesh, crease: float = CREASE) -> Tensor:
    """float32 [F, 3, 3]: a unit normal for each corner of each face.

    The file's own normals where it has them. Otherwise the mean, by area, of the faces around the corner whose normals
    differ by less than ``crease`` degrees from the corner's own face; vertices at the same place count as one, so that
    a texture seam shows no edge. Faces without area have normal 0.
    """
    if mesh.corner_normals is not None or mesh.normals is not None:
        own = mesh.corner_normals
        if own is None:
            assert mesh.normals is not None
            own = mesh.normals[mesh.faces]
        return torch.where(own.norm(dim=-1, keepdim=True) > 0.5, own, mesh.face_normals[:, None])
    place = torch.unique(mesh.vertices, dim=0, return_inverse=True)[1][mesh.faces]
    corners = mesh.vertices.double()[mesh.faces]
    heavy = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    unit = mesh.face_normals.double()
    # All corners, sorted by vertex: those of one vertex stand together.
    order = torch.argsort(place.reshape(-1), stable=True)
    vertex, face = place.reshape(-1)[order], order // 3
    count = torch.bincount(vertex)
    first = torch.cumsum(count, 0) - count
    total = torch.zeros(len(order), 3, dtype=torch.float64)
    limit = math.cos(math.radians(crease))
    for turn in range(int(count.max())):
        there = torch.nonzero(turn < count[vertex]).squeeze(1)
        other = face[first[vertex[there]] + turn]
        alike = (unit[face[there]] * unit[other]).sum(1) >= limit
        total[there] += torch.where(alike[:, None], heavy[other], 0.0)
    out = torch.empty_like(total)
    out[order] = total / total.norm(dim=1, keepdim=True).clamp_min(1e-300)
    return out.reshape(-1, 3, 3).float()


def to_camera(camera: Viewpoint, points: Tensor) -> Tensor:
    """Unit vectors [..., 3] from points to a camera; all the same when it is orthographic."""
    if camera.span is not None:
        return torch.tensor(camera.backward, dtype=points.dtype).expand_as(points)
    return F.normalize(torch.tensor(camera.position, dtype=points.dtype) - points, dim=-1)
