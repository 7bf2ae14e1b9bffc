"""The lists of ``weights.py`` by torch alone: tiles side by side, some splats deep at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...arrays import split
from .project import ALPHA_MIN, Projected
from .tiles import ALPHA_MAX, TILE, TRANSMITTANCE_MIN, Band, Lists, bands, tile_grid

# A chunk looks at this many splats deep, and at so many values at once.
DEPTH = 32
_VALUES = 1 << 20


def listed_torch(view: Projected, prune: float, every: int = 1) -> Lists:
    """The entries by torch alone: tiles side by side, ``DEPTH`` splats at a time, until no tile has light left.
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
    at_once = max(1, _VALUES // (TILE * TILE * DEPTH))
    begin = 0
    active = torch.nonzero(band.count > 0)[:, 0]
    while active.numel():
        for tiles in split(active, at_once):
            place = begin + torch.arange(DEPTH)
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
            pixel, deep = where // DEPTH, where % DEPTH
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
        begin += DEPTH
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
