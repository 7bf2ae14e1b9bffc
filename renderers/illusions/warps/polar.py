"""The disc of a picture, unrolled to a strip."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..sampled import Sampled
from ..warp import centres


@dataclass(frozen=True)
class Polar(Sampled):
    """Columns are directions around the picture's middle (the middle column looks up, clockwise to the right), the top
    row is the rim of the largest disc, the bottom row its centre. The picture's corners are seen by nobody."""

    name = "polar"

    def reads(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        row, column = centres(height, width)
        angle = (column / width * 2 - 1) * math.pi
        radius = (1 - row / height) * min(height, width) / 2
        return height / 2 - radius * torch.cos(angle), width / 2 + radius * torch.sin(angle)

    def seen_at(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        row, column = centres(height, width)
        y, x = row - height / 2, column - width / 2
        share = torch.hypot(y, x) / (min(height, width) / 2)
        angle = torch.atan2(x, -y)
        # Rows above the first would be outside of the disc: not on the strip.
        return (1 - share) * height, (angle / math.pi + 1) / 2 * width
