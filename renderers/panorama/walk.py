"""Cameras in a sphere as views that are made one at a time (``sync_core/walked.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ...sync_core.view_source import Block, Reading
from ..cameras.looks import angular_hann, pixels_of
from .space import Lookout, cells_read_view, equirect_directions, look_map, row_offsets, taps_of

# Rows of the sphere that are looked at to tell how much of it a view sees.
_ROWS = 64


@dataclass(frozen=True)
class LookWalk:
    """Cameras in the middle of a sphere, views of ``height`` x ``width`` on a grid of (rows, columns). See
    ``walked.ViewSource``."""

    rig: Lookout
    height: int
    width: int
    canonical: tuple[int, int]

    one_to_one = background = changing = False

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

    def blocks(self, number: int) -> tuple[Block, ...]:
        return ()

    def weights(self, number: int, progress: float = 0.0) -> Tensor:
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
