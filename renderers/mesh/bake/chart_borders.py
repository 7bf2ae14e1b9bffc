"""Cells along the borders of charts that hold no texel's centre, but are read where a chart ends.

At a narrow tip the nearest texel in the picture may belong to another chart; the nearest on the surface never does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...arrays import distinct_counts, tensor_of
from ...by_scipy import tree
from ..space import MeshTexture
from ..uvs.uv_raster import Texels, first_of_each

# Places along a border, per cell that it passes.
_PER_CELL = 2


@dataclass(frozen=True)
class Borders:
    """cell: int64 [m], uncovered cells of the grid that bilinear look-ups on a chart's border read; texel: int64 [m],
    the covered texel that is nearest to that border on the surface."""

    cell: Tensor
    texel: Tensor


def borders(space: MeshTexture, grid: Texels) -> Borders:
    """Of a grid over the space's picture; kept with the space."""
    return space.kept.get(("borders", grid.rows, grid.columns), lambda: _borders(space, grid))


def _borders(space: MeshTexture, grid: Texels) -> Borders:
    mesh, size = space.mesh, torch.tensor([grid.columns, grid.rows]).double()
    face, one, two = _border_edges(space)
    begin, end = space.places[face, one], space.places[face, two]
    cells = ((end - begin) * size).abs().amax(1)
    count = (cells * _PER_CELL).ceil().long().clamp(1, 4 * (grid.rows + grid.columns)) + 1
    edge = torch.repeat_interleave(torch.arange(len(face)), count)
    step = torch.arange(len(edge)) - (count.cumsum(0) - count)[edge]
    along = (step.double() / (count[edge] - 1))[:, None]
    face = face[edge]
    place = grid.layout.wrapped(torch.lerp(begin[edge], end[edge], along), grid.origin[face])
    corner = mesh.vertices.double()[mesh.faces[face]]
    row = torch.arange(len(face))
    position = torch.lerp(corner[row, one[edge]], corner[row, two[edge]], along)
    # The four cells around each place, as a bilinear look-up has them.
    at = place * size - 0.5
    low = at.floor()
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    around = low[:, None] + corners
    far = (around - at[:, None]).square().sum(-1).reshape(-1)
    around = torch.minimum(around.clamp_min(0), size - 1).long()
    cell = (around[..., 1] * grid.columns + around[..., 0]).reshape(-1)
    sample = torch.arange(len(face)).repeat_interleave(4)
    free = grid.place[cell] < 0
    cell, sample, far = cell[free], sample[free], far[free]
    order = far.argsort(stable=True)
    cell, first = first_of_each(cell[order])
    sample = sample[order][first]
    return Borders(cell, _nearest(grid, position[sample], mesh.face_normals[face[sample]]))


def _border_edges(space: MeshTexture) -> tuple[Tensor, Tensor, Tensor]:
    """Edges that one face of the texture has for itself: (face, its first and second corner), int64 [E] each."""
    faces = space.mesh.face_uvs
    pairs = torch.stack([faces, faces.roll(-1, 1)], -1).reshape(-1, 2).sort(1)[0]
    key = pairs[:, 0] * (int(faces.max()) + 1) + pairs[:, 1]
    _, where, times = distinct_counts(key)
    alone = torch.nonzero(times[where] == 1).squeeze(1)
    return alone // 3, alone % 3, (alone % 3 + 1) % 3


def _nearest(grid: Texels, position: Tensor, normal: Tensor) -> Tensor:
    """int64 [m]: the nearest texel; the two sides of a sheet are apart."""
    apart = 4 * float(grid.size.median())
    known = tree(np.concatenate([grid.position.numpy(), apart * grid.normal.numpy()], 1))
    return tensor_of(known.query(np.concatenate([position.numpy(), apart * normal.numpy()], 1))[1]).long()
