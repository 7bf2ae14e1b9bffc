"""Columns rolled down, each further than the last."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..warp import Permutation, centres


@dataclass(frozen=True)
class Skew(Permutation):
    """Column i is rolled down by int(slope (i - width / 2)) rows, around the edge (Visual Anagrams: slope 1.5)."""

    slope: float = 1.5

    name = "skew"

    def shifts(self, width: int) -> Tensor:
        """int64 [width]: rows each column goes down, truncated towards 0."""
        return (self.slope * (torch.arange(width, dtype=torch.float64) - width / 2)).long()

    def rearranged(self, grid: Tensor) -> Tensor:
        height, width = grid.shape
        rows = (torch.arange(height)[:, None] - self.shifts(width)) % height
        return grid[rows, torch.arange(width)]

    def positions(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        row, column = centres(height, width)
        return (row + t * self.shifts(width).repeat(height)) % height, column
