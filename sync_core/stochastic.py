"""Stochastic synchronisation: how StochSync walks, as plain numbers (Yeo, Kim, Sung, "StochSync", ICLR 2025).

It is case 5 (a clean canonical signal z) with all noise drawn afresh at every step: only views that hardly overlap are
evaluated, each is carried from its noise level to a clean estimate by several inner steps, and that estimate replaces
what z shows there. Nothing is ever averaged, so nothing blurs, and without any conditioning the picture stays whole
because every step starts again from the picture before it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stochastic:
    """The walk. Fractions of the denoised part of the way: 0 is all noise, 1 is clean.

    inner_steps: of the sampler, for one clean estimate. start, end: from where to where the noise level falls (the
    published timesteps 900 to 270 of 1000). blank_steps: first steps that ignore z, which holds nothing yet.
    soft_steps: last steps, at twice the noise, during which a view keeps what z shows at its border until its inner
    steps reach it: they remove the seams that replacing leaves.
    """

    inner_steps: int = 25
    start: float = 0.1
    end: float = 0.73
    blank_steps: int = 2
    soft_steps: int = 2

    def __post_init__(self) -> None:
        if self.inner_steps < 1:
            raise ValueError(f"inner_steps {self.inner_steps} estimates nothing; use 1 or more, 25 as published")
        if not 0 <= self.start < self.end <= 1:
            raise ValueError(f"stochastic start {self.start:g} and end {self.end:g}: use 0 <= start < end <= 1")
        if self.blank_steps < 0 or self.soft_steps < 0:
            raise ValueError("blank_steps and soft_steps are counts; use 0 or more")

    def fraction(self, step: int, steps: int) -> float:
        """How far the way is denoised where step ``step`` of ``steps`` starts."""
        plain = steps - min(self.soft_steps, steps - 1)
        if step >= plain:
            return 1 - min(1 - self.start, 2 * (1 - self.end))
        return self.start + (self.end - self.start) * step / max(plain - 1, 1)

    def is_blank(self, step: int, steps: int) -> bool:
        return step < min(self.blank_steps, steps - 1)

    def is_soft(self, step: int, steps: int) -> bool:
        return step >= steps - min(self.soft_steps, steps - 1)


def inner_levels(levels: list[float], start: float, steps: int) -> list[float]:
    """``steps + 1`` noise levels from ``start`` to 0 along the curve of ``levels`` (falling, ending in 0)."""
    position = 0.0
    for index in range(len(levels) - 1):
        high, low = levels[index], levels[index + 1]
        if low <= start:
            position = index + (min(start, high) - high) / (low - high if low != high else 1.0)
            break
    last = len(levels) - 1
    inner: list[float] = []
    for step in range(steps + 1):
        at = position + (last - position) * step / steps
        low = min(int(at), last - 1)
        inner.append(levels[low] + (levels[low + 1] - levels[low]) * (at - low))
    return [start, *inner[1:-1], 0.0]
