"""Hybrid images by motion: one reading when the picture moves fast, another when it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .parts import Part, filtered


def motion_kernel(pixels: float, degrees: float) -> Tensor:
    """float64 [k, k], sum 1: a line of ``pixels`` length through the middle; 0 degrees is along the rows, growing
    clockwise. 1 pixel or less: no motion."""
    steps = max(1, round(4 * pixels))
    along = ((torch.arange(steps, dtype=torch.float64) + 0.5) / steps - 0.5) * max(0.0, pixels - 1)
    y, x = along * math.sin(math.radians(degrees)), along * math.cos(math.radians(degrees))
    reach = math.ceil(max(0.0, pixels - 1) / 2)
    side = 2 * reach + 1
    index = (y.round().long() + reach) * side + x.round().long() + reach
    return (torch.bincount(index, minlength=side * side).double() / steps).reshape(side, side)


def moved(picture: Tensor, length: float, degrees: float) -> Tensor:
    """[B, C, H, W] smeared along a line of ``length`` sixty-fourths of the shorter side."""
    return filtered(picture, motion_kernel(length * min(picture.shape[-2:]) / 64, degrees))


@dataclass(frozen=True)
class Motion(Part):
    """What a moving eye sees: smeared along ``angle`` degrees over ``length`` sixty-fourths of the shorter side
    (Factorized Diffusion: 7, diagonal)."""

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
