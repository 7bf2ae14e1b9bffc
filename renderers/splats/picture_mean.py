"""Averaging pictures of splats: in as the images of all views, out as what each view sees of their average."""

from __future__ import annotations

import torch
from torch import Tensor

from ...sync_core.aggregate import Method
from .solve import SplatSolver

# Of composites in the engine (views.py): pictures of clean estimates disagree.
RIDGE = 0.1


class SplatMean:
    """See ``rgb_domain.ViewMean``: image i of scene b has index b * N + i. Colours stay in [0, 1]; what shines through
    the splats is each view's own picture."""

    def __init__(self, solver: SplatSolver, method: Method) -> None:
        self._solver = solver
        self._method: Method = method
        self._given: list[Tensor] = []
        self._colours: list[Tensor] = []

    def add(self, first: int, images: Tensor) -> None:
        """Views ``first``, ``first + 1``, ... of the batch as images [n, h, w, C], in order."""
        assert first == len(self._given), "views are added in order"
        self._given.extend(images.cpu())

    def views(self, first: int, last: int) -> Tensor:
        """The consistent images [n, h, w, C] of views ``first`` to ``last - 1``. Raises ValueError when number or size
        of those added do not match the rig."""
        count = len(self._solver.blocks)
        if not self._colours:
            for start in range(0, len(self._given), count):
                pictures = self._given[start : start + count]
                self._colours.append(self._solver(pictures, self._method, limits=(0.0, 1.0), ridge=RIDGE))
        numbers = range(first, last)
        return torch.stack([self._solver.shown(self._colours[i // count], i % count, self._given[i]) for i in numbers])
