"""Time travel: a step is repeated from fresh noise, so that views which the average pulled apart settle on one picture.

After a step from level b to level a the state is noised again to b and the step done once more (Lugmayr et al.,
"RePaint", CVPR 2022, resampling; LookingGlass, CVPR 2025, uses it for ambiguous images).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class TimeTravel:
    """Every step that begins between ``start`` and ``end`` (fractions of the steps) is done ``times`` times; 1: off."""

    times: int = 1
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if self.times < 1:
            raise ValueError(f"travel_times {self.times}: use 1 (every step once) or more")
        if not 0 <= self.start < self.end <= 1:
            raise ValueError(
                f"travel_start {self.start:g} and travel_end {self.end:g}: use fractions with 0 <= start < end <= 1"
            )

    def at(self, step: int, steps: int) -> int:
        """How often step ``step`` of ``steps`` is done. The last one, whose result is clean, is done once."""
        inside = self.start <= step / max(steps, 1) + 1e-9 and step / max(steps, 1) < self.end - 1e-9
        return self.times if inside and step < steps - 1 else 1


STAY = TimeTravel()


def renoised(x: Tensor, noise: Tensor, low: tuple[float, float], high: tuple[float, float]) -> Tensor:
    """The state ``x`` at level ``low`` carried back to the noisier level ``high``: what noising its clean picture to
    ``high`` gives, in distribution. A level is (how much of the picture, how much noise): (1, sigma) where noise is
    added, (1 - t, t) for flow models. noise: white, of x's shape."""
    kept = high[0] / low[0]
    return kept * x + math.sqrt(max(high[1] ** 2 - (kept * low[1]) ** 2, 0.0)) * noise
