"""Sets of views that together see what a whole rig sees, for any rig: a greedy cover that begins anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..linear_map import unique_groups
from ..views import ViewSet
from ..walked import Views
from .policy import Draw

# A view may be taken that adds this much of what the best one adds, so that sets differ.
_NEARLY_BEST = 0.95
# Covers that are tried; the one of fewest views is taken.
_TRIES = 6
# Cells that views are chosen by.
_SOME = 2048
# Cells that wait longer than this many steps are seen at the next.
_LONGEST = 2


@dataclass(frozen=True)
class Covers:
    """See ``Tilings``. overlap: views count only for what they see away from their border, so that neighbours share at
    about that part of their side; cells that only borders see are seen all the same."""

    views: Views
    overlap: float = 0.0
    advice: str = "use more views that overlap"

    def areas(self, rows: tuple[int, ...]) -> float:
        sizes, reached = self._sizes
        return sum(sizes[row] for row in rows) / max(reached, 1)

    @cached_property
    def _sizes(self) -> tuple[list[int], int]:
        """(How many cells each view sees, how many any of them sees.)"""
        seen = [unique_groups(cell)[0] for cell, _ in _seen_by_each(self.views)]
        reached = torch.zeros(self.views.cells, dtype=torch.bool)
        reached[torch.cat(seen)] = True
        return [cells.numel() for cells in seen], int(reached.sum())

    @cached_property
    def _pairs(self) -> tuple[Tensor, Tensor]:
        """(view, cell) of whatever counts: what a view sees away from its border, and cells that only borders see."""
        parts = list[tuple[Tensor, Tensor, Tensor]]()
        keep = (1 - self.overlap) ** 2
        for number, (cell, weight) in enumerate(_seen_by_each(self.views)):
            if cell.numel() == 0:
                continue
            limit = weight.sort(descending=True).values[min(int(keep * weight.numel()), weight.numel() - 1)]
            # (a little less, so that views of equal weights are all middle)
            middle = weight >= limit * (1 - 1e-5)
            cells, group, _ = unique_groups(cell)
            inner = torch.zeros(cells.numel(), dtype=torch.int64).scatter_reduce_(0, group, middle.long(), "amax")
            parts.append((torch.full_like(cells, number), cells, inner > 0))
        view, cell, inner = (torch.cat(each) for each in zip(*parts, strict=True))
        reached = torch.zeros(self.views.cells, dtype=torch.bool)
        reached[cell[inner]] = True
        counts = inner | ~reached[cell]
        return view[counts], cell[counts]

    @cached_property
    def _some(self) -> tuple[Tensor, Tensor]:
        """(some of the cells that are seen, evenly picked; float [N, n], which views see them): enough to choose by."""
        view, cell = self._pairs
        reached = unique_groups(cell)[0]
        picked = reached[torch.linspace(0, len(reached) - 1, min(len(reached), _SOME)).round().long()]
        place = torch.full((self.views.cells,), -1)
        place[picked] = torch.arange(len(picked))
        here = place[cell] >= 0
        sees = torch.zeros(self.views.count, len(picked))
        sees[view[here], place[cell[here]]] = 1.0
        return picked, sees

    def __call__(
        self, draw: Draw, before: Sequence[tuple[int, ...] | None] = (), leave: float = 0.0
    ) -> tuple[int, ...]:
        waited = self._waited(before)
        leave = leave if before else 0.0
        return min((self._cover(draw, waited, leave) for _ in range(_TRIES)), key=len)

    def _seen(self, rows: Sequence[int]) -> Tensor:
        """int64 [K]: how many of these views see each cell."""
        view, cell = self._pairs
        asked = torch.zeros(self.views.count, dtype=torch.bool)
        asked[list(rows)] = True
        return torch.bincount(cell[asked[view]], minlength=self.views.cells)

    def _waited(self, before: Sequence[tuple[int, ...] | None]) -> Tensor:
        """int64 [K]: for how many steps a cell was not seen, as far as it matters."""
        waited = torch.zeros(self.views.cells, dtype=torch.int64)
        seen = torch.zeros(self.views.cells, dtype=torch.bool)
        for rows in list(before)[: -_LONGEST - 1 : -1]:
            if rows is None:
                break
            seen |= self._seen(rows) > 0
            waited += (~seen).long()
        return waited

    def _cover(self, draw: Draw, waited: Tensor, leave: float) -> tuple[int, ...]:
        picked, sees = self._some
        # (what waits longest first)
        wish, late = 1.0 + waited[picked], waited[picked] >= _LONGEST
        chosen, missed = list[int](), torch.ones(len(picked), dtype=torch.bool)
        while int(missed.sum()) > leave * len(picked) or bool((late & missed).any()):
            gain = sees @ (wish * missed)
            fit = (gain >= (_NEARLY_BEST * float(gain.max()) if chosen else 1.0)).nonzero()[:, 0]
            chosen.append(int(fit[int(draw() * fit.numel())]))
            missed &= sees[chosen[-1]] == 0
        return self._completed(chosen, waited, leave)

    def _completed(self, chosen: list[int], waited: Tensor, leave: float) -> tuple[int, ...]:
        """The views chosen by some cells, with those that all cells need, and without those that they do not."""
        view, cell = self._pairs
        reached = torch.bincount(cell, minlength=self.views.cells) > 0
        late, share = reached & (waited >= _LONGEST), leave * int(reached.sum())
        seen = self._seen(chosen)
        while True:
            missed, must = reached & (seen == 0), late & (seen == 0)
            if int(missed.sum()) <= share and not bool(must.any()):
                break
            wanted = must if bool(must.any()) else missed
            chosen.append(int(torch.bincount(view[wanted[cell]], minlength=self.views.count).argmax()))
            seen = self._seen(chosen)
        for number in list(chosen):
            own = cell[view == number]
            if bool((seen[own] > 1).all()):
                seen[own] -= 1
                chosen.remove(number)
        return tuple(sorted(chosen))


def _seen_by_each(views: Views) -> Iterator[tuple[Tensor, Tensor]]:
    """For each view (cell int64, weight of the pixel) of whatever it sees with a weight, on the CPU."""
    own = views.to("cpu")
    if isinstance(own, ViewSet):
        cell, pixel, _ = own.contributions()
        number, weight = pixel // (own.height * own.width), own.weights[pixel]
        for view in range(own.count):
            here = (number == view) & (weight > 0)
            yield cell[here], weight[here]
        return
    for view in range(own.count):
        part = own.part(view)
        cell, pixel, _ = part.views.contributions()
        weight = part.views.weights[pixel]
        yield part.cells[cell[weight > 0]], weight[weight > 0]
