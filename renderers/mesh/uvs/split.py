"""Vertices split at seams: for formats in which a vertex has one texture coordinate and one normal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...arrays import distinct_places
from ..mesh import Mesh


@dataclass(frozen=True)
class Split:
    """S >= V vertices. The first V are the mesh's own, in its order; further ones are copies along seams.

    vertices: float32 [S, 3]; faces: int64 [F, 3]; uvs: float32 [S, 2] or None; normals: float32 [S, 3] or None;
    origin: int64 [S], the mesh's vertex of each (of its colours, too).
    """

    vertices: Tensor
    faces: Tensor
    uvs: Tensor | None
    normals: Tensor | None
    origin: Tensor


def split_seams(mesh: Mesh, apart: Tensor | None = None) -> Split:
    """One vertex for each (vertex, texture coordinate, normal) that the faces' corners use. Vertices that no face uses
    stay. apart: int64 [F] >= 0; faces of different numbers share no vertex either."""
    corner = mesh.faces.reshape(-1)
    count = len(mesh.vertices)
    keys = [corner]
    if mesh.has_uvs:
        keys.append(mesh.face_uvs.reshape(-1))
    if mesh.corner_normals is not None:
        keys.append(distinct_places(mesh.corner_normals.reshape(-1, 3), 0)[1])
    if apart is not None:
        keys.append(apart.repeat_interleave(3))
    key = keys[0]
    for other in keys[1:]:
        key = key * (int(other.max()) + 1) + other
    _, kind = distinct_places(key)
    kinds = int(kind.max()) + 1
    order = torch.arange(len(corner))
    first = torch.full((kinds,), len(corner)).scatter_reduce(0, kind, order, "amin")
    # Of a vertex's kinds, the one that comes first takes the vertex's own place.
    of = corner[first]
    leading = torch.full((count,), len(corner)).scatter_reduce(0, of, first, "amin")
    leads = leading[of] == first
    later = torch.argsort(first + leads * 2 * len(corner))[: int((~leads).sum())]
    place = of.clone()
    place[later] = count + torch.arange(len(later))
    origin = torch.cat([torch.arange(count), of[later]])
    uvs = normals = None
    if mesh.has_uvs:
        uvs = torch.zeros(len(origin), 2)
        uvs[place] = mesh.uvs[mesh.face_uvs.reshape(-1)[first]]
    if mesh.corner_normals is not None:
        normals = torch.zeros(len(origin), 3)
        normals[place] = mesh.corner_normals.reshape(-1, 3)[first]
    elif mesh.normals is not None:
        normals = mesh.normals[origin]
    return Split(mesh.vertices[origin], place[kind].reshape(-1, 3), uvs, normals, origin)
