"""What a video's frames show of each other, as a map: every pixel reads the cell where what it shows was first seen.

A pixel that the frame before knows (``Motion``) goes on as what it was there, any other begins as a cell of its own.
Positions are kept between the pixels of the frame where they began and rounded once, so that no error of rounding grows
with time. In a loop there are two ways to the first frame, ahead and back. A pixel that gets there on one goes that
way; one that is in view all around fades from one to the other, so that what the motion is wrong by is spread over all
frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ..pictures import corners
from .motion import Motion

# A position this near to a pixel's centre is there.
_THERE = 1e-3


@dataclass(frozen=True)
class Tracks:
    """cells: int32 [T*h*w, k], what each pixel of the frames (below each other) reads; shares: float32, how much of
    each, 0 for none, adding up to 1."""

    cells: Tensor
    shares: Tensor

    @staticmethod
    def of(motion: Motion, loop: bool, between: bool) -> Tracks:
        """between: pixels read four cells where they fall between them, else the nearest."""
        frames = motion.frames
        ahead = _chain(motion.back, motion.behind, ((t, t - 1) for t in range(1, frames)))
        found = ahead.entries(between)
        if not loop or frames == 1:
            return found
        back = _chain(motion.ahead, motion.before, ((t, (t + 1) % frames) for t in range(frames - 1, 0, -1)))
        late = (torch.arange(frames) / frames)[:, None, None].expand(ahead.key.shape)
        # (the same all along what is one thing, which would else be made twice and mixed)
        late = torch.where(ahead.key == 0, torch.where(back.key == 0, late, 0.0), (back.key == 0).float())
        late = late.reshape(-1, 1)
        other = back.entries(between)
        cells = torch.cat([found.cells, other.cells], 1)
        return _merged(cells, torch.cat([found.shares * (1 - late), other.shares * late], 1))

    @property
    def most(self) -> int:
        """Cells that a pixel reads at most."""
        return self.cells.shape[1]

    @property
    def first(self) -> Tensor:
        """int64 [T*h*w]: the cell that each pixel reads most of."""
        return self.cells.gather(1, self.shares.argmax(1, keepdim=True))[:, 0].long()

    def seen_by(self, pixels: Tensor) -> LinearMap:
        """The map of views whose pixels are those of the frames, int64 [n]."""
        cells, shares = self.cells[pixels], self.shares[pixels]
        kept = shares > 0
        offsets = torch.zeros(len(pixels) + 1, dtype=torch.int32)
        offsets[1:] = kept.sum(1).cumsum(0)
        return LinearMap(offsets, cells[kept], shares[kept], len(self.cells))


@dataclass(frozen=True)
class _Chain:
    """Of every pixel [T, h, w]: the frame where it was first seen, its position there, and the cell nearest to it."""

    key: Tensor
    row: Tensor
    column: Tensor
    cell: Tensor

    def entries(self, between: bool) -> Tracks:
        if not between:
            return Tracks(self.cell.reshape(-1, 1), torch.ones(self.cell.numel(), 1))
        height, width = self.cell.shape[1:]
        rows, columns, shares = corners(_snapped(self.row) + 0.5, _snapped(self.column) + 0.5)
        key = self.key.long()[..., None]
        there = (key * height + rows.clamp(0, height - 1)) * width + columns.clamp(0, width - 1)
        return _merged(self.cell.flatten()[there.reshape(-1, 4)], shares.reshape(-1, 4))


def _snapped(position: Tensor) -> Tensor:
    whole = position.round()
    return torch.where((position - whole).abs() < _THERE, whole, position)


def _chain(flow: Tensor, known: Tensor, order: Iterable[tuple[int, int]]) -> _Chain:
    """flow, known: of each frame, to the one that it goes on from; order: (frame, that one), the former before the
    latter. Frames that are in no pair begin."""
    frames, height, width = known.shape
    row = torch.arange(height, dtype=torch.float32)[:, None].expand(frames, height, width).clone()
    column = torch.arange(width, dtype=torch.float32).expand(frames, height, width).clone()
    key = torch.arange(frames, dtype=torch.int32)[:, None, None].expand(frames, height, width).clone()
    cell = torch.arange(known.numel(), dtype=torch.int32).reshape(known.shape)
    for frame, source in order:
        y, x = row[frame] + flow[frame, ..., 1], column[frame] + flow[frame, ..., 0]
        there = y.round().long().clamp(0, height - 1), x.round().long().clamp(0, width - 1)
        kept = key[source][there].long()
        # What lies beside the nearest pixel of that frame lay as far beside it where it began.
        began_y, began_x = row[source][there] + y - there[0], column[source][there] + x - there[1]
        near_y, near_x = (began_y + 0.5).floor().long(), (began_x + 0.5).floor().long()
        # (beyond the edge of that frame, the edge would be drawn out from frame to frame)
        goes = (near_y >= 0) & (near_y < height) & (near_x >= 0) & (near_x < width) & _settled(known[frame])
        nearest = (kept * height + near_y.clamp(0, height - 1)) * width + near_x.clamp(0, width - 1)
        row[frame] = torch.where(goes, began_y, row[frame])
        column[frame] = torch.where(goes, began_x, column[frame])
        key[frame] = torch.where(goes, kept.to(torch.int32), key[frame])
        cell[frame] = torch.where(goes, cell.flatten()[nearest], cell[frame])
    return _Chain(key, row, column, cell)


def _settled(known: Tensor) -> Tensor:
    """Without single pixels that are known or unknown among others [h, w]."""
    if min(known.shape) < 3:
        return known
    around = torch.nn.functional.avg_pool2d(known.float()[None, None], 3, 1, 1, count_include_pad=False)[0, 0]
    return torch.where(around > 0.85, True, torch.where(around < 0.15, False, known))


def _merged(cells: Tensor, shares: Tensor) -> Tracks:
    """The same, no cell twice in a row."""
    shares = shares.clone()
    for later in range(1, cells.shape[1]):
        for earlier in range(later):
            same = cells[:, later] == cells[:, earlier]
            shares[:, earlier] += torch.where(same, shares[:, later], 0.0)
            shares[:, later] = torch.where(same, 0.0, shares[:, later])
    return Tracks(cells, shares)
