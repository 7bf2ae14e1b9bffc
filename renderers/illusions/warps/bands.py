"""Hybrid images by size of detail: one reading from far away, another from close up."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..parts import PartWarp
from .blur import smoothed

MOST = 16.0


def _check(name: str, sigma: float, least: float = 0.0) -> None:
    if not least < sigma <= MOST:
        raise ValueError(f"{name} {sigma:g}: use more than {least:g}, up to {MOST:g} sixty-fourths of the picture")


@dataclass(frozen=True)
class LowBand(PartWarp):
    """What is left after blurring: seen from far away, or with half-closed eyes. ``sigma`` in sixty-fourths of the
    shorter side (Factorized Diffusion: 2); ``fine``: of the middle band beside it, 0 when there is none."""

    sigma: float = 2.0
    fine: float = 0.0

    name = "low_band"

    def __post_init__(self) -> None:
        _check("sigma", self.sigma)
        if not 0 <= self.fine <= MOST:
            raise ValueError(f"fine {self.fine:g}: use 0 (no middle band), or the middle band's fine")

    def part(self, picture: Tensor) -> Tensor:
        return smoothed(smoothed(picture, self.fine), self.sigma)

    def frame(self, picture: Tensor, t: float) -> Tensor:
        return smoothed(smoothed(picture[None], self.fine * t), self.sigma * t)[0]


@dataclass(frozen=True)
class HighBand(PartWarp):
    """What blurring takes away: the fine detail, seen from close up."""

    sigma: float = 2.0

    name = "high_band"
    shows_all = True

    def __post_init__(self) -> None:
        _check("sigma", self.sigma)

    def part(self, picture: Tensor) -> Tensor:
        return picture - smoothed(picture, self.sigma)


@dataclass(frozen=True)
class MiddleBand(PartWarp):
    """Between high_band of sigma ``fine`` and low_band of ``sigma`` and the same ``fine`` (Factorized
    Diffusion: 1, 2)."""

    fine: float = 1.0
    sigma: float = 2.0

    name = "middle_band"

    def __post_init__(self) -> None:
        _check("fine", self.fine)
        _check("sigma", self.sigma)

    def seen(self, picture: Tensor) -> Tensor:
        """From the middle: without the finest detail, with what is coarser."""
        return smoothed(picture[None], self.fine)[0]

    def frame(self, picture: Tensor, t: float) -> Tensor:
        return smoothed(picture[None], self.fine * t)[0]

    def part(self, picture: Tensor) -> Tensor:
        fine = smoothed(picture, self.fine)
        return fine - smoothed(fine, self.sigma)
