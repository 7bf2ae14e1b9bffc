"""What a model said of views during a run in which it is not asked about all of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Answers:
    """Changes from step to step. last: [B*N, C, h, w], what was said last of each view, where that is needed: of the
    backgrounds of views that are not asked, and by moves between steps. asked, spared: views that went through the
    model, and that did not."""

    last: Tensor | None = None
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

    def words(self) -> str:
        """What was spared; empty where nothing was."""
        if not self.spared:
            return ""
        total = self.asked + self.spared
        return f"{self.asked} views went through the model instead of {total} ({100 * self.asked / total:.0f} %)"
