"""The plane: a canvas of any size, optionally wrapped, seen through rectangular windows.

A window copies its pixels, so f is a selection (every weight is 1) and all sizes are exact. Windows are placed on the
grid of *cells*: the pixels of a latent (8 image pixels for most models) or of the image itself (1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ...sync_core.views import ViewSet
from ..borders import Borders
from ..cells import check_multiple, nearest_multiple

Taper = Literal["hann", "triangle", "flat"]
TAPERS: tuple[Taper, ...] = ("hann", "triangle", "flat")


@dataclass(frozen=True)
class Plane:
    """A canvas of ``width`` x ``height`` image pixels. ``wrap_x``, ``wrap_y``: the opposite edges meet (tileable)."""

    width: int
    height: int
    wrap_x: bool = False
    wrap_y: bool = False

    kind = "plane"

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("height", self.height)):
            if value < 1:
                raise ValueError(f"{name} {value} is not a canvas; use at least 1 pixel")

    @property
    def borders(self) -> Borders:
        return Borders(self.wrap_x, self.wrap_y)

    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of cells that hold the whole canvas; the last may stick out and are cropped at the end."""
        return math.ceil(self.height / cell), math.ceil(self.width / cell)


@dataclass(frozen=True)
class Windows:
    """Windows of ``width`` x ``height`` image pixels every ``stride_x``, ``stride_y`` pixels.

    ``taper``: how much a window pixel counts where windows overlap, falling towards the window's border.
    """

    width: int
    height: int
    stride_x: int
    stride_y: int
    taper: Taper = "hann"

    kind = "windows"

    def __post_init__(self) -> None:
        for name, size, stride in (("width", self.width, self.stride_x), ("height", self.height, self.stride_y)):
            if size < 1:
                raise ValueError(f"{name} {size} is not a window; use the size the model was trained on, e.g. 512")
            if stride < 1:
                raise ValueError(f"stride {stride} does not move the window; use 1 to {size} pixels")
            if stride > size:
                raise ValueError(
                    f"stride {stride} is larger than the window's {name} {size} and leaves gaps; use at most {size}"
                )
        if self.taper not in TAPERS:
            raise ValueError(f"window weights '{self.taper}' are unknown; use one of {', '.join(TAPERS)}")


def windows_of(rig: Any) -> Windows | None:
    """A rig that is windows, where one is given. Raises ValueError for one of other views."""
    if rig is not None and not isinstance(rig, Windows):
        kind = getattr(rig, "kind", type(rig).__name__)
        raise ValueError(f"windows is a rig of {kind}; connect ViewRig's of kind windows, or nothing")
    return rig


@dataclass(frozen=True)
class Placement:
    """Where windows lie, in cells: ``rows`` and ``columns`` of their upper left corners, their size, the grid."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    height: int
    width: int
    grid: tuple[int, int]

    @property
    def count(self) -> int:
        return len(self.rows) * len(self.columns)

    @property
    def origins(self) -> Tensor:
        """float64 [N, 2]: (row, column) of each window's upper left corner."""
        return torch.tensor([(row, column) for row in self.rows for column in self.columns], dtype=torch.float64)

    def scaled(self, factor: int) -> Placement:
        """The same windows on a grid ``factor`` times finer."""
        return Placement(
            tuple(r * factor for r in self.rows),
            tuple(c * factor for c in self.columns),
            self.height * factor,
            self.width * factor,
            (self.grid[0] * factor, self.grid[1] * factor),
        )

    def borders(self, wrap: tuple[bool, bool]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(rows, columns) where a window begins or ends inside the canvas (wrap: of rows, of columns)."""
        return (
            _borders(self.rows, self.height, self.grid[0], wrap[0]),
            _borders(self.columns, self.width, self.grid[1], wrap[1]),
        )


def _borders(starts: tuple[int, ...], size: int, length: int, wrap: bool) -> tuple[int, ...]:
    if size == length and len(starts) == 1 and not wrap:
        return ()
    edges = {s % length for s in starts} | {(s + size) % length for s in starts}
    return tuple(sorted(e for e in edges if wrap or 0 < e < length))


def _starts(length: int, size: int, stride: int, wrap: bool) -> tuple[int, ...]:
    """Positions that cover every cell: an extra window where the last would stick out, evenly spread on a ring."""
    if wrap:
        count = math.ceil(length / stride)
        return tuple(round(i * length / count) for i in range(count))
    starts = list(range(0, length - size + 1, stride))
    if starts[-1] != length - size:
        starts.append(length - size)
    return tuple(starts)


def place(plane: Plane, rig: Windows, cell: int) -> Placement:
    """Lay the windows on the cells of the canvas.

    cell: image pixels per cell. Raises ValueError when a window is larger than the canvas or does not lie on the cells,
    or when a wrapping edge would lie inside a cell (cropping it would open the seam).
    """
    rows, columns = plane.grid(cell)
    for name, value, wrap in (("width", plane.width, plane.wrap_x), ("height", plane.height, plane.wrap_y)):
        if wrap and value % cell:
            raise ValueError(
                f"canvas {name} {value} cannot wrap: it is not a multiple of this model's cell of {cell} pixels; "
                f"use {nearest_multiple(value, cell)}"
            )
    for name, value in (
        ("view width", rig.width),
        ("view height", rig.height),
        ("stride", rig.stride_x),
        ("stride", rig.stride_y),
    ):
        check_multiple(name, value, cell)
    for name, size, length in (("width", rig.width // cell, columns), ("height", rig.height // cell, rows)):
        if size > length:
            raise ValueError(
                f"view {name} {size * cell} is larger than the canvas ({length * cell} pixels); "
                f"use at most {length * cell}, or a larger canvas"
            )
    return Placement(
        _starts(rows, rig.height // cell, rig.stride_y // cell, plane.wrap_y),
        _starts(columns, rig.width // cell, rig.stride_x // cell, plane.wrap_x),
        rig.height // cell,
        rig.width // cell,
        (rows, columns),
    )


def taper_weights(length: int, taper: Taper) -> Tensor:
    """float32 [length], symmetric, positive at every pixel centre (a border seen by one window must not vanish)."""
    centre = (torch.arange(length, dtype=torch.float64) + 0.5) / length
    if taper == "flat":
        weights = torch.ones(length, dtype=torch.float64)
    elif taper == "triangle":
        weights = 1 - (2 * centre - 1).abs()
    else:
        weights = torch.sin(math.pi * centre) ** 2
    return weights.float()


def window_views(placement: Placement, taper: Taper) -> ViewSet:
    """The windows as views of the canvas grid, in reading order."""
    rows, columns = placement.grid
    height, width = placement.height, placement.width
    top = torch.tensor(placement.rows).repeat_interleave(len(placement.columns))
    left = torch.tensor(placement.columns).repeat(len(placement.rows))
    y = (top[:, None] + torch.arange(height)) % rows
    x = (left[:, None] + torch.arange(width)) % columns
    cell = (y[:, :, None] * columns + x[:, None, :]).reshape(-1)
    pixel = torch.arange(cell.numel())
    forward = LinearMap.from_entries(cell.numel(), rows * columns, pixel, cell, torch.ones(cell.numel()))
    weights = window_weights(placement, taper)
    return ViewSet(forward, (rows, columns), height, width, weights.reshape(-1).repeat(placement.count))


def window_weights(placement: Placement, taper: Taper) -> Tensor:
    """float32 [height, width]: how much each pixel of a window counts."""
    return taper_weights(placement.height, taper)[:, None] * taper_weights(placement.width, taper)
