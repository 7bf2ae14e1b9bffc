"""Stochastic synchronisation: how StochSync walks, as plain numbers (Yeo, Kim, Sung, "StochSync", ICLR 2025).

It is case 5 (a clean canonical signal z) with all noise drawn afresh at every step: only views that hardly overlap are
evaluated, each is carried from its noise level to a clean estimate by several inner steps, and that estimate replaces
what z shows there. Nothing is ever averaged, so nothing blurs, and without any conditioning the picture stays whole
because every step starts again from the picture before it.

Levels are timesteps as the paper counts them, 999 (noise alone) to 0 (clean).

Sets of views that hardly overlap, so that one step can replace what it sees without averaging anything.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch

from .walked import Views
from .walked_mean import average_of

NOISE = 999
"""The timestep at which there is nothing but noise."""

# The least rungs of a ladder that is walked in plain steps (DDIM), as in the published code.
_PLAIN_RUNGS = 50
# Cells that sets are drawn by, and for how many steps they wait ever more impatiently.
_SOME, _LONGEST = 4096, 12


@dataclass(frozen=True)
class Stochastic:
    """The walk.

    inner_steps: rungs of a ladder from noise to clean; a clean estimate takes those below its own level, so 25 outer
    steps need 420 model evaluations. start, end: the timesteps that the walk leads from and to; it stops one step short
    of the end. blank_steps: first steps that begin with noise alone, for z holds nothing yet (None: as many as there
    are sets of views, so that all of z is painted once). soft_steps: last steps, at twice the timestep, during which a
    view keeps what z shows at its border until its inner steps reach it: they remove the seams that replacing leaves.
    """

    inner_steps: int = 25
    start: int = 900
    end: int = 270
    blank_steps: int | None = None
    soft_steps: int = 2

    def __post_init__(self) -> None:
        if self.inner_steps < 1:
            raise ValueError(f"inner_steps {self.inner_steps} estimates nothing; use 1 or more, 25 as published")
        if not NOISE >= self.start > self.end >= 0:
            raise ValueError(f"stochastic start {self.start} and end {self.end}: use timesteps, {NOISE} >= start > end")
        if min(self.blank_steps or 0, self.soft_steps) < 0:
            raise ValueError("blank_steps and soft_steps are counts; use 0 or more")

    def of(self, steps: int, sets: int, blank: bool) -> Timetable:
        """The walk of a run of ``steps`` on ``sets`` sets of views. blank: it begins with nothing."""
        first = (sets if self.blank_steps is None else self.blank_steps) if blank else 0
        return Timetable(self, steps, min(first, steps))


@dataclass(frozen=True)
class Timetable:
    """One run's steps: ``blank`` of ``steps`` see noise alone."""

    rule: Stochastic
    steps: int
    blank: int

    def is_soft(self, step: int) -> bool:
        """Whether borders are kept. Never where z holds nothing to keep, nor in a run's only step."""
        return step >= max(self.steps - self.rule.soft_steps, self.blank, 1)

    def time(self, step: int) -> int:
        """The timestep that a step's views are noised to."""
        if step < self.blank:
            return NOISE
        time = int(self.rule.start + (self.rule.end - self.rule.start) * (step / self.steps))
        return min(2 * time, NOISE) if self.is_soft(step) else time

    def times(self, step: int) -> list[int]:
        """The timesteps at which the model is asked for a step's clean estimate, falling; what follows is clean."""
        time, count = self.time(step), self.rule.inner_steps
        if self.is_soft(step):
            count = min(max(count, _PLAIN_RUNGS), 2 * count)
        last = max(count - 1, 1)
        rungs = [NOISE * (last - rung) // last for rung in range(count)]
        return [time, *(rung for rung in rungs if 0 < rung < time)]


def released(inner: int, levels: int) -> float:
    """At which value of a view's ramp, 1 in its middle and 0 at its border, its own pixels begin: at inner step
    ``inner``, from 0, of ``levels`` levels, the clean one included."""
    return 1 - inner / levels


def disjoint_sets(views: Views, tolerance: float = 0.06) -> tuple[tuple[int, ...], ...]:
    """Sets of views that overlap by no more than ``tolerance`` of the smaller one; every view is in at least one set.

    Each set starts with the views that no earlier set has, in rig order, and is then filled with any others that fit,
    so that it sees as much as it can. The sets of StochSync (Yeo, Kim, Sung 2025) are found this way on its rigs.
    """
    apart = _shares(views) <= tolerance
    sets: list[tuple[int, ...]] = []
    waiting = list(range(views.count))
    while waiting:
        chosen: list[int] = []
        for candidate in (*waiting, *(v for v in range(views.count) if v not in waiting)):
            if all(bool(apart[candidate, other]) for other in chosen):
                chosen.append(candidate)
        waiting = [v for v in waiting if v not in chosen]
        sets.append(tuple(sorted(chosen)))
    return tuple(sets)


def drawn_sets(views: Views, steps: int, seed: int, tolerance: float = 0.06) -> tuple[tuple[int, ...], ...]:
    """One such set for each step, drawn anew: the longer cells wait, the likelier views are taken that see them, so
    that nothing waits long. The same for the same seed."""
    apart = _shares(views) <= tolerance
    sees = _some_cells(views)
    draw = random.Random(f"turns {seed}").random
    waited = torch.ones(sees.shape[1])
    sets: list[tuple[int, ...]] = []
    for _ in range(steps):
        luck = torch.tensor([draw() for _ in range(views.count)])
        wish = sees @ waited.clamp_max(_LONGEST).exp2() / sees.sum(1).clamp_min(1) * (0.5 + luck)
        chosen: list[int] = []
        order = [int(number) for number in wish.argsort(descending=True)]
        for candidate in order:
            if bool(apart[candidate, chosen].all()):
                chosen.append(candidate)
        sets.append(tuple(sorted(chosen)))
        waited = (waited + 1) * (sees[chosen].sum(0) == 0)
    return tuple(sets)


def _some_cells(views: Views) -> torch.Tensor:
    """float [N, n]: which views see some of the cells, evenly picked."""
    picked = torch.linspace(0, views.cells - 1, min(views.cells, _SOME)).round().long()
    each = (average_of(views.only((number,))).seen for number in range(views.count))
    rows = [seen.cpu().reshape(-1)[picked] for seen in each]
    return torch.stack(rows).float()


def _shares(views: Views) -> torch.Tensor:
    """float64 [N, N]: how much two views have in common, in parts of the smaller one."""
    shared = views.to("cpu").shared_cells().double()
    own = shared.diagonal().clamp_min(1)
    return shared / torch.minimum(own[:, None], own)
