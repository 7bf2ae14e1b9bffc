"""Cameras around a mesh as views that are made one at a time (``sync_core/walked.py``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from ...sync_core import walked
from ...sync_core.linear_map import LinearMap
from ...sync_core.ramps import WeightRamp
from ...sync_core.view_source import Block, Reading
from ..cameras.viewpoints import Viewpoint
from .maps.maps import Sampling, Screen, forward_map, gather_map, pixel_taps, texel_taps
from .maps.surface import Surface
from .uvs.uv_raster import Texels
from .viewed import Viewed


class Watched(Viewed, Protocol):
    """A mesh whose cameras are asked one by one."""

    def surface_of(self, number: int, height: int, width: int) -> Surface:
        """What one camera sees, at that size."""
        ...


@dataclass(frozen=True)
class _Made:
    """What the pixels of a view read, what cells read in it, and the cosine of the viewing angle, float [h*w]."""

    forward: LinearMap
    reading: Reading
    cosine: Tensor

    @property
    def nbytes(self) -> int:
        own = (self.reading.cells, self.cosine)
        return self.forward.nbytes + self.reading.pixels.nbytes + sum(t.numel() * t.element_size() for t in own)


@dataclass(frozen=True)
class CameraWalk:
    """See ``walked.ViewSource``. What is made of the first views is kept, as far as it fits ``walked.MAPS_AT_MOST``: a
    mesh is drawn anew for each view, which takes longer than the rest."""

    viewed: Watched
    height: int
    width: int
    canonical: tuple[int, int]
    sampling: Sampling
    _kept: dict[int, _Made] = field(default_factory=dict[int, _Made], compare=False, repr=False)

    one_to_one = False
    background = True

    @property
    def count(self) -> int:
        return len(self.viewed.rig.viewpoints)

    @property
    def changing(self) -> bool:
        first, last = self.viewed.rig.exponent
        return first != last

    def forward(self, number: int) -> LinearMap:
        """The texel that a pixel sees, or those around its place."""
        return self._made(number).forward

    def gather(self, number: int) -> Reading | None:
        """What the texels that the camera sees read at their own place."""
        return self._made(number).reading

    def blocks(self, number: int) -> tuple[Block, ...]:
        return ()

    def weights(self, number: int, progress: float = 0.0) -> Tensor:
        """By the cosine of the viewing angle."""
        return WeightRamp(self._made(number).cosine, *self.viewed.rig.exponent).weights(progress)

    def views_per_cell(self) -> Tensor | None:
        return None

    def shared_cells(self) -> Tensor | None:
        return None

    def _made(self, number: int) -> _Made:
        if number in self._kept:
            return self._kept[number]
        made = self._make(number)
        if sum(each.nbytes for each in self._kept.values()) + made.nbytes <= walked.MAPS_AT_MOST:
            self._kept[number] = made
        return made

    @torch.inference_mode(False)
    def _make(self, number: int) -> _Made:
        grid, view = self.viewed.texels(*self.canonical), self.viewed.surface_of(number, self.height, self.width)
        index, weight = texel_taps(view, grid, self.viewed.space.charts, self.sampling)
        point, taps = texel_reads(self.viewed, grid, view, self.viewed.cameras()[number], index, self.sampling)
        gather = gather_map([point], [taps], self.height * self.width, grid)
        counts = gather.row_counts()
        cells = torch.nonzero(counts).squeeze(1)
        offsets = torch.zeros(len(cells) + 1, dtype=torch.int64)
        offsets[1:] = counts[cells].cumsum(0)
        pixels = LinearMap(offsets.to(torch.int32), gather.indices, gather.weights, gather.cols)
        cosine = torch.zeros(self.height * self.width)
        cosine[view.pixel] = view.cosine
        return _Made(forward_map([view], [(index, weight)], grid), Reading(cells, pixels), cosine)


def texel_reads(
    viewed: Viewed, grid: Texels, view: Surface, camera: Viewpoint, index: Tensor, sampling: Sampling
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The texels that read a camera's view at their own place, int64 [n], and what they read there (``pixel_taps``).
    index: the texels that its pixels read; with ``nearest`` these read no more."""
    seen = viewed.seen(grid, camera, view.height, view.width)
    if sampling == "nearest":
        hit = torch.zeros(len(grid.index), dtype=torch.bool)
        hit[index.reshape(-1)] = True
        seen = seen.only(~hit[seen.point])
    return seen.point, pixel_taps(seen, grid, view, Screen.of(view), camera, sampling, viewed.space.backend)
