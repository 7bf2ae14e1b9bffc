"""Windows of a plane as views that are made one at a time (``sync_core/walked.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ...sync_core.view_source import Block, Reading
from .space import Placement, Taper, window_weights


@dataclass(frozen=True)
class WindowWalk:
    """The placement's windows, in reading order. See ``walked.ViewSource``."""

    placement: Placement
    taper: Taper

    one_to_one = True
    background = changing = False

    @property
    def canonical(self) -> tuple[int, ...]:
        return self.placement.grid

    @property
    def count(self) -> int:
        return self.placement.count

    @property
    def height(self) -> int:
        return self.placement.height

    @property
    def width(self) -> int:
        return self.placement.width

    @cached_property
    def _single(self) -> LinearMap:
        """The first cells, one for each pixel."""
        pixels = self.height * self.width
        cells = self.placement.grid[0] * self.placement.grid[1]
        index = torch.arange(pixels, dtype=torch.int32)
        return LinearMap(torch.arange(pixels + 1, dtype=torch.int32), index, torch.ones(pixels), cells)

    @cached_property
    def _weights(self) -> Tensor:
        return window_weights(self.placement, self.taper).reshape(-1)

    def forward(self, number: int) -> LinearMap:
        """One cell for each pixel of a window."""
        rows, columns = self.placement.grid
        top, left = divmod(number, len(self.placement.columns))
        y = (self.placement.rows[top] + torch.arange(self.height, dtype=torch.int32)) % rows
        x = (self.placement.columns[left] + torch.arange(self.width, dtype=torch.int32)) % columns
        single = self._single
        return LinearMap(single.offsets, (y[:, None] * columns + x).reshape(-1), single.weights, single.cols)

    def gather(self, number: int) -> Reading | None:
        return None

    def blocks(self, number: int) -> tuple[Block, ...]:
        """One, or the parts on each side of an edge that a window reaches around."""
        rows, columns = self.placement.grid
        top, left = divmod(number, len(self.placement.columns))
        down = _pieces(self.placement.rows[top], self.height, rows)
        across = _pieces(self.placement.columns[left], self.width, columns)
        return tuple(Block((y, x), (row, column)) for y, row in down for x, column in across)

    def weights(self, number: int, progress: float = 0.0) -> Tensor:
        return self._weights

    def views_per_cell(self) -> Tensor | None:
        rows, columns = self._sides()
        return (rows.sum(0)[:, None] * columns.sum(0)).reshape(-1)

    def shared_cells(self) -> Tensor | None:
        rows, columns = (side.double() for side in self._sides())
        return torch.kron(rows @ rows.T, columns @ columns.T).long()

    def _sides(self) -> tuple[Tensor, Tensor]:
        """int64 [rows of windows, rows], [columns of windows, columns]: 1 where the windows reach."""
        placement = self.placement
        return (
            _reached(placement.rows, placement.height, placement.grid[0]),
            _reached(placement.columns, placement.width, placement.grid[1]),
        )


def _reached(starts: tuple[int, ...], size: int, length: int) -> Tensor:
    reached = torch.zeros(len(starts), length, dtype=torch.int64)
    return reached.scatter_(1, (torch.tensor(starts)[:, None] + torch.arange(size)) % length, 1)


def _pieces(start: int, size: int, length: int) -> list[tuple[slice, slice]]:
    """(pixels of a window, cells of a line of ``length``) of the parts of a window that goes around it."""
    found, done = list[tuple[slice, slice]](), 0
    while done < size:
        place = (start + done) % length
        count = min(size - done, length - place)
        found.append((slice(done, done + count), slice(place, place + count)))
        done += count
    return found
