"""Cameras chosen one after another, each the one that sees most of what no other has seen yet."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .orbits import Lens, orbit
from .viewpoints import Viewpoint


@dataclass(frozen=True)
class Coverage:
    """What a chosen rig sees. shares: of all places, by their value, after each camera. reachable: what all candidates
    see together; the rest is hidden from everywhere, or too far inside. target: share of ``reachable`` that was asked.
    what: all places in a word."""

    shares: tuple[float, ...]
    reachable: float
    target: float
    what: str = "the surface"

    @property
    def text(self) -> str:
        """One line to tell."""
        seen = self.shares[-1]
        reached = "reached" if seen >= self.target * self.reachable - 1e-9 else "not reached: allow more views"
        return (
            f"{len(self.shares)} views see {100 * seen:.1f} % of {self.what}; {100 * self.reachable:.1f} % can be seen "
            f"at all from these distances; target {100 * self.target:.0f} % of that {reached}"
        )


def candidates(lens: Lens, start: float = 0.0) -> tuple[Viewpoint, ...]:
    """Cameras to choose from, in object units: every 30 degrees on the horizon and 35 degrees above and below, every 60
    at 65, poles."""
    low = orbit(lens, 30, (0, 35, -35), (), start)
    high = orbit(lens, 60, (65, -65), ((start, 90), (start, -90)), start)
    return (*low, *high)


def check_wish(target: float, most: int) -> None:
    """Raise ValueError for a target outside 0 to 1 or no cameras."""
    if not 0 < target <= 1:
        raise ValueError(f"target {target:g} is outside 0 to 1; 0.98 is 98 % of what can be seen")
    if most < 1:
        raise ValueError(f"{most} views see nothing; use e.g. 12")


def chosen(found: Tensor, value: Tensor, least: float, target: float, most: int) -> tuple[list[int], list[float]]:
    """Greedy set cover: (cameras, share of the whole value after each).

    found: float [N, M], how well each camera sees each place, 0 to 1; from ``least`` on it is seen. value: float [M].
    Ends with ``target`` of the value that any camera sees, with ``most`` cameras, or when none sees anything new.
    """
    seen = found >= least
    value = value.double()
    goal = target * float(value[seen.any(0)].sum())
    left = value.clone()
    taken, shares = list[int](), list[float]()
    while len(taken) < most and float(value.sum() - left.sum()) < goal:
        # Among equals the one that sees it best. (Row by row: there may be millions of places.)
        gains = [float((left * row * (1 + 1e-3 * well)).sum()) for row, well in zip(seen, found, strict=True)]
        best = max(range(len(gains)), key=gains.__getitem__)
        if gains[best] <= 0:
            break
        taken.append(best)
        left[seen[best]] = 0.0
        shares.append(1 - float(left.sum() / value.sum()))
    return taken, shares
