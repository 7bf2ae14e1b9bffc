"""Windows of a plane and cameras in a sphere as views that are made one at a time (``sync_core/walked.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..sync_core.linear_map import LinearMap
from ..sync_core.view_source import Reading
from .cameras.looks import angular_hann, pixels_of
from .panorama.space import Lookout, cells_read_view, equirect_directions, look_map, row_offsets, taps_of
from .plane.space import Placement, Taper, window_weights

# Rows of the sphere that are looked at to tell how much of it a view sees.
_ROWS = 64


@dataclass(frozen=True)
class WindowWalk:
    """The placement's windows, in reading order. See ``walked.ViewSource``."""

    placement: Placement
    taper: Taper

    one_to_one = True

    @property
    def canonical(self) -> tuple[int, ...]:
        return self.placement.grid

    @property
    def count(self) -> int:
        return self.placement.count

    @property
    def height(self) -> int:
        return self.placement.height

    @property
    def width(self) -> int:
        return self.placement.width

    @cached_property
    def _single(self) -> LinearMap:
        """The first cells, one for each pixel."""
        pixels = self.height * self.width
        cells = self.placement.grid[0] * self.placement.grid[1]
        index = torch.arange(pixels, dtype=torch.int32)
        return LinearMap(torch.arange(pixels + 1, dtype=torch.int32), index, torch.ones(pixels), cells)

    @cached_property
    def _weights(self) -> Tensor:
        return window_weights(self.placement, self.taper).reshape(-1)

    def forward(self, number: int) -> LinearMap:
        """One cell for each pixel of a window."""
        rows, columns = self.placement.grid
        top, left = divmod(number, len(self.placement.columns))
        y = (self.placement.rows[top] + torch.arange(self.height, dtype=torch.int32)) % rows
        x = (self.placement.columns[left] + torch.arange(self.width, dtype=torch.int32)) % columns
        single = self._single
        return LinearMap(single.offsets, (y[:, None] * columns + x).reshape(-1), single.weights, single.cols)

    def gather(self, number: int) -> Reading | None:
        return None

    def weights(self, number: int) -> Tensor:
        return self._weights

    def views_per_cell(self) -> Tensor | None:
        rows, columns = self._sides()
        return (rows.sum(0)[:, None] * columns.sum(0)).reshape(-1)

    def shared_cells(self) -> Tensor | None:
        rows, columns = (side.double() for side in self._sides())
        return torch.kron(rows @ rows.T, columns @ columns.T).long()

    def _sides(self) -> tuple[Tensor, Tensor]:
        """int64 [rows of windows, rows], [columns of windows, columns]: 1 where the windows reach."""
        placement = self.placement
        return (
            _reached(placement.rows, placement.height, placement.grid[0]),
            _reached(placement.columns, placement.width, placement.grid[1]),
        )


def _reached(starts: tuple[int, ...], size: int, length: int) -> Tensor:
    reached = torch.zeros(len(starts), length, dtype=torch.int64)
    return reached.scatter_(1, (torch.tensor(starts)[:, None] + torch.arange(size)) % length, 1)


@dataclass(frozen=True)
class LookWalk:
    """Cameras in the middle of a sphere, views of ``height`` x ``width`` on a grid of (rows, columns). See
    ``walked.ViewSource``."""

    rig: Lookout
    height: int
    width: int
    canonical: tuple[int, int]

    one_to_one = False

    @property
    def count(self) -> int:
        return len(self.rig.looks)

    @cached_property
    def _weights(self) -> dict[float, Tensor]:
        """By field of view: the window does not depend on where a camera looks."""
        looks = {look.fov: look for look in self.rig.looks}
        return {fov: angular_hann(look, self.height, self.width).reshape(-1) for fov, look in looks.items()}

    def forward(self, number: int) -> LinearMap:
        """The cells around the direction of each pixel."""
        return look_map(self.rig.looks[number], self.height, self.width, self.canonical, self.rig.sampling)

    def gather(self, number: int) -> Reading | None:
        """The pixels around the direction of each cell that the view sees."""
        sampling = self.rig.sampling
        look = self.rig.looks[number]
        cells, index, weight = cells_read_view(look, self.height, self.width, self.canonical, sampling)
        offsets = row_offsets(len(cells), taps_of(sampling))
        pixels = LinearMap(offsets, index.reshape(-1), weight.reshape(-1), self.height * self.width)
        return Reading(cells, pixels)

    def weights(self, number: int) -> Tensor:
        return self._weights[self.rig.looks[number].fov]

    def views_per_cell(self) -> Tensor | None:
        return None

    def shared_cells(self) -> Tensor | None:
        return None

    @cached_property
    def entries(self) -> int:
        """About how much the maps of all views would hold, both ways."""
        rows, columns = self.canonical
        some = min(rows, _ROWS)
        directions = equirect_directions(some, 2 * some)
        seen = [pixels_of(look, directions, self.height, self.width)[2].float().mean() for look in self.rig.looks]
        read = self.count * self.height * self.width + float(sum(seen)) * rows * columns
        return round(read * taps_of(self.rig.sampling))
