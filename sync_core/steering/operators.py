"""Changing the canonical clean estimate between averaging and projection, at every synchronised step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..walked_mean import Averager

Change = Callable[[Tensor, float], Tensor]
"""(Cells [B, C, *canonical], fraction of the run 0..1) -> the cells that views are to show."""


@dataclass(frozen=True)
class OperatorRun:
    """What a run tells its operators before its first step.

    average: A, with the views on the run's device. views_of: latents as nodes pass them on, of the views or of the
    whole picture -> view latents [B*N, C, h, w] on the model's own scale; raises ValueError for what is neither.
    luminance: float [C], how much each channel of the model's latents counts for brightness; None where nobody knows.
    start: view latents [B*N, C, h, w] that the run starts from, on the model's scale; None: from noise alone. free:
    float [B or 1, 1, *canonical] in 0..1, how far each cell may change; None: all may.
    """

    average: Averager
    views_of: Callable[[Tensor], Tensor]
    luminance: Tensor | None = None
    start: Tensor | None = None
    free: Tensor | None = None


class CanonicalOperator(Protocol):
    """A value that a run may carry. Any object that has ``begin`` is one."""

    def begin(self, run: OperatorRun) -> Change:
        """What changes the cells of this run. Raises ValueError for what does not fit it."""
        ...


@dataclass(frozen=True)
class Chain:
    """Operators one after the other, as one."""

    operators: tuple[CanonicalOperator, ...]

    def begin(self, run: OperatorRun) -> Change:
        """See ``CanonicalOperator``."""
        changes = [operator.begin(run) for operator in self.operators]

        def change(cells: Tensor, progress: float) -> Tensor:
            for each in changes:
                cells = each(cells, progress)
            return cells

        return change


@dataclass(frozen=True)
class Operation:
    """An operator in one run: what it changes, where it may."""

    run: OperatorRun
    change: Change

    @staticmethod
    def begin(operator: CanonicalOperator, run: OperatorRun) -> Operation:
        return Operation(run, operator.begin(run))

    def cells(self, cells: Tensor, progress: float) -> Tensor:
        """Cells [B, C, *canonical] after the change."""
        new, free = self.change(cells, progress), self.run.free
        return new if free is None or new is cells else torch.where(free > 0, cells + free * (new - cells), cells)

    def views(self, views: Tensor, progress: float) -> Tensor:
        """Consistent views [B*N, C, h, w] after the change, where they agree in another domain than that of cells.

        Only what changes is projected, so that nothing else of them is touched.
        """
        cells = self.run.average(views)
        new = self.cells(cells, progress)
        return views if new is cells else views + self.run.average.views.project(new - cells)
