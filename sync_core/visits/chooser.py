"""A policy for a budget: how many views a step may ask, said in areas of the picture."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import replace

from .policy import ALL, Tilings, Visiting, Visits

# Shares of a view's side that neighbours may have in common, the dearest first. Views that only touch leave seams.
_OVERLAPS = (0.5, 0.375, 0.25, 0.1875, 0.125, 0.09375, 0.0625)
# Sets that are drawn to see what one costs.
_DRAWN = 3


Cost = Callable[[float], float]
"""Of an overlap: the areas of the picture that a set of views takes, in the mean over some sets."""


def cost_of(tilings: Callable[[float], Tilings]) -> Cost:
    """Worked out once for each overlap: what one policy takes at its end another takes all along."""

    @functools.cache
    def of(overlap: float) -> float:
        own = tilings(overlap)
        return sum(own.areas(own(random.Random(f"budget {n}").random)) for n in range(_DRAWN)) / _DRAWN

    return of


def areas_of(visits: Visits, cost: Cost) -> float:
    """What turning visits cost at a step, in areas of the picture, in the mean over a run."""
    return (1 - visits.last) * cost(visits.overlap) + visits.last * cost(visits.overlap_last)


def chosen(visits: Visits, tilings: Callable[[float], Tilings], count: int) -> Visits:
    """The visits that a budget buys of ``count`` views: all of them where it is enough for that, else turning ones that
    share as much as they may, else those that cost least."""
    if visits.policy != "auto":
        return visits
    if tilings(0.0).areas(tuple(range(count))) <= visits.budget:
        return ALL
    tried, cost = [replace(visits, policy="turning", overlap=overlap) for overlap in _OVERLAPS], cost_of(tilings)
    return next((each for each in tried if areas_of(each, cost) <= visits.budget), tried[-1])


def visiting(
    visits: Visits, tilings: Callable[[float], Tilings], count: int, steps: int, seed: int, complete: bool
) -> Visiting | None:
    """See ``Visiting.of``; a budget is spent first."""
    return Visiting.of(chosen(visits, tilings, count), tilings, count, steps, seed, complete)
