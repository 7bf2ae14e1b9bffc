"""A disc in the middle, turned half a turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..warp import Permutation, centres, turned


def in_disc(height: int, width: int, radius: float) -> Tensor:
    """bool [H, W]: pixels whose centre lies nearer than ``radius`` shorter sides to the middle."""
    row, column = centres(height, width)
    inside = torch.hypot(row - height / 2, column - width / 2) < radius * min(height, width)
    return inside.reshape(height, width)


def check_radius(radius: float) -> None:
    """Raise ValueError for a disc that is empty or leaves the picture."""
    if not 0 < radius <= 0.5:
        raise ValueError(f"radius {radius:g}: use a share of the shorter side above 0 and up to 0.5, e.g. 0.375")


@dataclass(frozen=True)
class InnerCircle(Permutation):
    """The disc of ``radius`` (share of the shorter side; Visual Anagrams 3/8) seen upside down, the rest as it is."""

    radius: float = 0.375

    name = "inner_circle"

    def __post_init__(self) -> None:
        check_radius(self.radius)

    def rearranged(self, grid: Tensor) -> Tensor:
        height, width = grid.shape
        return torch.where(in_disc(height, width, self.radius), torch.rot90(grid, 2), grid)

    def positions(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        row, column = centres(height, width)
        angle = in_disc(height, width, self.radius).flatten() * math.pi * t
        return turned(row, column, (height / 2, width / 2), angle)
