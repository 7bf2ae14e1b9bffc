"""The average of the views that were asked.

In a run every view shows the canonical signal, so at a step the clean estimate of all views is f of what the asked ones
average to. Cells that none of them saw keep the last clean estimate D_k. For the plain step x' = r x + (1 - r) D that
is no approximation of its own but a longer step: two steps with one estimate,
r_2 (r_1 x + (1 - r_1) D_k) + (1 - r_2) D_k = r_1 r_2 x + (1 - r_1 r_2) D_k, are the one from the first level to the
last, so a cell that is seen at some levels goes exactly as in a run of these levels, and is as noisy as all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..walked_mean import Averager


@dataclass(frozen=True)
class Visited:
    """rows: the views that are asked, of one canonical picture. held: [B, C, *canonical], the last clean estimate, for
    cells that none of them sees; None: 0 there, as in holes of the rig."""

    rows: tuple[int, ...]
    held: Tensor | None = None


@dataclass(frozen=True)
class VisitedMean:
    """Averages view batches [B*N, C, h, w] in which only some views say anything. mean: of these alone."""

    mean: Averager
    held: Tensor | None

    def __call__(self, batch: Tensor) -> Tensor:
        cells = self.mean(batch)
        if self.held is None or bool(self.mean.seen.all()):
            return cells
        return torch.where(self.mean.seen.reshape(self.mean.views.canonical), cells, self.held.to(cells))
