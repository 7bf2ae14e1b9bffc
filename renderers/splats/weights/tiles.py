"""What the backends of ``weights.py`` share: tiles of a view, the splats that reach them, and the lists they fill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ....sync_core.linear_map import LinearMap
from ...arrays import integers
from .project import Projected

ALPHA_MAX = 0.999
TRANSMITTANCE_MIN = 1e-4

# A tile is this many pixels wide and high.
TILE = 8
# Pairs of (splat, tile) listed at once.
_PAIRS = 1 << 22


@dataclass(frozen=True)
class ViewWeights:
    """``map``: [h * w, K], what each pixel mixes, nearest first. ``alpha``: float32 [h * w], how much of a pixel is
    splats, the sum of its weights; the rest is background."""

    map: LinearMap
    alpha: Tensor


@dataclass(frozen=True)
class Lists:
    """Entries in any order: pixel int32, rank in its pixel int32, row of ``Projected`` int32, weight float32, [n] each;
    ``alpha`` float32 [h * w] with what pruning left out."""

    pixel: Tensor
    rank: Tensor
    seen: Tensor
    weight: Tensor
    alpha: Tensor


@dataclass(frozen=True)
class Band:
    """Some rows of tiles: ``splat`` int64 [pairs] rows of ``Projected``, tile by tile, nearest first; ``start``,
    ``count`` int64 [tiles]; ``first``: the number of the first tile."""

    splat: Tensor
    start: Tensor
    count: Tensor
    first: int


def tile_grid(view: Projected) -> tuple[int, int]:
    """Rows and columns of tiles."""
    return -(-view.height // TILE), -(-view.width // TILE)


def tile_boxes(view: Projected) -> tuple[Tensor, Tensor]:
    """int64 ([n, 2], [n, 2]): first and last tile (x, y) that each splat reaches."""
    size = torch.tensor([view.width, view.height])
    first = (view.mean - view.extent - 0.5).ceil().long().clamp_min(0)
    last = torch.minimum((view.mean + view.extent - 0.5).floor().long(), size - 1)
    # (a box between two pixel centres reaches none)
    return first // TILE, torch.where(last < first, first // TILE - 1, last // TILE)


def bands(view: Projected, pairs: int = _PAIRS, every: int = 1) -> Iterator[Band]:
    """Tiles with the splats that reach them, some rows of tiles at a time so that at most about ``pairs`` are listed
    at once. every: only each so-many-th tile is given splats (for estimates)."""
    rows, columns = tile_grid(view)
    (x0, y0), (x1, y1) = (box.unbind(1) for box in tile_boxes(view))
    wide = (x1 - x0 + 1).clamp_min(0)
    change = torch.zeros(rows + 1, dtype=torch.int64)
    change.index_add_(0, y0, wide).index_add_(0, (y1 + 1).clamp_min(0), -wide)
    per_row = integers(change.cumsum(0)[:rows])
    top = 0
    while top < rows:
        bottom, listed = top + 1, per_row[top]
        while bottom < rows and listed + per_row[bottom] <= pairs:
            listed += per_row[bottom]
            bottom += 1
        high = torch.minimum(y1, torch.tensor(bottom - 1)) - y0.clamp_min(top) + 1
        number = wide * high.clamp_min(0)
        splat = torch.repeat_interleave(torch.arange(len(view)), number)
        begin = torch.cumsum(number, 0) - number
        nth = torch.arange(len(splat)) - begin[splat]
        tile = (nth // wide[splat] + y0.clamp_min(top)[splat] - top) * columns + nth % wide[splat] + x0[splat]
        if every > 1:
            chosen = (tile + top * columns) % every == 0
            splat, tile = splat[chosen], tile[chosen]
        tile, order = torch.sort(tile.to(torch.int32), stable=True)
        count = torch.bincount(tile, minlength=(bottom - top) * columns)
        yield Band(splat[order], torch.cumsum(count, 0) - count, count, top * columns)
        top = bottom
