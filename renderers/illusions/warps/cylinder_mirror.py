"""Anamorphosis: the picture lies on a table, its reading appears in an upright mirror cylinder."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..sampled import Sampled
from ..warp import centres

WIDEST = math.radians(60)  # half the arc of the mirror that is used; its borders are reflected twice as far round


@dataclass(frozen=True)
class CylinderMirror(Sampled):
    """A mirror of ``radius`` (share of the shorter side) stands in the middle; a far viewer looks from the lower edge.

    A ray that meets the mirror at angle phi and height z leaves at 2 phi and reaches the table at
    r (sin phi, cos phi) + s (sin 2 phi, cos 2 phi), s = z times the cotangent of the viewer's elevation. View columns
    are r sin phi, view rows are z, so that s goes from 0 at the bottom row to the picture's border at the top row.
    """

    radius: float = 0.125

    name = "cylinder_mirror"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.radius < 0.5:
            raise ValueError(f"radius {self.radius:g}: use a share of the shorter side above 0 and below 0.5")

    def reads(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        side = min(height, width)
        row, column = centres(height, width)
        sine = (column / width * 2 - 1) * math.sin(WIDEST)
        phi, r = torch.asin(sine), self.radius * side
        s = (1 - row / height) * (side / 2 - r)
        x = r * sine + s * torch.sin(2 * phi)
        y = r * torch.cos(phi) + s * torch.cos(2 * phi)
        return height / 2 + y, width / 2 + x

    def seen_at(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        side = min(height, width)
        row, column = centres(height, width)
        y, x, r = row - height / 2, column - width / 2, self.radius * side

        def off(phi: Tensor) -> Tensor:
            return x * torch.cos(2 * phi) - y * torch.sin(2 * phi) + r * torch.sin(phi)

        # Seen from the axis, the place lies between phi (at the mirror's foot) and 2 phi (far away).
        around = torch.atan2(x, y)
        low, high = around / 2, around
        for _ in range(40):
            middle = (low + high) / 2
            before = (off(middle) > 0) == (around > 0)
            low, high = torch.where(before, middle, low), torch.where(before, high, middle)
        phi = (low + high) / 2
        s = (x - r * torch.sin(phi)) * torch.sin(2 * phi) + (y - r * torch.cos(phi)) * torch.cos(2 * phi)
        nowhere = (phi.abs() > WIDEST) | (s < 0)
        rows = (1 - s / (side / 2 - r)) * height
        columns = (torch.sin(phi) / math.sin(WIDEST) + 1) / 2 * width
        return torch.where(nowhere, torch.nan, rows), columns
