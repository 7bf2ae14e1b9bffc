"""Sets of views that together see what a whole rig sees, for any rig: a greedy cover that begins anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

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

    @property
    def soft(self) -> bool:
        """Not of views that mix cells and let others shine through (splats): there the contrast of what views disagree
        in was lost to it."""
        return self.views.composite is None

    def areas(self, rows: tuple[int, ...]) -> float:
        sizes, reached = self._sizes
        return sum(sizes[row] for row in rows) / max(reached, 1)

    @cached_property
    def _sizes(self) -> tuple[list[int], int]:
        """(How many cells each view sees, how many any of them sees.)"""
        seen = [_marked(cell, self.views.cells) for cell, _ in _seen_by_each(self.views)]
        reached = torch.zeros(self.views.cells, dtype=torch.bool)
        reached[torch.cat(seen)] = True
        return [cells.numel() for cells in seen], int(reached.sum())

    @cached_property
    def _cells(self) -> list[Tensor]:
        """For each view the cells int64 [n], rising, that count: what it sees away from its border, and cells that only
        borders see."""
        size, keep = self.views.cells, (1 - self.overlap) ** 2
        inner, whole, reached = list[Tensor](), list[Tensor](), torch.zeros(size, dtype=torch.bool)
        for cell, weight in _seen_by_each(self.views):
            whole.append(_marked(cell, size))
            if cell.numel() == 0:
                inner.append(whole[-1])
                continue
            limit = weight.sort(descending=True).values[min(int(keep * weight.numel()), weight.numel() - 1)]
            # (a little less, so that views of equal weights are all middle)
            inner.append(_marked(cell[weight >= limit * (1 - 1e-5)], size))
            reached[inner[-1]] = True
        found = list[Tensor]()
        for own, middle in zip(whole, inner, strict=True):
            counts = ~reached[own]
            counts[torch.searchsorted(own, middle)] = True
            found.append(own[counts])
        return found

    @cached_property
    def _reached(self) -> Tensor:
        """bool [K]: cells that some view sees."""
        reached = torch.zeros(self.views.cells, dtype=torch.bool)
        reached[torch.cat(self._cells)] = True
        return reached

    @cached_property
    def _some(self) -> tuple[Tensor, Tensor]:
        """(some of the cells that are seen, evenly picked; float [N, n], which views see them): enough to choose by."""
        reached = self._reached.nonzero()[:, 0]
        picked = reached[torch.linspace(0, len(reached) - 1, min(len(reached), _SOME)).round().long()]
        sees = torch.zeros(self.views.count, self.views.cells, dtype=torch.bool)
        for own, row in zip(self._cells, sees, strict=True):
            row[own] = True
        return picked, sees[:, picked].float()

    def __call__(
        self, draw: Draw, before: Sequence[tuple[int, ...] | None] = (), leave: float = 0.0
    ) -> tuple[int, ...]:
        leave = leave if before else 0.0
        own = self._narrower if leave and self.soft else self
        waited = own._waited(before)
        return min((own._cover(draw, waited, leave) for _ in range(_TRIES)), key=len)

    @cached_property
    def _narrower(self) -> Covers:
        """With half of the overlap, which hides edges that give way to what is held as well (mean.py)."""
        return replace(self, overlap=self.overlap / 2)

    def _seen(self, rows: Sequence[int]) -> Tensor:
        """int32 [K]: how many of these views see each cell."""
        seen = torch.zeros(self.views.cells, dtype=torch.int32)
        for row in rows:
            seen[self._cells[row]] += 1
        return seen

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
        cells, reached = self._cells, self._reached
        late, share = reached & (waited >= _LONGEST), leave * int(reached.sum())
        seen = self._seen(chosen)
        while True:
            missed, must = reached & (seen == 0), late & (seen == 0)
            if int(missed.sum()) <= share and not bool(must.any()):
                break
            wanted = must if bool(must.any()) else missed
            gains = [int(wanted[own].sum()) for own in cells]
            chosen.append(gains.index(max(gains)))
            seen[cells[chosen[-1]]] += 1
        for number in list(chosen):
            if bool((seen[cells[number]] > 1).all()):
                seen[cells[number]] -= 1
                chosen.remove(number)
        return tuple(sorted(chosen))


def _marked(cell: Tensor, size: int) -> Tensor:
    """The distinct cells of int64 [n] of so many, rising."""
    marks = torch.zeros(size, dtype=torch.bool)
    marks[cell] = True
    return marks.nonzero()[:, 0]


def _seen_by_each(views: Views) -> Iterator[tuple[Tensor, Tensor]]:
    """For each view (cell int64, weight of the pixel) of whatever it sees with a weight, on the CPU."""
    own = views.to("cpu")
    if isinstance(own, ViewSet):
        cell, pixel, _ = own.contributions()
        number, weight = pixel // (own.height * own.width), own.weights[pixel]
        counts = (weight > 0).nonzero()[:, 0]
        order = counts[number[counts].argsort(stable=True)]
        begin = 0
        for size in torch.bincount(number[counts], minlength=own.count):
            here = order[begin : begin + int(size)]
            begin += int(size)
            yield cell[here], weight[here]
        return
    for view in range(own.count):
        part = own.part(view)
        cell, pixel, _ = part.views.contributions()
        weight = part.views.weights[pixel]
        yield part.cells[cell[weight > 0]], weight[weight > 0]
