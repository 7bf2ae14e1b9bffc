"""Pictures of cameras joined into one equirectangular picture, one view at a time: no map of all views is built."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...sync_core.variance import gaussian
from ..arrays import triple
from ..cameras.looks import Look, direction, hann_at, pixels_of
from ..pictures import TwoBands, filtered

# How decidedly the best view wins the fine detail: weights are raised to this power.
_DECISION = 12.0


@dataclass(frozen=True)
class Joined:
    """``picture`` [rows, columns, C]; ``weight`` [rows, columns]: summed weight of the views, 0 where nobody looks."""

    picture: Tensor
    weight: Tensor


@torch.no_grad()
def stitch_looks(
    looks: Sequence[Look], images: Iterable[Tensor], rows: int, columns: int, detail: float = 0.0
) -> Joined:
    """Views [h, w, C] of ``looks``, in their order, -> the equirectangular picture they show; unseen cells are 0.

    Every cell reads each view that sees it bilinearly; views count by a Hann window of the angle from their axis.
    detail: 0 averages everything; above 0, structures finer than about that many view pixels come from the view that
    looks straightest, so that views which differ in detail do not blur each other (two-band blend: Brown and Lowe,
    "Automatic panoramic image stitching", 2007). Raises ValueError when there are more or fewer images than looks.
    """
    blend: _Blend | None = None
    count = 0
    for number, image in enumerate(images):
        if number >= len(looks):
            raise ValueError(f"more images than the rig's {len(looks)} views; connect views of the same rig")
        if blend is None:
            blend = _Blend(rows, columns, image.shape[2], detail)
        blend.add(looks[number], image.float())
        count += 1
    if blend is None or count != len(looks):
        raise ValueError(f"{count} images for a rig of {len(looks)} views; connect all views of the same rig")
    return blend.joined()


class _Blend:
    """Weighted sums over the views so far."""

    def __init__(self, rows: int, columns: int, channels: int, detail: float) -> None:
        self.rows, self.columns, self.detail = rows, columns, detail
        azimuth = ((torch.arange(columns) + 0.5).double() / columns * 2 - 1) * math.pi
        elevation = (0.5 - (torch.arange(rows) + 0.5).double() / rows) * math.pi
        self.azimuth = (azimuth.sin().float(), azimuth.cos().float())
        self.elevation = (elevation.sin().float(), elevation.cos().float())
        self.bands = TwoBands(rows * columns, channels, detail > 0)

    def add(self, look: Look, image: Tensor) -> None:
        height, width = image.shape[:2]
        cells, directions = self._near(look, math.atan(math.hypot(*look.tangents(height, width))))
        row, column, seen = pixels_of(look, directions, height, width)
        at = torch.nonzero(seen).squeeze(1)
        row, column, cells = row[at], column[at], cells[at]
        # Exactly at the frame's border the window is 0; a cell that only such borders see must not be lost.
        weight = hann_at(look, row, column, height, width).clamp_min(1e-6)
        place = torch.stack([column * 2 / width - 1, row * 2 / height - 1], -1)[None, None]
        planes = image.permute(2, 0, 1)[None]
        coarse = _blurred(planes, self.detail) if self.detail > 0 else planes
        self.bands.add(cells, _read(coarse, place), weight)
        if self.detail > 0:
            decided = weight.double().pow(_DECISION).float().clamp_min(1e-30)
            self.bands.add_fine(cells, _read(planes - coarse, place), decided)

    def _near(self, look: Look, reach: float) -> tuple[Tensor, Tensor]:
        """Cells within ``reach`` radians of the axis, and their directions [n, 3]."""
        first = max(0, math.floor((0.5 - (look.elevation + reach) / math.pi) * self.rows))
        last = min(self.rows, math.ceil((0.5 - (look.elevation - reach) / math.pi) * self.rows))
        (up, level), (right, back) = self.elevation, self.azimuth
        x, y, z = triple(look.axis)
        # The cosine of the angle from the axis is a product of rows and columns: no trigonometry for each cell.
        cosine = level[first:last, None] * (right * x - back * z) + up[first:last, None] * y
        row, column = torch.nonzero(cosine >= math.cos(reach) - 1e-6, as_tuple=True)
        row = row + first
        flat = level[row]
        return row * self.columns + column, torch.stack([flat * right[column], up[row], -flat * back[column]], -1)

    def joined(self) -> Joined:
        shape = (self.rows, self.columns)
        return Joined(self.bands.mean().reshape(*shape, -1), self.bands.weight.reshape(shape))


def _read(planes: Tensor, place: Tensor) -> Tensor:
    """Bilinear look-up in [1, C, h, w] at [1, 1, M, 2] (x, y in [-1, 1], edge to edge) -> [M, C]."""
    return F.grid_sample(planes, place, padding_mode="border", align_corners=False)[0, :, 0].T


def _blurred(planes: Tensor, size: float) -> Tensor:
    """Gaussian blur of [1, C, h, w] with a standard deviation of ``size`` pixels; the border repeats."""
    line = gaussian(size, planes.dtype)
    return filtered(filtered(planes, line[None], "repeated"), line[:, None], "repeated")


def view_edges(looks: Sequence[Look], height: int, width: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Where views begin or end on the map: bool [rows, columns] for steps from the cell to the left (around the seam
    for column 0), and for steps from the cell above (none for row 0)."""
    azimuth = ((torch.arange(columns) + 0.5) / columns * 2 - 1) * math.pi
    elevation = (0.5 - (torch.arange(rows) + 0.5) / rows) * math.pi
    directions = direction(azimuth.expand(rows, columns), elevation[:, None].expand(rows, columns))
    left, above = (torch.zeros(rows, columns, dtype=torch.bool) for _ in range(2))
    for look in looks:
        seen = pixels_of(look, directions, height, width)[2]
        left |= seen != seen.roll(1, 1)
        above[1:] |= seen[1:] != seen[:-1]
    return left, above
