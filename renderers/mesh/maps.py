"""What view pixels read in the texture, and what texels read in the views: as sparse maps.

Colours never cross from one part of the surface to another that is apart from it: a pixel reads texels of its own chart
and near itself, a texel reads pixels that show its own place. Where nothing of the kind is in reach, the texel nearest
in space is read; neighbours in the texture's picture mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ..viewpoints import Viewpoint
from .surface import Surface, pixel_step
from .uv_raster import Texels
from .visibility import Seen

Sampling = Literal["nearest", "bilinear"]
SAMPLINGS: tuple[Sampling, ...] = ("nearest", "bilinear")

# A texel is read where its centre is this many texels from the pixel's own place at most (a bilinear tap is up to 1.5
# away, and stretched texels are longer than wide).
_TEXELS = 5.0
# A pixel shows a texel's place when it is this many pixels off its plane, and along it, at most.
_OFF_PLANE, _ALONG = 1.0, 2.5


def _corners(row: Tensor, column: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, columns (int64 [n, T]) around positions, and their weights; 0.5 is the first centre; T = 4 or 1."""
    if sampling == "nearest":
        return row.floor().long()[:, None], column.floor().long()[:, None], torch.ones(len(row), 1)
    top, left = (row - 0.5).floor(), (column - 0.5).floor()
    down, right = (row - 0.5 - top)[:, None], (column - 0.5 - left)[:, None]
    rows = top.long()[:, None] + torch.tensor([0, 0, 1, 1])
    columns = left.long()[:, None] + torch.tensor([0, 1, 0, 1])
    weights = torch.cat([1 - down, down], 1).repeat_interleave(2, 1) * torch.cat([1 - right, right], 1).repeat(1, 2)
    return rows, columns, weights


def texel_taps(view: Surface, texels: Texels, chart_of_face: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """What the pixels of a view read: (index of a covered texel int64 [n, T], weight float32 [n, T]).

    Weights of a pixel sum to 1: texels of another chart, or none, are left out and the others count for more.
    """
    row = view.place[:, 1] * texels.rows
    column = view.place[:, 0] * texels.columns
    rows, columns, weights = _corners(row, column, sampling)
    rows, columns = rows.clamp(0, texels.rows - 1), columns.clamp(0, texels.columns - 1)
    index = texels.place[rows * texels.columns + columns].long()
    known = index.clamp_min(0)
    away = (texels.position[known] - view.position[:, None]).square().sum(-1)
    near = away <= (_TEXELS * texels.size[known]).square()
    weights = weights * ((index >= 0) & near & (texels.chart[known] == chart_of_face[view.face][:, None]))
    total = weights.sum(1, keepdim=True)
    # A share this small is no place to extrapolate from.
    lost = torch.nonzero(total[:, 0] < 1e-3).squeeze(1)
    weights = weights / total.clamp_min(1e-3)
    if lost.numel():
        known[lost, 0] = nearest_in_space(texels.position, view.position[lost])
        weights[lost] = 0
        weights[lost, 0] = 1
    return known, weights


def nearest_in_space(points: Tensor, queries: Tensor) -> Tensor:
    """int64 [m]: which of ``points`` [n, 3] is nearest to each of ``queries`` [m, 3]."""
    from scipy.spatial import KDTree

    tree = KDTree(points.numpy(), balanced_tree=False, compact_nodes=False)
    return torch.from_numpy(tree.query(queries.numpy())[1]).long()


def pixel_taps(
    seen: Seen, texels: Texels, view: Surface, number_at: Tensor, viewpoint: Viewpoint, sampling: Sampling
) -> tuple[Tensor, Tensor]:
    """What the texels that a camera sees read in its view: (pixel int64 [n, T], weight float32 [n, T]).

    number_at: int32 [h * w], which of the surface's pixels a pixel of the view is, -1 for background. Weights of a
    texel sum to 1, or are all 0 where no pixel around it shows its place (at silhouettes, of views coarser than it).
    """
    rows, columns, weights = _corners(seen.row * view.height, seen.column * view.width, sampling)
    rows, columns = rows.clamp(0, view.height - 1), columns.clamp(0, view.width - 1)
    pixel = rows * view.width + columns
    number = number_at[pixel].long()
    known = number.clamp_min(0)
    offset = view.position[known] - texels.position[seen.point][:, None]
    step = pixel_step(viewpoint, seen.depth, view.width)[:, None]
    off = (offset * texels.normal[seen.point][:, None]).sum(-1).abs()
    along = step * _ALONG / seen.cosine[:, None]
    weights = weights * ((number >= 0) & (off <= _OFF_PLANE * step) & (offset.square().sum(-1) <= along.square()))
    total = weights.sum(1, keepdim=True)
    return pixel, torch.where(total > 1e-3, weights / total.clamp_min(1e-3), 0.0)


def numbers(view: Surface) -> Tensor:
    """int32 [h * w]: which of the surface's pixels a pixel of the view is, -1 for background."""
    place = torch.full((view.height * view.width,), -1, dtype=torch.int32)
    place[view.pixel] = torch.arange(len(view.pixel), dtype=torch.int32)
    return place


def forward_map(views: Sequence[Surface], taps: Sequence[tuple[Tensor, Tensor]], texels: Texels) -> LinearMap:
    """The projection: rows are the pixels of all views, columns the cells of the grid."""
    size = views[0].height * views[0].width
    counts = torch.zeros(len(views) * size, dtype=torch.int64)
    columns, weights = [], []
    for number, (view, (index, weight)) in enumerate(zip(views, taps, strict=True)):
        used = weight > 0
        counts[number * size + view.pixel] = used.sum(1)
        columns.append(texels.index[index[used]].to(torch.int32))
        weights.append(weight[used])
    return _by_rows(counts, torch.cat(columns), torch.cat(weights), texels.rows * texels.columns)


def _by_rows(counts: Tensor, indices: Tensor, weights: Tensor, cols: int) -> LinearMap:
    offsets = torch.zeros(len(counts) + 1, dtype=torch.int64)
    offsets[1:] = counts.cumsum(0)
    return LinearMap(offsets.to(torch.int32), indices, weights, cols)


def gather_map(points: Sequence[Tensor], taps: Sequence[tuple[Tensor, Tensor]], size: int, texels: Texels) -> LinearMap:
    """What cells read in the views: rows are the cells of the grid, columns the ``size`` pixels of each view.

    points: per view, int64 [n], which covered texels its taps are of. Rows of several views are not normalised.
    """
    counts = torch.zeros(len(texels.index), dtype=torch.int64)
    for point, (_, weight) in zip(points, taps, strict=True):
        counts[point] += (weight > 0).sum(1)
    begin = counts.cumsum(0) - counts
    total = int(counts.sum())
    indices, weights = torch.zeros(total, dtype=torch.int32), torch.zeros(total)
    for number, (point, (pixel, weight)) in enumerate(zip(points, taps, strict=True)):
        used = weight > 0
        # Every view writes behind those before it: sorted by construction.
        place = (begin[point][:, None] + used.cumsum(1) - 1)[used]
        indices[place] = (pixel[used] + number * size).to(torch.int32)
        weights[place] = weight[used]
        begin[point] += used.sum(1)
    per_cell = torch.zeros(texels.rows * texels.columns, dtype=torch.int64)
    per_cell[texels.index] = counts
    return _by_rows(per_cell, indices, weights, len(points) * size)
