"""Which part of a run is synchronised, and how strongly."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Trajectory:
    """The noise levels of one run, falling, as the sampler was given them.

    times: of each level the share of the model's own time that is left, 1 where all is noise; empty: the run's steps
    are taken for it.
    """

    sigmas: tuple[float, ...]
    times: tuple[float, ...] = ()

    @staticmethod
    def of(sigmas: Sequence[float], times: Sequence[float] = ()) -> Trajectory:
        return Trajectory(tuple(float(s) for s in sigmas), tuple(times))

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    def step_of(self, sigma: float) -> int:
        """The step a noise level belongs to. Samplers of higher order ask for levels between two steps, so the level
        is never looked up by equality (a relative slack absorbs rounding)."""
        falling = [-s for s in self.sigmas[:-1]]
        return min(max(bisect.bisect_right(falling, -sigma * (1 - 1e-6)) - 1, 0), max(self.steps - 1, 0))

    def progress(self, sigma: float) -> float:
        """Fraction of the steps done at that level, 0 at the first; between two steps it grows with log sigma."""
        step = self.step_of(sigma)
        high, low = self.sigmas[step], self.sigmas[step + 1]
        part = 0.0
        if 0 < low < sigma < high:
            part = math.log(high / sigma) / math.log(high / low)
        return (step + part) / max(self.steps, 1)

    def ramp(self, sigma: float | None) -> float:
        """0 in the first step, 1 in the last; also 1 after the run (sigma None)."""
        return 1.0 if sigma is None else min(1.0, self.step_of(sigma) / max(self.steps - 1, 1))

    def passed(self, sigma: float | None) -> float:
        """Fraction of the steps that lie before the one at ``sigma``; 1 after the run (None)."""
        return 1.0 if sigma is None else self.step_of(sigma) / max(self.steps, 1)

    def left(self, sigma: float) -> float:
        """The share of the model's time that is left at that level, t / T."""
        done = self.progress(sigma)
        if not self.times:
            return 1.0 - done
        step = min(int(done * self.steps + 1e-9), self.steps - 1)
        high, low = self.times[step], self.times[step + 1]
        return high + (low - high) * (done * self.steps - step)

    def next_after(self, sigma: float) -> float:
        """The level that the step containing ``sigma`` ends at."""
        return self.sigmas[min(self.step_of(sigma) + 1, self.steps)]


@dataclass(frozen=True)
class Schedule:
    """Synchronise from ``start`` to ``end`` (fractions of the steps), on every ``every``-th step, with ``strength``.

    strength g blends D + g (D' - D): 1 replaces the clean estimate, less leaves the views some freedom.
    """

    start: float = 0.0
    end: float = 1.0
    every: int = 1
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= 1:
            raise ValueError(
                f"sync_start {self.start:g} and sync_end {self.end:g}: use fractions with 0 <= start < end <= 1"
            )
        if self.every < 1:
            raise ValueError(f"sync_every {self.every}: use 1 (every step) or more")
        if not 0 <= self.strength <= 1:
            raise ValueError(f"sync_strength {self.strength:g}: use a value from 0 to 1")

    @property
    def is_constant(self) -> bool:
        """Whether every step is synchronised in full."""
        return self == ALWAYS

    def last(self, steps: int) -> int:
        """The step of ``steps`` from which on nothing is synchronised."""
        return math.ceil((self.end - 1e-9) * steps)

    def at(self, trajectory: Trajectory, sigma: float) -> float:
        """The blend g at a noise level; 0 on steps that are left alone."""
        step = trajectory.step_of(sigma)
        fraction = step / max(trajectory.steps, 1)
        if not self.start <= fraction + 1e-9 or fraction >= self.end - 1e-9:
            return 0.0
        first = math.ceil(self.start * trajectory.steps - 1e-9)
        return self.strength if (step - first) % self.every == 0 else 0.0


ALWAYS = Schedule()
