"""The average of the views that were asked.

In a run every view shows the canonical signal, so at a step the clean estimate of all views is f of what the asked ones
average to. Cells that none of them saw keep the last clean estimate D_k. For the plain step x' = r x + (1 - r) D that
is no approximation of its own but a longer step: two steps with one estimate,
r_2 (r_1 x + (1 - r_1) D_k) + (1 - r_2) D_k = r_1 r_2 x + (1 - r_1 r_2) D_k, are the one from the first level to the
last, so a cell that is seen at some levels goes exactly as in a run of these levels, and is as noisy as all others.

So does any part of an estimate. Where cells are left out, a border between what was just said and what was said before
would run through the picture; so cells that only the edge of a view shows, though the rig has a better one, take as
much of the new estimate as that edge counts beside the better view, and the rest of the old one (``best``).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..walked_mean import Averager


@dataclass(frozen=True)
class Visited:
    """rows: the views that are asked, of one canonical picture. held: [B, C, *canonical], the last clean estimate, for
    cells that none of them sees; None: 0 there, as in holes of the rig. best: float [K], what the best view of the rig
    counts for at each cell, where edges of views give way to what is held; None: they do not."""

    rows: tuple[int, ...]
    held: Tensor | None = None
    best: Tensor | None = None


@dataclass(frozen=True)
class VisitedMean:
    """Averages view batches [B*N, C, h, w] in which only some views say anything. mean: of these alone."""

    mean: Averager
    held: Tensor | None
    best: Tensor | None = None

    def __call__(self, batch: Tensor) -> Tensor:
        cells = self.mean(batch)
        if self.held is None:
            return cells
        if self.best is not None:
            share = self._share(self.best).reshape(self.mean.views.canonical)
            return torch.lerp(self.held.to(cells), cells, share.to(cells))
        if bool(self.mean.seen.all()):
            return cells
        return torch.where(self.mean.seen.reshape(self.mean.views.canonical), cells, self.held.to(cells))

    def _share(self, best: Tensor) -> Tensor:
        """float [K] in 0..1: how much of the new estimate cells take."""
        share = (self.mean.total / best.clamp_min(torch.finfo(best.dtype).tiny)).clamp(0, 1)
        return share * share * (3 - 2 * share)
