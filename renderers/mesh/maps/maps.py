"""What view pixels read in the texture, and what texels read in the views: as sparse maps.

Colours never cross from one part of the surface to another that is apart from it: a pixel reads texels of its own chart
and near itself, a texel reads pixels that show its own place. Where nothing of the kind is in reach, the texel nearest
in space is read; neighbours in the texture's picture mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ....sync_core.linear_map import LinearMap
from ...arrays import tensor_of
from ...by_scipy import tree
from ...cameras.viewpoints import Viewpoint
from ...pictures import corners
from ..raster.raster import Backend, chosen_backend
from ..raster.visibility import Seen
from ..uvs.uv_raster import Texels
from .surface import Surface, pixel_step

Sampling = Literal["nearest", "bilinear"]
SAMPLINGS: tuple[Sampling, ...] = ("nearest", "bilinear")

# A texel is read where its centre is this many texels from the pixel's own place at most (a bilinear tap is up to 1.5
# away, and stretched texels are longer than wide).
_TEXELS = 5.0
# A pixel shows a texel's place when its own is this many pixel sides off the texel's plane at most, and this many away:
# when it is read alone, and when it is one of four (over the cosine).
_OFF_PLANE, _BESIDE, _ALONG = 1.0, 2.0, 2.5
# Depths of neighbouring pixels that differ by no more than this many pixel sides (a slope of 60 degrees) are of one
# surface.
_EVEN = 2.0


def _around(row: Tensor, column: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, columns (int64 [n, T]) around positions, and their weights; 0.5 is the first centre; T = 4 or 1."""
    if sampling == "nearest":
        return row.floor().long()[:, None], column.floor().long()[:, None], torch.ones(len(row), 1)
    return corners(row, column)


def texel_taps(view: Surface, texels: Texels, chart_of_face: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """What the pixels of a view read: (index of a covered texel int64 [n, T], weight float32 [n, T]).

    Weights of a pixel sum to 1: texels of another chart, or none, are left out and the others count for more.
    """
    column, row = texels.layout.wrapped(view.place, texels.origin[view.face]).unbind(1)
    rows, columns, weights = _around(row * texels.rows, column * texels.columns, sampling)
    # (a texture repeats; across the edge of a tile lies another part, which is left out below)
    rows, columns = rows % texels.rows, columns % texels.columns
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
    return tensor_of(tree(points.numpy(), compact=False, leaf=10).query(queries.numpy())[1]).long()


@dataclass(frozen=True)
class Screen:
    """A surface as an image, to be read by texels.

    number: int32 [h * w], which of the surface's pixels a pixel is, -1 for background. low, high: float32 [h * w],
    least and most depth of the four pixels here, to the right and below; nan where one of them is background.
    """

    number: Tensor
    low: Tensor
    high: Tensor

    @staticmethod
    def of(view: Surface) -> Screen:
        number = torch.full((view.height * view.width,), -1, dtype=torch.int32)
        number[view.pixel] = torch.arange(len(view.pixel), dtype=torch.int32)
        depth = torch.full((view.height * view.width,), torch.nan)
        depth[view.pixel] = view.depth
        depth = depth.reshape(view.height, view.width)
        low, high = (torch.full_like(depth, torch.nan) for _ in range(2))
        four = [depth[i : view.height - 1 + i, j : view.width - 1 + j] for i in (0, 1) for j in (0, 1)]
        low[:-1, :-1] = torch.minimum(torch.minimum(four[0], four[1]), torch.minimum(four[2], four[3]))
        high[:-1, :-1] = torch.maximum(torch.maximum(four[0], four[1]), torch.maximum(four[2], four[3]))
        return Screen(number, low.reshape(-1), high.reshape(-1))


def pixel_taps(
    seen: Seen,
    texels: Texels,
    view: Surface,
    screen: Screen,
    viewpoint: Viewpoint,
    sampling: Sampling,
    backend: Backend = "auto",
) -> tuple[Tensor, Tensor]:
    """What the texels that a camera sees read in its view: (pixel int64 [n, T], weight float32 [n, T]).

    Weights of a texel sum to 1, or are all 0 where no pixel around it shows its place (at silhouettes, of views coarser
    than it).
    """
    step = pixel_step(viewpoint, seen.depth, view.width)
    if sampling == "bilinear" and chosen_backend(backend) == "numba":
        from . import maps_numba

        return maps_numba.bilinear_taps(
            (seen.row, seen.column, seen.cosine, seen.depth, step),
            (texels.position.index_select(0, seen.point), texels.normal.index_select(0, seen.point)),
            view.position,
            (screen.number, screen.low, screen.high),
            (view.height, view.width),
            (_EVEN, _OFF_PLANE, _ALONG),
        )
    rows, columns, weights = _around(seen.row * view.height, seen.column * view.width, sampling)
    rows, columns = rows.clamp(0, view.height - 1), columns.clamp(0, view.width - 1)
    pixel = rows * view.width + columns
    if sampling == "nearest":
        reach = torch.full_like(seen.cosine, _BESIDE)
        return pixel, weights * _shows(pixel, seen, reach, texels, view, screen, viewpoint)
    # Four pixels whose depths differ by no more than a slanted plane's show one surface: no tap needs a look.
    low, high = screen.low[pixel[:, 0]], screen.high[pixel[:, 0]]
    even = (high - low <= step * _EVEN) & (low - step <= seen.depth) & (seen.depth <= high + step)
    doubtful = torch.nonzero(~even).squeeze(1)
    if doubtful.numel():
        part = seen.only(doubtful)
        # On a surface seen from the side the four pixels are far apart, but what lies between them is still right.
        shown = _shows(pixel[doubtful], part, _ALONG / part.cosine, texels, view, screen, viewpoint)
        share = weights[doubtful] * shown
        total = share.sum(1, keepdim=True)
        weights[doubtful] = torch.where(total > 1e-3, share / total.clamp_min(1e-3), 0.0)
    return pixel, weights


def _shows(
    pixel: Tensor,
    seen: Seen,
    reach: Tensor,
    texels: Texels,
    view: Surface,
    screen: Screen,
    viewpoint: Viewpoint,
) -> Tensor:
    """bool [n, T]: whether pixels show the place of the texel that would read them. reach: float32 [n], how many pixel
    sides away from it they may be."""
    number = screen.number[pixel].long()
    known = number.clamp_min(0)
    offset = view.position[known] - texels.position[seen.point][:, None]
    step = pixel_step(viewpoint, seen.depth, view.width)[:, None]
    off = (offset * texels.normal[seen.point][:, None]).sum(-1).abs()
    along = step * reach[:, None]
    return (number >= 0) & (off <= _OFF_PLANE * step) & (offset.square().sum(-1) <= along.square())


def forward_map(views: Sequence[Surface], taps: Sequence[tuple[Tensor, Tensor]], texels: Texels) -> LinearMap:
    """The projection: rows are the pixels of all views, columns the cells of the grid."""
    size = views[0].height * views[0].width
    counts = torch.zeros(len(views) * size, dtype=torch.int64)
    columns, weights = list[Tensor](), list[Tensor]()
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

    points: per view, int64 [n], which covered texels its taps are of; a texel whose weights are all 0 is left out. Rows
    of several views are not normalised.
    """
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    counts = torch.zeros(len(texels.index), dtype=torch.int64)
    for point, (pixel, weight) in zip(points, taps, strict=True):
        used = torch.nonzero(weight.sum(1)).squeeze(1)
        kept.append((point[used], pixel[used], weight[used]))
        counts[point[used]] += pixel.shape[1]
    begin = counts.cumsum(0) - counts
    total = int(counts.sum())
    indices, weights = torch.zeros(total, dtype=torch.int32), torch.zeros(total)
    for number, (point, pixel, weight) in enumerate(kept):
        # Every view writes behind those before it: sorted by construction.
        width = pixel.shape[1]
        place = begin[point][:, None] + torch.arange(width)
        indices[place] = (pixel + number * size).to(torch.int32)
        weights[place] = weight
        begin[point] += width
    per_cell = torch.zeros(texels.rows * texels.columns, dtype=torch.int64)
    per_cell[texels.index] = counts
    return _by_rows(per_cell, indices, weights, len(points) * size)
