"""How many of some views show each place of one of them: what keys of attention are weighed down by."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ....renderers.kept import Kept
from ....renderers.scene import Scene
from ....sync_core.walked import Views

# Sets of views whose counts are kept; each is as large as the views of one set.
_MOST = 512


@dataclass(frozen=True)
class Overlaps:
    """The overlaps of a scene's views on cells of ``cell`` image pixels."""

    scene: Scene
    cell: int
    _counts: Kept = field(default_factory=lambda: Kept(_MOST), compare=False, repr=False)
    _biases: Kept = field(default_factory=lambda: Kept(_MOST), compare=False, repr=False)
    _shown: Kept = field(default_factory=Kept, compare=False, repr=False)

    def counts(self, seen: frozenset[int], grid: tuple[int, int]) -> dict[int, Tensor]:
        """For each of the views ``seen``, on its grid of (rows, columns) places: how many of them show the place, 1 at
        least (itself). float32 [rows, columns]."""
        return self._counts.get((seen, grid), lambda: self._counted(sorted(seen), grid))

    def bias(self, seen: tuple[int, ...], grid: tuple[int, int], device: torch.device) -> Tensor:
        """float32 [len(seen) * rows * columns]: -log of the counts, one view after another."""

        def made() -> Tensor:
            counts = self.counts(frozenset(seen), grid)
            return torch.cat([-counts[view].log().flatten() for view in seen]).to(device)

        return self._biases.get((seen, grid, str(device)), made)

    def places(self, seen: tuple[int, ...], grid: tuple[int, int]) -> float:
        """How many places the views show together, each counted once."""
        counts = self.counts(frozenset(seen), grid)
        return sum(float(counts[view].reciprocal().sum()) for view in seen)

    def _counted(self, seen: list[int], grid: tuple[int, int]) -> dict[int, Tensor]:
        geometry = self.scene.geometry
        return {
            view: geometry.shown(self.cell, view, seen, grid, self._through).sum(0).clamp(min=1).float()
            for view in seen
        }

    def _through(self) -> Tensor:
        return self._shown.get((), lambda: shown_cells(self.scene.views(self.cell)))


def shown_cells(views: Views) -> Tensor:
    """bool [N, N, h, w]: for each view, which of its cells each other view shows too, by the maps."""
    shown = torch.zeros(views.count, views.count, views.height, views.width, dtype=torch.bool)
    for other in range(views.count):
        seen = views.seen_cells(other).float().reshape(1, 1, *views.canonical)
        # (a pixel that mixes cells shows what most of it is)
        shown[:, other] = views.project(seen)[:, 0] >= 0.5
    return shown
