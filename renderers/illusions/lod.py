"""Level-of-detail warping: views that show the picture smaller read it blurred to their own grain, and decide no finer
detail than they can see (LookingGlass, CVPR 2025, Laplacian pyramid warping; the maps and filters here are our own).

A view pixel that covers s cells of the picture across reads level log2 s of its pyramid of block means, between two
levels linearly. The way back splits each unwarped view into bands of detail; a band is averaged over the views that
resolve it there, so that a view in a shrinking mirror sets the colours of a place and leaves its texture to the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...sync_core.aggregate import Aggregator
from ...sync_core.linear_map import LinearMap
from ...sync_core.variance import gaussian
from ..arrays import norm, unflatten
from ..panorama.space import pixel_taps
from ..pictures import filtered

DEEPEST = 5  # 32 x 32 cells for one view pixel


def levels_of(row: Tensor, column: Tensor, height: int, width: int) -> Tensor:
    """float64 [height * width], 0 to DEEPEST: log2 of how many cells apart neighbouring view pixels look (the wider).

    row, column [height * width]: where they look, nan: nowhere (level 0). At a tear, where one neighbour looks
    elsewhere, the other one counts.
    """
    place = torch.stack([row, column]).reshape(2, height, width)
    widest = torch.zeros(height, width, dtype=torch.float64)
    for axis in (1, 2):
        step = norm(place.diff(dim=axis), 0)
        step = torch.where(torch.isnan(step), torch.inf, step)
        edge = torch.full_like(place[0].narrow(axis - 1, 0, 1), torch.inf)
        near = torch.minimum(torch.cat([step, edge], axis - 1), torch.cat([edge, step], axis - 1))
        widest = torch.maximum(widest, torch.where(torch.isinf(near), 0.0, near))
    return widest.clamp_min(1.0).log2().clamp_max(DEEPEST).flatten()


def lod_map(row: Tensor, column: Tensor, height: int, width: int) -> LinearMap:
    """A map whose row i reads an image of height x width at (row, column)[i], blurred to the view's grain there; every
    row that reads anything sums to 1. Outside or nan it reads nothing."""
    seen = (row >= 0) & (row <= height) & (column >= 0) & (column <= width)  # nan is neither
    level = levels_of(row, column, height, width)
    pieces: list[tuple[Tensor, Tensor, Tensor]] = []
    for number in range(DEEPEST + 1):
        share = (1 - (level - number).abs()).clamp_min(0) * seen
        at = torch.nonzero(share > 1e-9).squeeze(1)
        if at.numel():
            index, weight = _block_taps(row[at], column[at], height, width, 2**number)
            own = at[:, None].expand_as(index)
            weight = weight * share[at][:, None]
            keep = weight != 0
            pieces.append((own[keep], index[keep], weight[keep]))
    rows, cells, weights = (torch.cat(part) for part in zip(*pieces, strict=True))
    return LinearMap.from_entries(len(row), height * width, rows, cells, weights.float())


def _block_taps(row: Tensor, column: Tensor, height: int, width: int, block: int) -> tuple[Tensor, Tensor]:
    """(cells int64, weights float64) [n, 4 block^2]: the bilinear reading of the means of blocks; blocks that stick out
    of the picture are means of what is in it."""
    rows, columns = -(-height // block), -(-width // block)
    index, weight = pixel_taps(row / block, column / block, rows, columns, "bilinear")
    top, left = index // columns * block, index % columns * block
    inner = torch.arange(block)
    y = (top[..., None, None] + inner[:, None]).expand(*top.shape, block, block)
    x = (left[..., None, None] + inner).expand(*top.shape, block, block)
    inside = (y < height) & (x < width)
    share = weight.double()[..., None, None] * inside / inside.sum((-1, -2), keepdim=True)
    cell = (y * width + x).clamp_max(height * width - 1)
    return cell.flatten(1), share.flatten(1)


@dataclass(frozen=True)
class DetailMean:
    """A for rigs with level-of-detail views. ``unwarp``: brings each view alone back to the picture's cells;
    ``seen`` float [N, H, W]: how much each view counts where; ``levels`` [N, H, W]: the finest detail it resolves
    there (0: cells, n: 2^n cells)."""

    unwarp: tuple[Aggregator, ...]
    seen: Tensor
    levels: Tensor

    def __call__(self, batch: Tensor) -> Tensor:
        """[B*N, C, h, w] -> [B, C, H, W]."""
        views = unflatten(batch, 0, (-1, len(self.unwarp)))
        deepest = int(self.levels.max().ceil()) if self.levels.numel() else 0
        totals = [torch.zeros_like(views[:, 0]) for _ in range(deepest + 1)]
        weights = [views.new_zeros(views.shape[-2:]) for _ in range(deepest + 1)]
        for number, back in enumerate(self.unwarp):
            counts, level = self.seen[number].to(views), self.levels[number].to(views)
            for band, detail in enumerate(bands(back(views[:, number]), counts > 0, deepest)):
                # The last one is what is left below all bands: every view knows that.
                knows = counts * ((1 + band - level).clamp(0, 1) if band < deepest else 1.0)
                totals[band] += knows * detail
                weights[band] += knows
        return sum((t / w.clamp_min(1e-12) for t, w in zip(totals, weights, strict=True)), torch.zeros_like(totals[0]))

    def to(self, device: torch.device | str) -> DetailMean:
        moved = tuple(replace(a, views=a.views.to(device)) for a in self.unwarp)
        return DetailMean(moved, self.seen.to(device), self.levels.to(device))


def bands(picture: Tensor, seen: Tensor, count: int) -> list[Tensor]:
    """A picture [B, C, H, W] as ``count`` bands of detail, finest first, and what is left: they add up to it where
    ``seen`` bool [H, W]. Places that are not seen have no part in the blurs."""
    mask = seen.to(picture)[None, None]
    parts: list[Tensor] = []
    last = picture * mask
    for band in range(count):
        kernel = gaussian(0.75 * 2**band)
        given, share = (filtered(filtered(p, kernel[:, None]), kernel[None]) for p in (last * mask, mask))
        blurred = given / share.clamp_min(1e-6) * mask
        parts.append(last - blurred)
        last = blurred
    return [*parts, last]
