"""Turned clockwise by one, two or three quarters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..warp import Permutation, centres, turned


@dataclass(frozen=True)
class Rotate180(Permutation):
    """Half a turn."""

    name = "rotate_180"
    exact_on_latents = True
    on_latents = "a latent turned by quarters decodes to nearly the turned picture"
    quarters = 2

    def rearranged(self, grid: Tensor) -> Tensor:
        return torch.rot90(grid, -self.quarters)

    def positions(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        quarters = self.quarters if self.quarters < 3 else -1
        angle = quarters * math.pi / 2 * t
        middle = (height / 2, width / 2)
        row, column = turned(*centres(height, width), middle, angle)
        # Smaller on the way, so that no corner leaves the frame.
        across, along = abs(math.sin(angle)), abs(math.cos(angle))
        high, wide = along * height + across * width, along * width + across * height
        size = min(1.0, height / high, width / wide)
        return middle[0] + size * (row - middle[0]), middle[1] + size * (column - middle[1])


@dataclass(frozen=True)
class Rotate90(Rotate180):
    """A quarter turn clockwise ("rotate_cw"). Square pictures."""

    name = "rotate_90"
    square = True
    quarters = 1


@dataclass(frozen=True)
class Rotate270(Rotate180):
    """A quarter turn counter-clockwise ("rotate_ccw"). Square pictures."""

    name = "rotate_270"
    square = True
    quarters = 3
