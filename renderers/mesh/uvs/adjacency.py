"""Which faces touch: edges, pieces that hang together, and charts, which are such pieces of the texture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...arrays import distinct_counts, distinct_places


@dataclass(frozen=True)
class Edges:
    """The 3F sides of F triangles. pairs: int64 [P, 2], faces that share an edge; edge: int64 [P], which edge.
    ends: int64 [E, 2], each edge's vertices; uses: int64 [E], faces at it."""

    pairs: Tensor
    edge: Tensor
    ends: Tensor
    uses: Tensor


def edges(faces: Tensor) -> Edges:
    """Edges of triangles int64 [F, 3]. Where n faces share an edge, n - 1 pairs connect them."""
    count = len(faces)
    sides = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
    top = int(faces.max()) + 1 if count else 1
    keys, edge, uses = distinct_counts(sides[:, 0] * top + sides[:, 1])
    order = torch.argsort(edge, stable=True)
    owner, sorted_edge = order % max(count, 1), edge[order]
    same = sorted_edge[1:] == sorted_edge[:-1]
    pairs = torch.stack([owner[:-1][same], owner[1:][same]], 1)
    return Edges(pairs, sorted_edge[1:][same], torch.stack([keys // top, keys % top], 1), uses)


def components(pairs: Tensor, count: int) -> Tensor:
    """int64 [count]: number of the connected piece of each of ``count`` items, in the order of first items.

    Labels sink to the smallest of the neighbours', with pointer jumping (Shiloach and Vishkin 1982).
    """
    label = torch.arange(count)
    if not len(pairs):
        return label
    a, b = pairs.unbind(1)
    while True:
        low = torch.minimum(label[a], label[b])
        # Hooking roots, not items: long chains would need as many rounds as they are long.
        new = label.scatter_reduce(0, label[a], low, "amin").scatter_reduce(0, label[b], low, "amin")
        while True:
            jumped = new[new]
            if torch.equal(jumped, new):
                break
            new = jumped
        new = new[label]
        if torch.equal(new, label):
            return distinct_places(label)[1]
        label = new


def charts(face_uvs: Tensor, part_of_face: Tensor) -> Tensor:
    """int64 [F]: number of the chart of each face, in the order of first faces: faces of one part that share two
    texture coordinates are neighbours. face_uvs: int64 [F, 3]; part_of_face: int64 [F]."""
    if not len(face_uvs):
        return part_of_face
    # (parts may use the same coordinates)
    own = face_uvs + part_of_face[:, None] * (int(face_uvs.max()) + 1)
    return components(edges(own).pairs, len(own))
