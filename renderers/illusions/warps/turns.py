"""Turns by any angle: of the whole picture, or of a disc in its middle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..sampled import Sampled
from ..warp import centres, turned
from .inner_circle import check_radius, in_disc


def _check_angle(angle: float) -> None:
    if not math.isfinite(angle):
        raise ValueError(f"angle {angle} is no angle; use degrees, e.g. 45")


def _read_turned(height: int, width: int, degrees: float) -> tuple[Tensor, Tensor]:
    """Where pixels look when the picture is turned clockwise; exact for whole quarters."""
    row, column = turned(*centres(height, width), (height / 2, width / 2), -math.radians(degrees))
    # Rounding errors of sine and cosine must not decide which of two cells is nearest.
    return (row * 2**20).round() / 2**20, (column * 2**20).round() / 2**20


@dataclass(frozen=True)
class Rotate(Sampled):
    """The whole picture turned clockwise by ``angle`` degrees about its middle. What was outside is background."""

    angle: float = 45.0

    name = "rotate"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_angle(self.angle)

    def reads(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        return _read_turned(height, width, self.angle)

    def between(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        return _read_turned(height, width, self.angle * t)


@dataclass(frozen=True)
class InnerRotate(Sampled):
    """The disc of ``radius`` (share of the shorter side) turned clockwise by ``angle`` degrees; SyncTweedies' 1-to-n
    case: with nearest sampling some cells feed two pixels, and others (17 % of the disc at 45 degrees) none."""

    angle: float = 45.0
    radius: float = 0.375

    name = "inner_rotate"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_angle(self.angle)
        check_radius(self.radius)

    def reads(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        return self.between(height, width, 1.0)

    def between(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        inside = in_disc(height, width, self.radius).flatten()
        row, column = centres(height, width)
        to_row, to_column = _read_turned(height, width, self.angle * t)
        return torch.where(inside, to_row, row), torch.where(inside, to_column, column)
