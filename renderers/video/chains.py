"""Where what every pixel of a video shows was first seen: the steps from frame to frame, put one behind the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..pictures import corners

# A position this near to a pixel's centre is there.
_THERE = 1e-3


@dataclass(frozen=True)
class Chain:
    """Of every pixel [T, h, w]: the frame where it was first seen, its position there, and the cell nearest to it."""

    key: Tensor
    row: Tensor
    column: Tensor
    cell: Tensor

    def entries(self, between: bool) -> tuple[Tensor, Tensor]:
        """What each pixel reads, as the fields of ``Tracks``; a cell may come twice in a row."""
        if not between:
            return self.cell.reshape(-1, 1), torch.ones(self.cell.numel(), 1)
        height, width = self.cell.shape[1:]
        rows, columns, shares = corners(_snapped(self.row) + 0.5, _snapped(self.column) + 0.5)
        there = self.key.long()[..., None] * height * width + self.place(rows, columns)
        return self.cell.flatten()[there.reshape(-1, 4)], shares.reshape(-1, 4)

    def place(self, rows: Tensor, columns: Tensor) -> Tensor:
        """The number of a frame's pixel, of whole rows and columns that may lie beyond its edges."""
        height, width = self.cell.shape[1:]
        return rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)


def _snapped(position: Tensor) -> Tensor:
    whole = position.round()
    return torch.where((position - whole).abs() < _THERE, whole, position)


def chained(flow: Tensor, known: Tensor, order: Iterable[tuple[int, int]]) -> Chain:
    """flow, known: of each frame, to the one that it goes on from; order: (frame, that one), the former before the
    latter. Frames that are in no pair begin."""
    height, width = known.shape[1:]
    row, column, key, cell = beginnings(*known.shape)
    for frame, source in order:
        y, x = row[frame] + flow[frame, ..., 1], column[frame] + flow[frame, ..., 0]
        there = y.round().long().clamp(0, height - 1), x.round().long().clamp(0, width - 1)
        kept = key[source][there].long()
        # What lies beside the nearest pixel of that frame lay as far beside it where it began.
        began_y, began_x = row[source][there] + y - there[0], column[source][there] + x - there[1]
        near_y, near_x = (began_y + 0.5).floor().long(), (began_x + 0.5).floor().long()
        # (beyond the edge of that frame, the edge would be drawn out from frame to frame)
        goes = (near_y >= 0) & (near_y < height) & (near_x >= 0) & (near_x < width) & settled(known[frame])
        nearest = (kept * height + near_y.clamp(0, height - 1)) * width + near_x.clamp(0, width - 1)
        row[frame] = torch.where(goes, began_y, row[frame])
        column[frame] = torch.where(goes, began_x, column[frame])
        key[frame] = torch.where(goes, kept.to(torch.int32), key[frame])
        cell[frame] = torch.where(goes, cell.flatten()[nearest], cell[frame])
    return Chain(key, row, column, cell)


def beginnings(frames: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(row, column, key, cell) where every pixel of every frame begins by itself, to be written to."""
    row = torch.arange(height, dtype=torch.float32)[:, None].expand(frames, height, width).clone()
    column = torch.arange(width, dtype=torch.float32).expand(frames, height, width).clone()
    key = torch.arange(frames, dtype=torch.int32)[:, None, None].expand(frames, height, width).clone()
    return row, column, key, torch.arange(frames * height * width, dtype=torch.int32).reshape(frames, height, width)


def settled(known: Tensor) -> Tensor:
    """Without single pixels that are known or unknown among others [h, w]."""
    if min(known.shape) < 3:
        return known
    around = torch.nn.functional.avg_pool2d(known.float()[None, None], 3, 1, 1, count_include_pad=False)[0, 0]
    return torch.where(around > 0.85, True, torch.where(around < 0.15, False, known))
