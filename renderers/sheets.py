"""Where views lie on one flat sheet: for networks that know the places of a picture by row and column.

Windows of a canvas lie on it. Cameras have no such sheet, so theirs is a choice: a cylinder, unrolled, on which a
camera lies where it looks (azimuth along, elevation up). Neighbours then lie next to each other, on the side where they
are, round the back too; and two cameras lie at one place only when they look in one direction. Near the poles
neighbours lie farther apart than they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .directions import ViewPlace


@dataclass(frozen=True)
class Sheet:
    """origins: float64 [N, 2], (row, column) of each view's upper left corner, in cells; fractions are allowed.
    size: (rows, columns) of the sheet. period: after how many (rows, columns) it begins anew; 0 where it does not."""

    origins: Tensor
    size: tuple[float, float]
    period: tuple[float, float] = (0.0, 0.0)

    def shift(self, seen: int, by: int) -> tuple[float, float]:
        """How many (rows, columns) view ``seen`` must be moved to lie on the side of view ``by`` where it is nearer."""

        def around(axis: int) -> float:
            gap, period = float(self.origins[seen, axis] - self.origins[by, axis]), self.period[axis]
            return -round(gap / period) * period if period else 0.0

        return around(0), around(1)


def one_place(views: int, rows: int, columns: int) -> Sheet:
    """Views of ``rows`` x ``columns`` cells that all lie at one place."""
    return Sheet(torch.zeros(views, 2, dtype=torch.float64), (rows, columns))


def cylinder(places: Sequence[ViewPlace], rows: int, columns: int, fov: float) -> Sheet:
    """Cameras whose ``columns`` cells span ``fov`` radians, by where they look; the front lies in the middle."""
    radian = columns / 2 / math.tan(fov / 2)
    length, height = 2 * math.pi * radian, math.pi * radian
    middles = [
        (
            height / 2 - math.radians(place.elevation or 0.0) * radian,
            length / 2 + math.radians(place.azimuth or 0.0) * radian,
        )
        for place in places
    ]
    corner = torch.tensor([rows / 2, columns / 2], dtype=torch.float64)
    return Sheet(torch.tensor(middles, dtype=torch.float64) - corner, (height, length), (0.0, length))


def on_places(shown: Tensor, grid: tuple[int, int]) -> Tensor:
    """bool [.., h, w] of cells -> bool [.., *grid]: of places, those of which at least half is shown."""
    return F.adaptive_avg_pool2d(shown.float(), grid) >= 0.5
