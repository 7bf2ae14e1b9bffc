"""Anamorphosis: the picture lies on a table, its reading appears in a mirror cone seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..sampled import Sampled
from ..warp import centres


@dataclass(frozen=True)
class ConeMirror(Sampled):
    """A mirror cone of base ``radius`` (share of the shorter side) stands in the middle, a far viewer looks straight
    down on it. The cone turns the ring around it inside out: its tip shows the picture's rim, its foot what lies next
    to it, and in between it is linear. View corners beyond the cone are background."""

    radius: float = 0.125

    name = "cone_mirror"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.radius < 0.5:
            raise ValueError(f"radius {self.radius:g}: use a share of the shorter side above 0 and below 0.5")

    def reads(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        side = min(height, width)
        row, column = centres(height, width)
        y, x = row - height / 2, column - width / 2
        distance = torch.hypot(y, x).clamp_min(1e-9)
        share = distance / (side / 2)
        away = (0.5 + share * (self.radius - 0.5)) * side
        # The very tip reflects all directions, so it shows none.
        away = torch.where((share <= 1) & (share > 1e-6), away, torch.nan)
        return height / 2 + away * y / distance, width / 2 + away * x / distance

    def seen_at(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        side = min(height, width)
        row, column = centres(height, width)
        y, x = row - height / 2, column - width / 2
        distance = torch.hypot(y, x).clamp_min(1e-9)
        share = (0.5 - distance / side) / (0.5 - self.radius)
        away = torch.where((share >= 0) & (share <= 1), share * side / 2, torch.nan)
        return height / 2 + away * y / distance, width / 2 + away * x / distance
