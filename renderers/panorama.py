"""The whole sphere as an equirectangular map, seen by cameras in its middle.

Column 0 begins at azimuth -180 degrees, the middle is azimuth 0, row 0 begins at elevation +90; cell centres lie at
half-integers. Maps wrap in azimuth, and a tap beyond a pole continues on the other side of it, so the seam column and
the poles are as exact as any other place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..sync_core.linear_map import LinearMap
from ..sync_core.views import ViewSet
from .cameras import Look, angles, angular_hann, direction, pixels_of, rays
from .cells import nearest_multiple

Sampling = Literal["bilinear", "nearest"]
SAMPLINGS: tuple[Sampling, ...] = ("bilinear", "nearest")


def check_whole_sphere(what: str, width: int, height: int, otherwise: str = "") -> None:
    """Raise ValueError for a size that is not twice as wide as high. ``what``: has the size; ``otherwise``: what to use
    instead of that size, for pictures that are there already."""
    if height < 2 or width != 2 * height:
        near = max(2, round((width + 2 * height) / 4))
        wrong = "is no panorama, which is twice as wide as high" if otherwise else "is not twice as wide as high"
        fix = f"{2 * near} x {near}{otherwise and ', or '}{otherwise}"
        raise ValueError(f"{what} of {width} x {height} {wrong}; use {fix}")


@dataclass(frozen=True)
class Panorama:
    """A sphere of directions as an equirectangular image of ``width`` x ``height`` pixels, twice as wide as high."""

    width: int
    height: int

    kind = "panorama"
    wrap_x = True
    wrap_y = False

    def __post_init__(self) -> None:
        check_whole_sphere("a panorama", self.width, self.height)

    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of cells of ``cell`` image pixels. Raises ValueError when cells do not fill it: a cropped
        cell would open the seam."""
        if self.height % cell:
            near = nearest_multiple(self.height, cell)
            raise ValueError(
                f"panorama height {self.height} is not a multiple of this model's cell of {cell} pixels; "
                f"use {2 * near} x {near}"
            )
        return self.height // cell, self.width // cell


@dataclass(frozen=True)
class Lookout:
    """Cameras in the middle of a sphere. ``width``, ``height``: of every view, image pixels. ``sampling``: how a view
    pixel reads the map."""

    looks: tuple[Look, ...]
    width: int
    height: int
    sampling: Sampling = "bilinear"

    kind = "cameras"

    def __post_init__(self) -> None:
        if not self.looks:
            raise ValueError("a rig without cameras sees nothing; add a camera")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a view of {self.width} x {self.height} has no pixels; use e.g. 512 x 512")
        if self.sampling not in SAMPLINGS:
            raise ValueError(f"sampling '{self.sampling}' is unknown; use one of {', '.join(SAMPLINGS)}")


def equirect_directions(rows: int, columns: int) -> Tensor:
    """float64 [rows, columns, 3]: unit directions of the cell centres."""
    azimuth = ((torch.arange(columns, dtype=torch.float64) + 0.5) / columns * 2 - 1) * math.pi
    elevation = (0.5 - (torch.arange(rows, dtype=torch.float64) + 0.5) / rows) * math.pi
    return direction(azimuth.expand(rows, columns), elevation[:, None].expand(rows, columns))


def equirect_positions(directions: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """(row, column) in cells of directions [..., 3]; 0.5 is the first cell's centre."""
    azimuth, elevation = angles(directions)
    return (0.5 - elevation / math.pi) * rows, (azimuth / math.pi + 1) / 2 * columns


def equirect_taps(
    directions: Tensor, rows: int, columns: int, sampling: Sampling = "bilinear"
) -> tuple[Tensor, Tensor]:
    """Cells that directions [..., 3] read, and how much of each: (int64 [..., T], float32 [..., T]), T = 4 or 1."""
    row, column = equirect_positions(directions, rows, columns)
    if sampling == "nearest":
        cells = cell_across(row.floor(), column.floor(), rows, columns)[..., None]
        return cells, torch.ones_like(cells, dtype=torch.float32)
    return _corners(row, column, lambda r, c: cell_across(r, c, rows, columns))


def cell_across(row: Tensor, column: Tensor, rows: int, columns: int) -> Tensor:
    """Index of an integral (row, column) that may lie beyond a pole or past the seam."""
    row, column = row.long(), column.long()
    beyond = (row < 0) | (row >= rows)
    row = torch.where(row < 0, -1 - row, torch.where(row >= rows, 2 * rows - 1 - row, row))
    # Over the pole the map continues half way around. With an odd number of columns that lies between two cells.
    return row * columns + (column + beyond * (columns // 2)) % columns


def _corners(row: Tensor, column: Tensor, index: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The four places around a position, and their bilinear weights: [..., 4] each."""
    y, x = row - 0.5, column - 0.5
    top, left = y.floor(), x.floor()
    down, right = (y - top).float(), (x - left).float()
    cells = [index(top + i, left + j) for i in (0, 1) for j in (0, 1)]
    weights = [(down if i else 1 - down) * (right if j else 1 - right) for i in (0, 1) for j in (0, 1)]
    return torch.stack(cells, -1), torch.stack(weights, -1)


def panorama_views(rig: Lookout, height: int, width: int, grid: tuple[int, int]) -> ViewSet:
    """The cameras' views of ``height`` x ``width`` pixels as maps of an equirectangular grid (rows, columns).

    A view pixel reads the cells around its direction. Averaging also lets every cell read the view pixels around *its*
    direction: near the poles cells are far finer than pixels, and most would be seen by none.
    """
    rows, columns = grid
    taps = [equirect_taps(rays(look, height, width), rows, columns, rig.sampling) for look in rig.looks]
    cells = torch.stack([t[0] for t in taps])
    weights = torch.stack([t[1] for t in taps])
    forward = regular_map(cells.reshape(-1, cells.shape[-1]), weights.reshape(-1, weights.shape[-1]), rows * columns)
    hann = torch.cat([angular_hann(look, height, width).reshape(-1) for look in rig.looks])
    return ViewSet(forward, grid, height, width, hann, cells_read_views(rig.looks, height, width, grid, rig.sampling))


def regular_map(columns: Tensor, weights: Tensor, cols: int) -> LinearMap:
    """A map with the same number of entries in every row: ``columns``, ``weights`` [rows, T]."""
    rows, taps = columns.shape
    offsets = torch.arange(rows + 1, dtype=torch.int32) * taps
    return LinearMap(offsets, columns.reshape(-1).to(torch.int32), weights.reshape(-1).contiguous(), cols)


def cells_read_views(
    looks: tuple[Look, ...], height: int, width: int, grid: tuple[int, int], sampling: Sampling = "bilinear"
) -> LinearMap:
    """What a cell would see in the views: a map [cells, N * height * width], rows of several views not normalised."""
    directions = equirect_directions(*grid).reshape(-1, 3)
    taps = 4 if sampling == "bilinear" else 1
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    counts = torch.zeros(len(directions), dtype=torch.int64)
    for number, look in enumerate(looks):
        row, column, seen = pixels_of(look, directions, height, width)
        at = torch.nonzero(seen).squeeze(1)
        index, weight = pixel_taps(row[at], column[at], height, width, sampling)
        found.append((at, index + number * height * width, weight))
        counts[at] += taps
    offsets = torch.zeros(len(directions) + 1, dtype=torch.int64)
    offsets[1:] = counts.cumsum(0)
    indices = torch.zeros(int(offsets[-1]), dtype=torch.int32)
    values = torch.zeros(int(offsets[-1]))
    filled = offsets[:-1].clone()
    # Every view writes its entries behind those of the views before it: sorted by construction.
    for at, index, weight in found:
        place = filled[at][:, None] + torch.arange(taps)
        indices[place] = index.to(torch.int32)
        values[place] = weight
        filled[at] += taps
    return LinearMap(offsets.to(torch.int32), indices, values, len(looks) * height * width)


def pixel_taps(
    row: Tensor, column: Tensor, height: int, width: int, sampling: Sampling = "bilinear"
) -> tuple[Tensor, Tensor]:
    """View pixels around positions [n] inside a frame, and their weights: [n, T] each; the border pixel repeats."""

    def index(r: Tensor, c: Tensor) -> Tensor:
        return r.long().clamp(0, height - 1) * width + c.long().clamp(0, width - 1)

    if sampling == "nearest":
        return index(row.floor(), column.floor())[:, None], torch.ones(len(row), 1)
    return _corners(row, column, index)
