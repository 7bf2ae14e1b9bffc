"""Windows of a rig that see a canvas about once: other ones for other random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...sync_core.visits.policy import Draw
from .space import Placement


@dataclass(frozen=True)
class WindowTilings:
    """See ``Tilings``. Rows of windows begin anywhere, and in each row of windows the columns begin anywhere, as bricks
    do. overlap: share of a window's side that neighbours have in common at least (if windows stand close enough)."""

    placement: Placement
    wrap: tuple[bool, bool]
    overlap: float
    advice: str

    @property
    def soft(self) -> bool:
        """Windows tile, and leave nothing out."""
        return False

    def __call__(
        self, draw: Draw, before: Sequence[tuple[int, ...] | None] = (), leave: float = 0.0
    ) -> tuple[int, ...]:
        place = self.placement
        down = _Line(place.rows, place.height, place.grid[0], self.wrap[0], self.overlap)
        across = _Line(place.columns, place.width, place.grid[1], self.wrap[1], self.overlap)
        return tuple(sorted(row * len(place.columns) + column for row in down(draw) for column in across(draw)))

    def areas(self, rows: tuple[int, ...]) -> float:
        place = self.placement
        return len(rows) * place.height * place.width / (place.grid[0] * place.grid[1])


@dataclass(frozen=True)
class _Line:
    """One axis: where windows of ``size`` may begin on ``length`` cells, rising."""

    starts: tuple[int, ...]
    size: int
    length: int
    wrap: bool
    overlap: float

    @property
    def reach(self) -> int:
        """From one start to the next."""
        return self.size - round(self.overlap * self.size)

    def __call__(self, draw: Draw) -> list[int]:
        """Numbers of starts whose windows cover the line."""
        return self._around(draw) if self.wrap else self._along(draw)

    def _along(self, draw: Draw) -> list[int]:
        """The first and the last window always, so that ends have as much beside them as they can; the second one
        anywhere. The canvas's ends thus belong to no window that stands still, but for what the others leave."""
        starts = self.starts
        if len(starts) == 1:
            return [0]
        second = [number for number in range(1, len(starts)) if starts[number] <= self.reach] or [1]
        taken = [0, second[int(draw() * len(second))]]
        while taken[-1] < len(starts) - 1:
            taken.append(_following(starts, taken[-1], starts[taken[-1]] + self.reach))
        return taken

    def _around(self, draw: Draw) -> list[int]:
        """The first window anywhere on the ring."""
        count = len(self.starts)
        if count == 1:
            return [0]
        first = int(draw() * count)
        # The ring once, from the first start on.
        line = [(self.starts[(first + k) % count] - self.starts[first]) % self.length for k in range(count)]
        taken = [0]
        while line[taken[-1]] + self.reach < self.length:
            following = _following(line, taken[-1], line[taken[-1]] + self.reach)
            if following >= count:
                break
            taken.append(following)
        return sorted((first + k) % count for k in taken)


def _following(starts: Sequence[int], number: int, limit: int) -> int:
    """The number of the last start up to ``limit``, at least the one after ``number``."""
    fit = [other for other in range(number + 1, len(starts)) if starts[other] <= limit]
    return fit[-1] if fit else number + 1
