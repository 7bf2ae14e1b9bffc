"""Which views are evaluated at which step: a value of the plan, and what a run makes of it.

A run costs views times steps. At every step only some views need be asked, for what they say of the canonical signal is
what all views show (F = f A): a view that is not asked shows what the others said. With windows that move at random
from step to step this is SpotDiffusion (Frolov, Moser, Dengel, WACV 2025) on the views of a rig: the rig lists where a
view may stand, a policy takes a few. All the same, windows that only touch leave seams where the last of them met, so
neighbours share some pixels here (``overlap``), which costs little and is closer to the truth than touching windows
that overlap in the end: on a first-order process of 384 cells and windows of 64 with a neighbour's correlation of 0.99,
the divergence from the truth per cell is .0020 at 1.25 times the area, .0107 for touching windows (1.14 times), .0032
for as many windows that stand still, and .0018 for all of a rig of stride 8 (6.8 times).

What a process must do: average whatever the model says, so that nothing of an unasked view is missed (``averages``).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from ..processes import Process, Term

Policy = Literal["all", "turning", "few then all"]
POLICIES: tuple[Policy, ...] = ("all", "turning", "few then all")

Draw = Callable[[], float]
"""Random numbers in [0, 1), another at each call."""

# How much more views share during the last part of a turning run.
_CLOSER = 2.0


@dataclass(frozen=True)
class Visits:
    """policy: ``all``: every view at every step. ``turning``: at every step other views, drawn anew, that see the whole
    signal once and share at least ``overlap`` (a share of a view's side) with their neighbours; twice as much for the
    last ``last`` of the steps. ``few then all``: the same, but all views for the last part.
    """

    policy: Policy = "all"
    overlap: float = 0.125
    last: float = 0.4

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"visits '{self.policy}' are unknown; use one of {', '.join(POLICIES)}")
        if not 0 <= self.overlap <= 0.5:
            raise ValueError(f"overlap {self.overlap}: use a share of a view from 0 (they only touch) to 0.5")
        if not 0 <= self.last <= 1:
            raise ValueError(f"last {self.last}: use a fraction of the steps from 0 to 1")

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

    def __call__(self, draw: Draw, /) -> tuple[int, ...]:
        """Such a set, rising, another for other random numbers."""
        ...


@dataclass(frozen=True)
class Visiting:
    """Visits in one run of ``steps`` steps on ``count`` views. usual, closer: sets of views that share ``overlap`` and
    ``overlap_last`` with their neighbours. complete: more is read of the views than their average, so that all of them
    are asked once, at the first step."""

    visits: Visits
    usual: Tilings
    closer: Tilings
    count: int
    steps: int
    seed: int
    complete: bool = False

    def __post_init__(self) -> None:
        if self.steps > 1 and all(self.rows(step) is None for step in range(self.steps)):
            raise ValueError(
                f"visits {self.visits.policy} leave out none of the {self.count} views, which hardly overlap; "
                f"{self.usual.advice}, or set visits to all"
            )

    @staticmethod
    def of(
        visits: Visits, tilings: Callable[[float], Tilings], count: int, steps: int, seed: int, complete: bool
    ) -> Visiting | None:
        """Visits in a run; None where all views are asked. tilings: of an overlap."""
        if visits.everywhere:
            return None
        usual, closer = tilings(visits.overlap), tilings(visits.overlap_last)
        return Visiting(visits, usual, closer, count, steps, seed, complete)

    def rows(self, step: int) -> tuple[int, ...] | None:
        """The views to ask at a step, rising; None: all of them. The same for the same seed and step."""
        last = self.visits.is_last(step, self.steps)
        if (last and self.visits.policy == "few then all") or (step == 0 and self.complete):
            return None
        # (text seeds are hashed by SHA-512, on every machine alike)
        draw = random.Random(f"visits {self.seed} {step}").random
        rows = (self.closer if last else self.usual)(draw)
        return rows if len(rows) < self.count else None


def averages(rule: Process) -> bool:
    """Whether a process averages all that the model says: every eps of its formulas stands under A or F."""
    states = [term for formula, term in ((rule.w, "w"), (rule.z, "z")) if formula]
    return all(_averaged(rule.next_w if state == "w" else rule.next_z, False) for state in states)


def _averaged(term: Term, under: bool) -> bool:
    if term.name == "eps" and not under:
        return False
    under = under or term.name in ("A", "F")
    return all(_averaged(part, under) for part in term.args)
