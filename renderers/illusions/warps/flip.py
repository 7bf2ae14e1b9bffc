"""Mirrored left to right, or upside down."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from ..warp import Permutation, centres


@dataclass(frozen=True)
class FlipX(Permutation):
    """Left and right exchanged."""

    name = "flip_x"
    exact_on_latents = True
    on_latents = "a mirrored latent decodes to nearly the mirrored picture"

    def rearranged(self, grid: Tensor) -> Tensor:
        return grid.flip(1)

    def positions(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        row, column = centres(height, width)
        return row, width / 2 + (column - width / 2) * math.cos(math.pi * t)


@dataclass(frozen=True)
class FlipY(Permutation):
    """Top and bottom exchanged ("flip" in Visual Anagrams)."""

    name = "flip_y"
    exact_on_latents = True
    on_latents = "a mirrored latent decodes to nearly the mirrored picture"

    def rearranged(self, grid: Tensor) -> Tensor:
        return grid.flip(0)

    def positions(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        row, column = centres(height, width)
        return height / 2 + (row - height / 2) * math.cos(math.pi * t), column
