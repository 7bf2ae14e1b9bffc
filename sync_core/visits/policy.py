"""Which views are evaluated at which step: a value of the plan, and what a run makes of it.

A run costs views times steps. At every step only some views need be asked, for what they say of the canonical signal is
what all views show (F = f A): a view that is not asked shows what the others said. With windows that move at random
from step to step this is SpotDiffusion (Frolov, Moser, Dengel, WACV 2025) on the views of a rig: the rig lists where a
view may stand, a policy takes a few. Windows that only touch leave seams where the last of them met, so neighbours
share some pixels here (``overlap``), which costs little. On a first-order process of 384 cells with a correlation of
0.99 from one to the next, windows of 64 every 8 cells and 30 steps, the divergence from the truth per cell is .0018 for
all windows (6.8 model calls for each area of the canvas), .0024 for turning ones (1.29), .0032 for as many that stand
still (1.33), .0022 for half-overlapping ones that stand still (1.83), and .020 for turning ones that touch (1.14).

What a process must do: average whatever the model says, so that nothing of an unasked view is missed (``averages``).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ..processes import Process, Term
from .answers import Answers

Policy = Literal["all", "turning", "few then all", "still changing", "auto"]
POLICIES: tuple[Policy, ...] = ("all", "turning", "few then all", "still changing", "auto")

Draw = Callable[[], float]
"""Random numbers in [0, 1), another at each call."""

# Runs of fewer steps leave nothing out: each is too long to miss (at 5, a fifth of white noise's contrast was lost).
_FEW = 12
# How much more views share during the last part of a turning run.
_CLOSER = 2.0


@dataclass(frozen=True)
class Visits:
    """policy: ``all``: every view at every step. ``turning``: at every step other views, drawn anew, that see the whole
    signal once and share at least ``overlap`` (a share of a view's side) with their neighbours; twice as much for the
    last ``last`` of the steps. ``few then all``: the same, but all views for the last part. ``still changing``: a view
    whose estimate moved by less than ``tolerance`` (a share of the picture's own root mean square) since it was asked
    last waits for ``stale`` steps, in which its cells keep what they have (mean.py); at the first and the last step all
    are asked. After RAS (Liu et al., "Region-Adaptive Sampling", 2025), which lets parts of one picture wait.

    ``auto``: all views, or turning ones that share as much as ``budget`` allows: views a step, in areas of the picture.

    leave: the share of the signal that a step may leave out, too, where that saves a view: it keeps what it has for a
    step or two (rigs whose views do not tile: a sphere's; not in runs of few steps). There edges of views give way to
    what is kept (mean.py), and half of the overlap is asked for.
    """

    policy: Policy = "all"
    overlap: float = 0.125
    last: float = 0.2
    tolerance: float = 0.02
    stale: int = 2
    leave: float = 0.2
    budget: float = 1.5

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"visits '{self.policy}' are unknown; use one of {', '.join(POLICIES)}")
        if not 0 <= self.overlap <= 0.5:
            raise ValueError(f"overlap {self.overlap}: use a share of a view from 0 (they only touch) to 0.5")
        if not 0 <= self.last <= 1:
            raise ValueError(f"last {self.last}: use a fraction of the steps from 0 to 1")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ValueError(f"tolerance {self.tolerance}: use 0 (no view ever waits) or more; 0.02 is usual")
        if not 0 <= self.leave < 0.5:
            raise ValueError(f"leave {self.leave}: use a share of the picture from 0 to less than 0.5")
        if not (math.isfinite(self.budget) and self.budget >= 1):
            raise ValueError(
                f"budget {self.budget}: each place of the picture is to be seen once at a step, for 1 area of it; "
                "use 1 (as little as possible) or more"
            )
        if self.stale < 0:
            raise ValueError(f"stale {self.stale}: use 0 (no view ever waits) or a number of steps")

    def check_beside(self, **given: object) -> None:
        """Raise ValueError for a part of the run (None: it has none of these) that reads what the model says of each
        view, by its input's name."""
        for name, value in given.items():
            if value is not None and not self.everywhere:
                raise ValueError(
                    f"visits {self.policy} leave views out, and {name} reads all of them; set visits to all, or "
                    f"disconnect {name}"
                )

    @property
    def everywhere(self) -> bool:
        """Whether every view is asked at every step."""
        return self.policy == "all"

    def is_last(self, step: int, steps: int) -> bool:
        """Whether a step of so many belongs to the last part."""
        return step >= steps - math.floor(self.last * steps + 1e-9)

    @property
    def holds(self) -> bool:
        """Whether cells may be seen by no view that is asked."""
        return self.policy == "still changing"

    @property
    def overlap_last(self) -> float:
        """The share of a view's side that neighbours have in common in the last part."""
        return min(_CLOSER * self.overlap, 0.5)


ALL = Visits()


class Tilings(Protocol):
    """Sets of a rig's views that see whatever all of them see, and little of it twice."""

    @property
    def advice(self) -> str:
        """What to change about the rig where there is nothing to choose from."""
        ...

    @property
    def soft(self) -> bool:
        """Whether edges of views give way to what is held, where a step may leave cells out."""
        ...

    def areas(self, rows: tuple[int, ...], /) -> float:
        """What these views see all in all, in areas of what all views of the rig see."""
        ...

    def __call__(
        self, draw: Draw, before: Sequence[tuple[int, ...] | None] = (), leave: float = 0.0, /
    ) -> tuple[int, ...]:
        """Such a set, rising, another for other random numbers. before: those of the steps before it (None: all views);
        leave: the share of what is seen that may be left out if it was seen lately, should that save a view."""
        ...


@dataclass(frozen=True)
class Visiting:
    """Visits in one run. sets: for each step the views to ask, rising; None: all of them. complete: more is read of the
    views than their average, so that all of them are asked once, at the first step. leaves: cells may be left
    out but at the last step, and edges of views give way."""

    visits: Visits
    sets: tuple[tuple[int, ...] | None, ...]
    complete: bool = False
    leaves: bool = False

    @staticmethod
    def of(
        visits: Visits, tilings: Callable[[float], Tilings], count: int, steps: int, seed: int, complete: bool
    ) -> Visiting | None:
        """Visits (no longer ``auto``) in a run of ``steps`` steps on ``count`` views; None where all views are asked.
        tilings: of an overlap. The same sets for the same seed. Raises ValueError where nothing is left out."""
        if visits.everywhere:
            return None
        if visits.policy == "still changing":
            if visits.stale >= max(steps - 1, 1):
                raise ValueError(
                    f"stale {visits.stale}: views would wait to the end of a run of {steps} steps; use at most "
                    f"{max(steps - 2, 0)}, or visits all"
                )
            return Visiting(visits, (None,) * steps, complete)
        usual, closer = tilings(visits.overlap), tilings(visits.overlap_last)
        sets: list[tuple[int, ...] | None] = []
        for step in range(steps):
            last = visits.is_last(step, steps)
            if (last and visits.policy == "few then all") or (step == 0 and complete):
                sets.append(None)
                continue
            # (text seeds are hashed by SHA-512, on every machine alike)
            leave = visits.leave if steps >= _FEW and step < steps - 1 else 0.0
            rows = (closer if last else usual)(random.Random(f"visits {seed} {step}").random, sets, leave)
            sets.append(rows if len(rows) < count else None)
        if steps > 1 and not any(sets):
            raise ValueError(
                f"visits {visits.policy} leave out none of the {count} views, which hardly overlap; {usual.advice}, or "
                "set visits to all"
            )
        return Visiting(visits, tuple(sets), complete, visits.leave > 0 and steps >= _FEW and usual.soft)

    def asked(self, count: int) -> list[int]:
        """How many of ``count`` views each step asks; at most, where views wait."""
        return [count if rows is None else len(rows) for rows in self.sets]

    def soft(self, step: int) -> bool:
        """Whether edges of the views of a step give way to what is held (mean.py)."""
        return self.leaves and step < len(self.sets) - 1

    @property
    def waits(self) -> bool:
        """Whether views wait by what they said."""
        return self.visits.policy == "still changing"

    def rows(self, step: int, answers: Answers) -> tuple[int, ...] | None:
        """The views to ask at a step, rising; None: all of them. answers: until then."""
        if not self.waits or step >= len(self.sets) - 1:
            return self.sets[step]
        return answers.waiting(step)


def averages(rule: Process) -> bool:
    """Whether a process averages all that the model says: every eps of its formulas stands under A or F."""
    states = [term for formula, term in ((rule.w, "w"), (rule.z, "z")) if formula]
    return all(_averaged(rule.next_w if state == "w" else rule.next_z, False) for state in states)


def _averaged(term: Term, under: bool) -> bool:
    if term.name == "eps" and not under:
        return False
    under = under or term.name in ("A", "F")
    return all(_averaged(part, under) for part in term.args)
