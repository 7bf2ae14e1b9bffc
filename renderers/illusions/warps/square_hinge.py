"""Nine squares that turn on their hinges, neighbours against each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..warp import Permutation, centres, turned


@dataclass(frozen=True)
class SquareHinge(Permutation):
    """``count`` x ``count`` squares turned by a quarter, clockwise and counter-clockwise in turn (Visual Anagrams: 3).

    Squares have side floor(shorter side / count); rows and columns that are left over at the end stay.
    """

    count: int = 3

    name = "square_hinge"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count {self.count}: use 1 square or more along a side, e.g. 3")

    @property
    def smallest(self) -> int:
        return self.count

    def squares(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """(top, left, side, quarters clockwise) of every square."""
        side = min(height, width) // self.count
        return [
            (i * side, j * side, side, 1 if (i + j) % 2 == 0 else -1)
            for i in range(height // side)
            for j in range(width // side)
        ]

    def rearranged(self, grid: Tensor) -> Tensor:
        result = grid.clone()
        for top, left, side, quarters in self.squares(*grid.shape):
            here = (slice(top, top + side), slice(left, left + side))
            result[here] = torch.rot90(grid[here], -quarters)
        return result

    def positions(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        row, column = (p.reshape(height, width).clone() for p in centres(height, width))
        for top, left, side, quarters in self.squares(height, width):
            here = (slice(top, top + side), slice(left, left + side))
            middle = (top + side / 2, left + side / 2)
            angle = quarters * math.pi / 2 * t
            r, c = turned(row[here], column[here], middle, angle)
            # A turning square needs room: it shrinks on the way, as hinged squares pull apart.
            size = 1 / (abs(math.sin(angle)) + abs(math.cos(angle)))
            row[here], column[here] = middle[0] + size * (r - middle[0]), middle[1] + size * (c - middle[1])
        return row.flatten(), column.flatten()
