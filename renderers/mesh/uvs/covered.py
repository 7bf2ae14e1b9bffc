"""Texels that triangles in the texture cover, each triangle for itself: for checks, and to copy triangle by triangle.

A texel belongs to at most one of two faces that share an edge, so that counting twice means overlap. What is painted
asks ``uv_raster`` instead: there no centre on an edge may be lost, and the first face keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

# So many texels in triangles' bounding boxes at once: 100 MB of intermediates.
CHUNK = 1 << 21


def covered_texels(uvs: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Triangles [F, 3, 2] in texture coordinates -> pieces of (face, texel): every texel of a size x size texture
    whose centre a face covers. Texel = row * size + column, row 0 at v = 0. Those outside the texture are left out.

    Centres are moved by an irrational hair so that none lies on an edge shared by two faces.
    """
    corner = uvs.double() * size - torch.tensor([0.5 + 1.23e-7, 0.5 + 3.21e-7], dtype=torch.float64)
    low = corner.amin(1).ceil().clamp(0, size).long()
    high = corner.amax(1).floor().clamp(-1, size - 1).long()
    extent = (high - low + 1).clamp_min(0)
    boxes = extent[:, 0] * extent[:, 1]
    faces = boxes.nonzero()[:, 0]
    ends = boxes[faces].cumsum(0)
    begin = 0
    while begin < len(faces):
        before = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(torch.searchsorted(ends, before + CHUNK, right=True)))
        yield _covered(corner, low, extent, faces[begin:end], size)
        begin = end


def _covered(corner: Tensor, low: Tensor, extent: Tensor, faces: Tensor, size: int) -> tuple[Tensor, Tensor]:
    count = extent[faces].prod(1)
    face = faces.repeat_interleave(count)
    place = torch.arange(len(face)) - (count.cumsum(0) - count).repeat_interleave(count)
    x = low[face, 0] + place % extent[face, 0]
    y = low[face, 1] + place // extent[face, 0]
    inside = [torch.zeros(0)] * 3
    for i in range(3):
        a, b = corner[:, i], corner[:, (i + 1) % 3]
        d = b - a
        inside[i] = d[face, 0] * (y - a[face, 1]) - d[face, 1] * (x - a[face, 0])
    positive = (inside[0] > 0) & (inside[1] > 0) & (inside[2] > 0)
    negative = (inside[0] < 0) & (inside[1] < 0) & (inside[2] < 0)
    hit = positive | negative
    return face[hit], (y * size + x)[hit]


def work(uvs: Tensor, size: int) -> int:
    """Texels in the bounding boxes of triangles [F, 3, 2]: what ``covered_texels`` looks at."""
    corner = uvs.double() * size
    return int((corner.amax(1).clamp(0, size) - corner.amin(1).clamp(0, size)).ceil().prod(1).sum())
