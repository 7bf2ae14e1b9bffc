"""What each pixel of a view mixes: lists of (splat, weight), front to back.

A pixel's colour is sum_k w_k c_k plus what shines through, with w_k = alpha_k prod_{j nearer} (1 - alpha_j), alpha_k
the splat's opacity times its Gaussian at the pixel's centre. Geometry stands still, so these are one sparse matrix per
view. Cutoffs as in gsplat 1.5: alpha below 1/255 adds nothing, none is above 0.999, and a pixel is finished before the
splat that would leave less than a ten-thousandth of the light. Where that first one would lose too much, faint splats
have a limit of their own (faint.py); their weights below ``prune`` are added up over a pixel, and whenever they come to
``prune`` the splat that fills it is listed with it: what a pixel lists stays bounded, and all of it counts.

Three backends fill the lists: ``torch`` everywhere and ``numba`` where installed, on the CPU; ``gsplat`` on an NVIDIA
GPU, only when asked for and for views of which gsplat's own cutoffs take little. The lists are the same and are kept in
main memory.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from ....sync_core.linear_map import LinearMap, unique_groups
from .project import ALPHA_MIN, Projected

Backend = Literal["auto", "torch", "numba", "gsplat"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

ALPHA_MAX = 0.999
TRANSMITTANCE_MIN = 1e-4
# Weights below this are left out, and a pixel's others scaled to the same sum: half the memory for 0.5 % of the light.
PRUNE = 1e-3

# A tile is this many pixels wide and high; a chunk looks at this many splats deep, and at so many values at once.
TILE = 8
_DEPTH = 32
_VALUES = 1 << 20
# Pairs of (splat, tile) listed at once.
_PAIRS = 1 << 22


@dataclass(frozen=True)
class ViewWeights:
    """``map``: [h * w, K], what each pixel mixes, nearest first. ``alpha``: float32 [h * w], how much of a pixel is
    splats, the sum of its weights; the rest is background."""

    map: LinearMap
    alpha: Tensor


def pooled(weights: ViewWeights, width: int, parts: int, prune: float) -> ViewWeights:
    """Pixels that are the mean of ``parts`` x ``parts`` pixels of a view ``width`` pixels wide. What falls below
    ``prune`` is left out, and a pixel's others are scaled to the same sum; entries of a row are in order of column."""
    if parts == 1:
        return weights
    matrix, coarse = weights.map, width // parts
    pixel = torch.arange(matrix.rows)
    of = pixel // width // parts * coarse + pixel % width // parts
    rows = matrix.rows // parts**2
    key = of[matrix.row_of_entry] * matrix.cols + matrix.indices.long()
    distinct, place, _ = unique_groups(key)
    value = torch.zeros(len(distinct)).index_add_(0, place, matrix.weights / parts**2)
    alpha = torch.zeros(rows).index_add_(0, of, weights.alpha / parts**2)
    row = distinct // matrix.cols
    keep = value >= prune
    kept = torch.zeros(rows).index_add_(0, row[keep], value[keep])
    # (a pixel of faint splats only keeps them all)
    keep |= kept[row] == 0
    kept = torch.zeros(rows).index_add_(0, row[keep], value[keep])
    value = value * (alpha / kept.clamp_min(1e-12))[row]
    return ViewWeights(
        LinearMap.from_entries(rows, matrix.cols, row[keep], distinct[keep] % matrix.cols, value[keep]), alpha
    )


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


def chosen_backend(name: str) -> Literal["torch", "numba", "gsplat"]:
    """The backend behind a name. Raises ValueError for one that is unknown, not installed, or wants another device."""
    if name not in BACKENDS:
        raise ValueError(f"splat backend '{name}' is unknown; use one of {', '.join(BACKENDS)}")
    if name == "auto":
        return "numba" if _installed("numba") else "torch"
    if name != "torch" and not _installed(name):
        raise ValueError(f"splat backend '{name}' is not installed; pip install {name}, or use torch")
    if name == "gsplat" and not torch.cuda.is_available():
        raise ValueError("splat backend 'gsplat' needs an NVIDIA GPU, which torch does not find; use numba or torch")
    return name  # pyright: ignore[reportReturnType]


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def view_weights(view: Projected, count: int, backend: Backend = "auto", prune: float = PRUNE) -> ViewWeights:
    """The weights of one view over ``count`` splats.

    prune: weights below it are left out and the pixel's others scaled up to the same sum; 0 keeps all. Raises
    ValueError for a backend that is unknown or not installed, or cannot work here.
    """
    name = chosen_backend(backend)
    if name == "gsplat" and view.least is not None:
        name = chosen_backend("auto")
    if name == "numba":
        from .weights_numba import listed_numba

        lists = listed_numba(view, prune)
    elif name == "gsplat":
        from .weights_gsplat import listed_gsplat

        lists = listed_gsplat(view, prune)
    else:
        lists = listed_torch(view, prune)
    return _assembled(view, lists, count)


def _assembled(view: Projected, lists: Lists, count: int) -> ViewWeights:
    """Entries to rows of a matrix; what pruning took is given back to the pixel's other splats."""
    pixels = view.height * view.width
    pixel = lists.pixel.long()
    per_pixel = torch.bincount(pixel, minlength=pixels)
    offsets = torch.zeros(pixels + 1, dtype=torch.int64)
    torch.cumsum(per_pixel, 0, out=offsets[1:])
    place = offsets[pixel].add_(lists.rank)
    indices = torch.empty(len(pixel), dtype=torch.int32)
    weights = torch.empty(len(pixel), dtype=torch.float32)
    indices[place] = view.index[lists.seen.long()].to(torch.int32)
    weights[place] = lists.weight
    kept = torch.zeros(pixels).index_add_(0, pixel, lists.weight)
    scale = torch.where(kept > 0, lists.alpha / kept.clamp_min(1e-12), 0.0)
    weights *= torch.repeat_interleave(scale, per_pixel)
    alpha = torch.where(kept > 0, lists.alpha, 0.0)
    return ViewWeights(LinearMap(offsets.to(torch.int32), indices, weights, count), alpha)


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
    per_row = change.cumsum(0)[:rows].tolist()
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


def listed_torch(view: Projected, prune: float, every: int = 1) -> Lists:
    """The entries by torch alone: tiles side by side, ``_DEPTH`` splats at a time, until no tile has light left.
    every: of each so-many-th tile only."""
    rows, columns = tile_grid(view)
    found: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    alpha = torch.zeros(rows * columns, TILE * TILE)
    for band in bands(view, every=every):
        for chunk, tiles in _walk(view, band, prune, alpha, columns):
            found.append((_pixels(tiles, columns, view.width), *chunk))
    order = _pixels_of_tiles(rows, columns, view)
    if not found:
        none = torch.zeros(0, dtype=torch.int32)
        return Lists(none, none, none, torch.zeros(0), torch.zeros(view.height * view.width))
    pixel, rank, seen, weight = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Lists(pixel, rank, seen, weight, alpha.reshape(-1)[order])


def _walk(
    view: Projected, band: Band, prune: float, alpha: Tensor, columns: int
) -> Iterator[tuple[tuple[Tensor, Tensor, Tensor], Tensor]]:
    """Yields ((rank, seen, weight), tile * pixels-of-a-tile + pixel), and adds to ``alpha`` [tiles, pixels]."""
    number = torch.arange(len(band.count)) + band.first
    light = _inside(number, columns, view).float()
    depth_of = torch.zeros(light.shape, dtype=torch.int32)
    shapes = _Shapes.of(view)
    gathered = _Gathered.of(view, prune, light.shape)
    at_once = max(1, _VALUES // (TILE * TILE * _DEPTH))
    begin = 0
    active = torch.nonzero(band.count > 0)[:, 0]
    while active.numel():
        for tiles in active.split(at_once):
            place = begin + torch.arange(_DEPTH)
            there = place < band.count[tiles, None]
            seen = band.splat[(band.start[tiles, None] + place).clamp_max(len(band.splat) - 1)]
            value = shapes.alphas(seen, there, number[tiles], columns)
            after = torch.cumprod(1 - value, 2).mul_(light[tiles, :, None])
            before = torch.cat([light[tiles, :, None], after[:, :, :-1]], 2)
            weight = value * before * (after > TRANSMITTANCE_MIN)
            alpha[number[tiles]] += weight.sum(2)
            # A pixel that stopped inside the chunk has no light for the next.
            light[tiles] = torch.where(after[:, :, -1] > TRANSMITTANCE_MIN, after[:, :, -1], 0.0)
            keep = weight >= prune if prune > 0 else weight > 0
            if gathered is not None:
                keep = gathered.listed(weight, keep, seen, tiles)
            where = torch.nonzero(keep.reshape(-1))[:, 0]
            pixel, deep = where // _DEPTH, where % _DEPTH
            kept = keep.sum(2, dtype=torch.int32)
            earlier = (kept.reshape(-1).cumsum(0) - kept.reshape(-1))[pixel]
            rank = torch.arange(len(where)) - earlier + depth_of[tiles].reshape(-1)[pixel]
            depth_of[tiles] += kept
            tile = tiles[pixel // (TILE * TILE)]
            entry = seen[pixel // (TILE * TILE), deep].to(torch.int32)
            yield (
                (rank.to(torch.int32), entry, weight.reshape(-1)[where]),
                number[tile] * (TILE * TILE) + pixel % (TILE * TILE),
            )
        begin += _DEPTH
        active = active[(band.count[active] > begin) & (light[active].amax(1) > TRANSMITTANCE_MIN)]


@dataclass(frozen=True)
class _Gathered:
    """Weights of faint splats that are below ``prune``, added up over each pixel."""

    faint: Tensor
    sums: Tensor
    prune: float

    @staticmethod
    def of(view: Projected, prune: float, shape: torch.Size) -> _Gathered | None:
        if view.least is None or prune <= 0:
            return None
        # (from one half on: rounded, not cut off)
        return _Gathered(view.least < ALPHA_MIN, torch.full(shape, prune / 2, dtype=torch.float64), prune)

    def listed(self, weight: Tensor, keep: Tensor, seen: Tensor, tiles: Tensor) -> Tensor:
        """``keep`` [tiles, pixels, depth] and those that fill a sum, whose weight becomes ``prune``."""
        small = ~keep & self.faint[seen][:, None, :]
        sums = torch.where(small, weight, 0.0).double().cumsum(2).add_(self.sums[tiles][..., None])
        steps = torch.floor(sums / self.prune)
        full = steps.diff(dim=2, prepend=torch.zeros_like(steps[..., :1])) > 0
        self.sums[tiles] = sums[..., -1] - steps[..., -1] * self.prune
        weight[full] = self.prune
        return keep | full


@dataclass(frozen=True)
class _Shapes:
    """Splats as ``Projected.squares`` has them, for pixels of tiles."""

    mean: Tensor
    lean: Tensor
    across: Tensor
    down: Tensor
    opacity: Tensor
    limit: Tensor
    grid: Tensor

    @staticmethod
    def of(view: Projected) -> _Shapes:
        step = torch.arange(TILE) + 0.5
        grid = torch.stack([step.repeat(TILE), step.repeat_interleave(TILE), torch.ones(TILE * TILE)], 1)
        return _Shapes(view.mean, *view.squares, view.opacity.float(), view.limit.float(), grid)

    def alphas(self, seen: Tensor, there: Tensor, tile: Tensor, columns: int) -> Tensor:
        """float32 [tiles, pixels, depth]: alpha of splats ``seen`` [tiles, depth]; 0 where not ``there``."""
        corner = torch.stack([tile % columns, tile // columns], 1).double() * TILE
        away = corner[:, None] - self.mean[seen]
        lean, across, down = self.lean[seen], self.across[seen], self.down[seen]
        none = torch.zeros_like(down)
        u = torch.stack([across, across * lean, across * (away[..., 0] + lean * away[..., 1])], 1).float()
        v = torch.stack([none, down, down * away[..., 1]], 1).float()
        grid = self.grid.expand(len(seen), -1, -1)
        power = torch.bmm(grid, u).square_().add_(torch.bmm(grid, v).square_()).mul_(-0.5)
        value = power.exp_().mul_((self.opacity[seen] * there)[:, None, :]).clamp_max_(ALPHA_MAX)
        return value.mul_(value >= self.limit[seen][:, None, :])


def _inside(number: Tensor, columns: int, view: Projected) -> Tensor:
    """bool [tiles, pixels]: pixels of tiles that lie in the view."""
    step = torch.arange(TILE)
    x = (number % columns * TILE)[:, None] + step.repeat(TILE)
    y = (number // columns * TILE)[:, None] + step.repeat_interleave(TILE)
    return (x < view.width) & (y < view.height)


def _pixels(place: Tensor, columns: int, width: int) -> Tensor:
    """tile * pixels-of-a-tile + pixel -> row * width + column, int32."""
    tile, inner = place // (TILE * TILE), place % (TILE * TILE)
    row = tile // columns * TILE + inner // TILE
    return (row * width + tile % columns * TILE + inner % TILE).to(torch.int32)


def _pixels_of_tiles(rows: int, columns: int, view: Projected) -> Tensor:
    """int64 [h * w]: where each pixel stands in [tiles, pixels-of-a-tile]."""
    y, x = torch.arange(view.height)[:, None], torch.arange(view.width)
    return (((y // TILE) * columns + x // TILE) * TILE * TILE + y % TILE * TILE + x % TILE).reshape(-1)
