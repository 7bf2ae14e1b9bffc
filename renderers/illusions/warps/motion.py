"""Hybrid images by motion: one reading when the picture moves fast, another when it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...pictures import filtered
from ..parts import PartWarp


def motion_kernel(pixels: float, degrees: float) -> Tensor:
    """float64 [k, k], sum 1: a line through the middle; 0 degrees is along the rows, growing clockwise.

    k, odd, is how many cells the line has along the axis that it is closer to: ``pixels``, one more where that is even.
    So at 45 degrees it is the diagonal of k cells, eye(k) / k, which is sqrt(2) k long. Other slopes fall between two
    cells, which share them. Below 2 pixels: no motion.
    """
    half = max(0, math.floor(pixels / 2))
    along = torch.arange(-half, half + 1, dtype=torch.float64)
    turn = math.radians(degrees)
    down, right = math.sin(turn), math.cos(turn)
    steep = abs(down) > abs(right)
    across = along * (right / down if steep else down / right)
    kernel = along.new_zeros(2 * half + 1, 2 * half + 1)
    low = torch.floor(across + 1e-9)
    above = (across - low).clamp_min(0)
    for place, share in ((low, 1 - above), (low + 1, above)):
        # (what is whole up to rounding stays in one cell)
        kept = (share > 1e-9) & (place.abs() <= half)
        kernel[(along[kept] + half).long(), (place[kept] + half).long()] += share[kept]
    kernel = kernel + kernel.flip(0, 1)
    return (kernel if steep else kernel.T) / kernel.sum()


def moved(picture: Tensor, length: float, degrees: float) -> Tensor:
    """[B, C, H, W] smeared along a line of ``length`` sixty-fourths of the shorter side."""
    return filtered(picture, motion_kernel(length * min(picture.shape[-2:]) / 64, degrees))


@dataclass(frozen=True)
class Motion(PartWarp):
    """What a moving eye sees: smeared along ``angle`` degrees over ``length`` sixty-fourths of the shorter side, as
    counted on the nearer axis. The default is Factorized Diffusion's kernel, eye(7) / 7 at 64 pixels, eye(15) / 15 at
    128; past the picture's edge it finds the picture mirrored (there: nothing)."""

    length: float = 7.0
    angle: float = 45.0

    name = "motion"

    def __post_init__(self) -> None:
        if not 1 < self.length <= 32 or not math.isfinite(self.angle):
            raise ValueError(
                f"length {self.length:g}, angle {self.angle:g}: use a length above 1, up to 32, and degrees"
            )

    def part(self, picture: Tensor) -> Tensor:
        return moved(picture, self.length, self.angle)

    def frame(self, picture: Tensor, t: float) -> Tensor:
        return moved(picture[None], self.length * t, self.angle)[0]


@dataclass(frozen=True)
class Still(Motion):
    """What smearing takes away: seen when the picture stands."""

    name = "still"
    shows_all = True

    def part(self, picture: Tensor) -> Tensor:
        return picture - moved(picture, self.length, self.angle)

    def frame(self, picture: Tensor, t: float) -> Tensor:
        return (1 - t) * picture + t * self.reading(picture)
