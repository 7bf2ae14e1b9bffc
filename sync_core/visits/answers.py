"""What a model said of views during a run in which it is not asked about all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Waits(Protocol):
    """When views wait, and how many steps."""

    @property
    def tolerance(self) -> float: ...

    @property
    def stale(self) -> int: ...


@dataclass
class Answers:
    """Changes from step to step. last: [B*N, C, h, w], what was said last of each view, where that is needed: of the
    backgrounds of views that are not asked, and by moves between steps. due: int64 [N], the step at which each view is
    to be asked again; None: at the next. asked, spared: views that went through the model, and that did not."""

    last: Tensor | None = None
    due: Tensor | None = None
    asked: int = 0
    spared: int = 0

    def count(self, rows: tuple[int, ...] | None, views: int, pictures: int) -> None:
        """A model call about some of ``views`` views (None: all) of each picture."""
        chosen = views if rows is None else len(rows)
        self.asked += pictures * chosen
        self.spared += pictures * (views - chosen)

    def filled(self, clean: Tensor, rows: tuple[int, ...] | None, views: int) -> Tensor:
        """Clean views [B*N, C, h, w], what was said last in place of views that were not asked; kept for later."""
        if rows is not None and self.last is not None:
            chosen = torch.zeros(views, dtype=torch.bool, device=clean.device)
            chosen[list(rows)] = True
            clean = torch.where(chosen.repeat(len(clean) // views).reshape(-1, 1, 1, 1), clean, self.last)
        self.last = clean
        return clean

    def waiting(self, step: int) -> tuple[int, ...] | None:
        """Views that are due at a step, at least one of those that wait longest; None: all of them."""
        if self.due is None:
            return None
        waited = [int(due) for due in self.due]
        rows = [row for row, due in enumerate(waited) if due <= step] or [waited.index(min(waited))]
        return None if len(rows) == len(self.due) else tuple(rows)

    def moved(self, step: int, changes: Tensor, rule: Waits) -> None:
        """What each view's estimate moved by at a step (float [N]): those that were asked are due at the next, or
        after ``stale`` more where it was less than ``tolerance``."""
        changes = changes.detach().cpu()
        rows = self.waiting(step) or tuple(range(len(changes)))
        due = torch.zeros(len(changes), dtype=torch.int64) if self.due is None else self.due.clone()
        for row in rows:
            due[row] = step + 1 + (rule.stale if float(changes[row]) < rule.tolerance else 0)
        self.due = due

    def words(self) -> str:
        """What was spared; empty where nothing was."""
        if not self.spared:
            return ""
        total = self.asked + self.spared
        return f"{self.asked} views went through the model instead of {total} ({100 * self.asked / total:.0f} %)"
