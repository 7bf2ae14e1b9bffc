"""Sets of views that together see what a whole rig sees, for any rig: a greedy cover that begins anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..linear_map import unique_groups
from ..views import ViewSet
from ..walked import Views
from .policy import Draw

# A view may be taken that adds this much of what the best one adds, so that sets differ.
_NEARLY_BEST = 0.85
# Covers that are tried; the one of fewest views is taken.
_TRIES = 3


@dataclass(frozen=True)
class Covers:
    """See ``Tilings``. overlap: views count only for what they see away from their border, so that neighbours share at
    about that part of their side; cells that only borders see are seen all the same."""

    views: Views
    overlap: float = 0.0
    advice: str = "use more views that overlap"

    @cached_property
    def _pairs(self) -> tuple[Tensor, Tensor, Tensor]:
        """(view, cell, whether it is away from the view's border) of whatever counts, each pair once."""
        parts = list[tuple[Tensor, Tensor, Tensor]]()
        keep = (1 - self.overlap) ** 2
        for number, own in _each(self.views):
            cell, weight = own
            if cell.numel() == 0:
                continue
            # (rounded, so that views of equal weights are all middle)
            limit = weight.sort(descending=True).values[min(int(keep * weight.numel()), weight.numel() - 1)]
            middle = weight >= limit * (1 - 1e-5)
            cells, group, _ = unique_groups(cell)
            inner = torch.zeros(cells.numel(), dtype=torch.int64).scatter_reduce_(0, group, middle.long(), "amax")
            parts.append((torch.full_like(cells, number), cells, inner > 0))
        view, cell, inner = (torch.cat(each) for each in zip(*parts, strict=True))
        reached = torch.zeros(self.views.cells, dtype=torch.bool)
        reached[cell[inner]] = True
        keep_pair = inner | ~reached[cell]
        return view[keep_pair], cell[keep_pair], inner[keep_pair]

    def __call__(self, draw: Draw) -> tuple[int, ...]:
        return min((self._cover(draw) for _ in range(_TRIES)), key=len)

    def _cover(self, draw: Draw) -> tuple[int, ...]:
        view, cell, _ = self._pairs
        count, chosen = self.views.count, list[int]()
        seen = torch.zeros(self.views.cells, dtype=torch.int64)
        while True:
            gain = torch.bincount(view[seen[cell] == 0], minlength=count)
            best = int(gain.max())
            if best == 0:
                break
            fit = (gain >= (_NEARLY_BEST * best if chosen else 1)).nonzero()[:, 0]
            chosen.append(int(fit[int(draw() * fit.numel())]))
            seen[cell[view == chosen[-1]]] += 1
        for number in list(chosen):
            own = cell[view == number]
            if bool((seen[own] > 1).all()):
                seen[own] -= 1
                chosen.remove(number)
        return tuple(sorted(chosen))


def _each(views: Views) -> list[tuple[int, tuple[Tensor, Tensor]]]:
    """(number, (cell, weight of the pixel) of whatever a view sees with a weight), on the CPU."""
    found = list[tuple[int, tuple[Tensor, Tensor]]]()
    own = views.to("cpu")
    if isinstance(own, ViewSet):
        cell, pixel, _ = own.contributions()
        weight = own.weights[pixel]
        number = pixel // (own.height * own.width)
        for view in range(own.count):
            here = (number == view) & (weight > 0)
            found.append((view, (cell[here], weight[here])))
        return found
    for view in range(own.count):
        part = own.part(view)
        cell, pixel, _ = part.views.contributions()
        weight = part.views.weights[pixel]
        here = weight > 0
        found.append((view, (part.cells[cell[here]], weight[here])))
    return found
