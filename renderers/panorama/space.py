"""The whole sphere as an equirectangular map, seen by cameras in its middle.

Column 0 begins at azimuth -180 degrees, the middle is azimuth 0, row 0 begins at elevation +90; cell centres lie at
half-integers. Maps wrap in azimuth, and a tap beyond a pole continues on the other side of it, so the seam column and
the poles are as exact as any other place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ...sync_core.views import ViewSet
from ..arrays import triple
from ..borders import Borders
from ..cameras.looks import Look, angles, angular_hann, direction, pixels_of, rays
from ..cells import nearest_multiple
from ..pictures import corners

Sampling = Literal["bilinear", "nearest"]
SAMPLINGS: tuple[Sampling, ...] = ("bilinear", "nearest")

# Places that are worked out at a time.
_BAND = 2**17


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
    borders = Borders(x=True, poles=True)

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
    down, right, weights = corners(row, column)
    return cell_across(down, right, rows, columns), weights


def cell_across(row: Tensor, column: Tensor, rows: int, columns: int) -> Tensor:
    """Index of an integral (row, column) that may lie beyond a pole or past the seam."""
    row, column = row.long(), column.long()
    beyond = (row < 0) | (row >= rows)
    row = torch.where(row < 0, -1 - row, torch.where(row >= rows, 2 * rows - 1 - row, row))
    # Over the pole the map continues half way around. With an odd number of columns that lies between two cells.
    return row * columns + (column + beyond * (columns // 2)) % columns


def panorama_views(rig: Lookout, height: int, width: int, grid: tuple[int, int]) -> ViewSet:
    """The cameras' views of ``height`` x ``width`` pixels as maps of an equirectangular grid (rows, columns).

    A view pixel reads the cells around its direction. Averaging also lets every cell read the view pixels around *its*
    direction: near the poles cells are far finer than pixels, and most would be seen by none.
    """
    maps = [look_map(look, height, width, grid, rig.sampling) for look in rig.looks]
    forward = LinearMap(
        row_offsets(len(maps) * height * width, taps_of(rig.sampling)),
        torch.cat([m.indices for m in maps]),
        torch.cat([m.weights for m in maps]),
        grid[0] * grid[1],
    )
    hann = torch.cat([angular_hann(look, height, width).reshape(-1) for look in rig.looks])
    return ViewSet(forward, grid, height, width, hann, cells_read_views(rig.looks, height, width, grid, rig.sampling))


def taps_of(sampling: Sampling) -> int:
    """How many places are read at a position."""
    return 4 if sampling == "bilinear" else 1


def row_offsets(rows: int, taps: int) -> Tensor:
    """Where rows of ``taps`` entries each start: int32 [rows + 1]."""
    return torch.arange(rows + 1, dtype=torch.int32) * taps


def _bands(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Rows of a picture, as many at a time as keep what is worked out for each place small."""
    step = max(1, _BAND // columns)
    return ((first, min(first + step, rows)) for first in range(0, rows, step))


def look_map(look: Look, height: int, width: int, grid: tuple[int, int], sampling: Sampling = "bilinear") -> LinearMap:
    """The cells that a view's pixels read: a map [height * width, cells]."""
    directions, taps = rays(look, height, width), taps_of(sampling)
    indices = torch.empty(height, width, taps, dtype=torch.int32)
    weights = torch.empty(height, width, taps)
    for first, last in _bands(height, width):
        indices[first:last], weights[first:last] = equirect_taps(directions[first:last], *grid, sampling)
    return LinearMap(row_offsets(height * width, taps), indices.reshape(-1), weights.reshape(-1), grid[0] * grid[1])


def cells_read_view(
    look: Look, height: int, width: int, grid: tuple[int, int], sampling: Sampling = "bilinear"
) -> tuple[Tensor, Tensor, Tensor]:
    """What cells would see in one view: (cells that it sees, rising, int64 [n]; pixels int32 [n, T], their weights
    float32 [n, T])."""
    rows, columns = grid
    azimuth = ((torch.arange(columns, dtype=torch.float64) + 0.5) / columns * 2 - 1) * math.pi
    elevation = (0.5 - (torch.arange(rows, dtype=torch.float64) + 0.5) / rows) * math.pi
    right, back, up, level = azimuth.sin(), azimuth.cos(), elevation.sin(), elevation.cos()
    # (a little more than the frame's corner: which cells are seen is told below)
    reach = math.atan(math.hypot(*look.tangents(height, width))) + 1e-6
    x, y, z = triple(look.axis)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for first, last in _bands(rows, columns):
        if float(elevation[first]) < look.elevation - reach or float(elevation[last - 1]) > look.elevation + reach:
            continue
        # The cosine of the angle from the axis is a product of rows and columns: no trigonometry for each cell.
        cosine = level[first:last, None] * (right * x - back * z) + up[first:last, None] * y
        row, column = torch.nonzero(cosine >= math.cos(reach), as_tuple=True)
        row = row + first
        flat = level[row]
        directions = torch.stack([flat * right[column], up[row], -flat * back[column]], -1)
        there, across, seen = pixels_of(look, directions, height, width)
        at = torch.nonzero(seen).squeeze(1)
        index, weight = pixel_taps(there[at], across[at], height, width, sampling)
        found.append(((row * columns + column)[at], index.to(torch.int32), weight))
    if not found:
        taps = taps_of(sampling)
        nothing = torch.zeros(0, dtype=torch.int64)
        return nothing, nothing.int().expand(taps, 0).T, torch.zeros(0, taps)
    cells, indices, weights = (torch.cat(parts) for parts in zip(*found, strict=True))
    return cells, indices, weights


def cells_read_views(
    looks: tuple[Look, ...], height: int, width: int, grid: tuple[int, int], sampling: Sampling = "bilinear"
) -> LinearMap:
    """What a cell would see in the views: a map [cells, N * height * width], rows of several views not normalised."""
    taps = taps_of(sampling)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    counts = torch.zeros(grid[0] * grid[1], dtype=torch.int64)
    for number, look in enumerate(looks):
        at, index, weight = cells_read_view(look, height, width, grid, sampling)
        found.append((at, index + number * height * width, weight))
        counts[at] += taps
    offsets = torch.zeros(len(counts) + 1, dtype=torch.int64)
    offsets[1:] = counts.cumsum(0)
    indices = torch.zeros(int(offsets[-1]), dtype=torch.int32)
    values = torch.zeros(int(offsets[-1]))
    filled = offsets[:-1].clone()
    # Every view writes its entries behind those of the views before it: sorted by construction.
    for at, index, weight in found:
        place = filled[at][:, None] + torch.arange(taps)
        indices[place] = index
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
    rows, columns, weights = corners(row, column)
    return index(rows, columns), weights
