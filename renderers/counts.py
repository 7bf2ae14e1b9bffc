"""How many views see each place: counts as pictures, as figures, and in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..sync_core.walked import Views

_CELL = 8
# Coarse counts are shown at about this many pixels.
_SHOWN = 1024


@dataclass(frozen=True)
class RigCoverage:
    """``per_cell`` int64 [rows, columns]: how many views see each cell, of splats one row, a splat a column; ``area``
    float32 [rows, 1]: its share. area_of: what that is a share of, where it is not the picture."""

    per_cell: Tensor
    area: Tensor
    area_of: str = ""

    @property
    def holes(self) -> float:
        """Share of the picture's pixels that no view sees."""
        return float((self.per_cell == 0).float().mean())

    @property
    def unseen(self) -> float:
        """Share of the area that no view sees: of the sphere for a panorama, else as ``holes``."""
        empty = (self.per_cell == 0).float() * self.area
        return float(empty.sum() / (self.area.sum() * self.per_cell.shape[1]))


@dataclass(frozen=True)
class Words:
    """What to call a space's parts. size: all of it; whole, each: all and one of its places; holes: what nobody sees
    becomes, and what to do about it, after "12.3 % of the picture"."""

    size: str
    whole: str = "picture"
    each: str = "cell"
    holes: str = (
        "is seen by no view; EquirectStitch fills it or leaves it black. To see everything: ViewRig's kind sphere or "
        "fibonacci, a wider fov, or more elevations"
    )

    @staticmethod
    def of(size: tuple[int, int]) -> Words:
        """Of a picture of ``size`` (width, height) pixels."""
        return Words(f"{size[0]} x {size[1]}")


@dataclass(frozen=True)
class RigSight:
    """What a rig sees. pictures: float [n, H, W, 3] in [0, 1]. text: the figures, one a line. warning: of holes, or
    nothing."""

    pictures: Tensor
    text: str
    warning: str


def coverage_on_cells(views_of: Callable[[int, int], Views], cell: int = _CELL) -> RigCoverage:
    """Counts by the views' maps. views_of: see ``Geometry.views``."""
    views = views_of(cell, 1)
    counts = views.views_per_cell.reshape(views.canonical)
    return RigCoverage(counts, torch.ones(len(counts), 1))


def enlarged_heat(counts: Tensor) -> Tensor:
    """A count map [rows, columns] as a picture [H, W, 3] of about 1024 pixels."""
    rows, columns = counts.shape
    enlarged = max(1, _SHOWN // max(rows, columns))
    return heat(counts, rows * enlarged, columns * enlarged)


def sight(found: RigCoverage, picture: Tensor, words: Words, views: int, view_size: tuple[int, int]) -> RigSight:
    """Counts, shown as ``picture`` [H, W, 3], in words. views: how many there are."""
    lines = coverage_lines(found, words, views, view_size)
    return RigSight(picture[None], "\n".join(lines), hole_warning(found, words))


def coverage_lines(found: RigCoverage, words: Words, views: int, view_size: tuple[int, int]) -> list[str]:
    """What to tell about it, a figure a line; the last one warns where the rig leaves holes."""
    counts, whole = found.per_cell, words.whole
    area = f" ({100 * (1 - found.unseen):.1f} % of the {found.area_of})" if found.area_of else ""
    shares = [f"{n}: {100 * float((counts == n).float().mean()):.1f} %" for n in range(int(counts.max()) + 1)]
    return [
        f"{views} views of {view_size[0]} x {view_size[1]} on {words.size}",
        f"coverage {100 * (1 - found.holes):.1f} % of the {whole}{area}",
        f"views per {words.each} {int(counts.min())} to {int(counts.max())}, mean {float(counts.float().mean()):.2f}",
        f"share of the {whole} by number of views: {', '.join(shares)}",
        hole_warning(found, words) or "no holes",
    ]


def hole_warning(found: RigCoverage, words: Words) -> str:
    """A warning with the percentage, or nothing where there is no hole."""
    return f"warning: {100 * found.holes:.1f} % of the {words.whole} {words.holes}" if found.holes else ""


def heat(counts: Tensor, height: int, width: int) -> Tensor:
    """A count map [rows, columns] as a picture [height, width, 3]: black for 0, then blue through green to yellow."""
    stops = torch.tensor([[0.15, 0.11, 0.36], [0.13, 0.42, 0.56], [0.21, 0.68, 0.48], [0.98, 0.90, 0.15]])
    top = max(int(counts.max()), 1)
    position = (counts.float() - 1).clamp_min(0) / max(top - 1, 1) * (len(stops) - 1)
    low = position.floor().long().clamp(0, len(stops) - 2)
    part = (position - low)[..., None]
    colour = stops[low] * (1 - part) + stops[low + 1] * part
    colour = colour * (counts > 0)[..., None]
    # Each pixel shows the cell that its middle lies in: grids need not divide the picture.
    row, column = (
        ((torch.arange(size) + 0.5) * cells / size).long()
        for size, cells in zip((height, width), counts.shape, strict=True)
    )
    return colour[row[:, None], column]


def heat_square(counts: Tensor) -> Tensor:
    """Counts of a list [K] as a square picture in the list's order, one pixel each."""
    side = math.ceil(math.sqrt(len(counts)))
    return heat(F.pad(counts, (0, side * side - len(counts))).reshape(side, side), side, side)
