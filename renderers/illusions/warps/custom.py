"""A warp given as a picture of coordinates."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ..sampled import Sampled


@dataclass(frozen=True, eq=False)
class Custom(Sampled):
    """``coordinates`` [H, W, 2 or more]: where each view pixel looks, channel 0 from the left edge (0) to the right
    (1), channel 1 from the top (0) to the bottom (1); further channels are ignored. Scaled to the size asked for.

    Pixels that look outside 0..1 are background. Cells may be seen several times (the warp folds) or never: see
    ``multiplicity`` and ``report``. Raises ValueError for another shape or values that are no numbers.
    """

    coordinates: Tensor = field(default_factory=lambda: torch.zeros(0))

    name = "custom"

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = tuple(self.coordinates.shape)
        if len(shape) != 3 or shape[2] < 2:
            raise ValueError(f"coordinates of shape {shape} are no picture; give [height, width, 2 or more channels]")
        if not bool(torch.isfinite(self.coordinates).all()):
            raise ValueError("coordinates hold values that are no numbers; use 0..1, or values outside for background")

    def reads(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        given = self.coordinates[..., :2].movedim(-1, 0)[None].double().cpu()
        if given.shape[-2:] != (height, width):
            given = F.interpolate(given, (height, width), mode="bilinear", align_corners=False)
        x, y = given[0].flatten(1)
        return y * height, x * width

    def outside(self, height: int, width: int) -> float:
        """Share of the view that looks outside 0..1."""
        row, column = self.reads(height, width)
        slack = 1e-6
        seen = (row >= -slack) & (row <= height + slack) & (column >= -slack) & (column <= width + slack)
        return float((~seen).float().mean())

    def folded(self, height: int, width: int) -> float:
        """Share of the view that shows the picture the other way round than most of it: where a warp folds, the
        picture comes back mirrored. 0 for every warp without a fold, whatever it turns, stretches or mirrors as a
        whole."""
        row, column = (p.reshape(height, width) for p in self.reads(height, width))
        if height < 2 or width < 2:
            return 0.0
        down, right = (row.diff(dim=0)[:, 1:], column.diff(dim=0)[:, 1:]), (row.diff(dim=1)[1:], column.diff(dim=1)[1:])
        turning = right[1] * down[0] - right[0] * down[1]
        # Coordinates of 8 bits stand still here and there, which is no fold.
        sides = [float((turning * sign > 0.02).float().mean()) for sign in (1, -1)]
        return min(sides) / max(sum(sides), 1e-12)

    def multiplicity(self, height: int, width: int) -> Tensor:
        """int64 [H, W]: how many view pixels look into each cell (1 everywhere: a permutation)."""
        row, column = self.reads(height, width)
        inside = (row >= 0) & (row <= height) & (column >= 0) & (column <= width)
        cell = row[inside].floor().long().clamp_max(height - 1) * width
        cell = cell + column[inside].floor().long().clamp_max(width - 1)
        return torch.bincount(cell, minlength=height * width).reshape(height, width)

    def report(self, height: int, width: int) -> str:
        """One line: what of the view is background, and how often the picture's cells are seen."""
        times = self.multiplicity(height, width)
        size = height * width
        outside, never, several = size - int(times.sum()), int((times == 0).sum()), int((times > 1).sum())
        return (
            f"{outside / size:.1%} of the view looks outside 0..1 and is background; of the picture's cells "
            f"{several / size:.1%} are seen more than once (at most {int(times.max())} times), {never / size:.1%} never"
        )
