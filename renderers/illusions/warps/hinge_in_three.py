"""A picture of three panels whose outer ones turn over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..warp import Permutation, centres, turned


@dataclass(frozen=True)
class HingeInThree(Permutation):
    """Three upright panels: the outer two make half a turn, the middle stays. Panels are floor(width / 3) wide; what is
    left over belongs to the middle."""

    name = "hinge_in_three"

    @property
    def smallest(self) -> int:
        return 3

    def rearranged(self, grid: Tensor) -> Tensor:
        panel = grid.shape[1] // 3
        result = grid.clone()
        for here in (slice(0, panel), slice(grid.shape[1] - panel, None)):
            result[:, here] = torch.rot90(grid[:, here], 2)
        return result

    def positions(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        row, column = (p.reshape(height, width).clone() for p in centres(height, width))
        panel = width // 3
        angle = math.pi * t
        size = min(1.0, height / (abs(math.cos(angle)) * height + abs(math.sin(angle)) * panel))
        size = min(size, panel / (abs(math.cos(angle)) * panel + abs(math.sin(angle)) * height))
        for here, middle in (
            (slice(0, panel), (height / 2, panel / 2)),
            (slice(width - panel, None), (height / 2, width - panel / 2)),
        ):
            r, c = turned(row[:, here], column[:, here], middle, angle)
            row[:, here], column[:, here] = middle[0] + size * (r - middle[0]), middle[1] + size * (c - middle[1])
        return row.flatten(), column.flatten()
