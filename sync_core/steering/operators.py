"""Changing the canonical clean estimate between averaging and projection, at every synchronised step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

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
    start: view latents [B*N, C, h, w] that the run starts from, on the model's scale; None: from noise alone.
    """

    average: Averager
    views_of: Callable[[Tensor], Tensor]
    luminance: Tensor | None = None
    start: Tensor | None = None


class CanonicalOperator(Protocol):
    """A value that a run may carry. Any object that has ``begin`` is one."""

    def begin(self, run: OperatorRun) -> Change:
        """What changes the cells of this run. Raises ValueError for what does not fit it."""
        ...


def changed(views: Tensor, run: OperatorRun, changes: tuple[Change, ...], progress: float) -> Tensor:
    """Consistent views [B*N, C, h, w] after the changes: f(change(A(views))), background left as it is.

    Only what changes is projected, so that nothing else of the views is touched, whatever domain they agree in.
    """
    cells = new = run.average(views)
    for change in changes:
        new = change(new, progress)
    return views if new is cells else views + run.average.views.project(new - cells)
