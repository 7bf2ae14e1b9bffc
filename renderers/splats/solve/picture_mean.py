"""Averaging pictures of splats: in as the images of all views, out as what each view sees of their average."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ....sync_core.aggregate import Method
from .solve import SplatSolver

# Of composites in the engine (views.py): pictures of clean estimates disagree.
RIDGE = 0.1


class SplatMean:
    """See ``rgb_domain.ViewMean``: image i of scene b has index b * N + i. Colours stay in [0, 1]; what shines through
    the splats is each view's own picture."""

    def __init__(self, solver: SplatSolver, method: Method, last: Sequence[Tensor] = ()) -> None:
        """last: ``colours`` of the step before, which a solve starts from."""
        self._solver = solver
        self._method: Method = method
        self._given: list[Tensor] = []
        self._last = tuple(last)
        self.colours: list[Tensor] = []
        """[K, C] of each scene of the batch, once ``views`` was called."""

    def add(self, first: int, images: Tensor) -> None:
        """Views ``first``, ``first + 1``, ... of the batch as images [n, h, w, C], in order."""
        assert first == len(self._given), "views are added in order"
        self._given.extend(images.cpu())

    def views(self, first: int, last: int) -> Tensor:
        """The consistent images [n, h, w, C] of views ``first`` to ``last - 1``. Raises ValueError when number or size
        of those added do not match the rig."""
        count = len(self._solver.blocks)
        if not self.colours:
            for first_of_scene in range(0, len(self._given), count):
                pictures = self._given[first_of_scene : first_of_scene + count]
                start = self._last[first_of_scene // count] if self._last else None
                self.colours.append(self._solver(pictures, self._method, start, limits=(0.0, 1.0), ridge=RIDGE))
        numbers = range(first, last)
        return torch.stack([self._solver.shown(self.colours[i // count], i % count, self._given[i]) for i in numbers])
