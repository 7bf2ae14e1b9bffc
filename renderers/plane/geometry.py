"""A plane and its windows, as a scene asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...sync_core.quality import border_energy, seam_ratio
from ...sync_core.visits.policy import Tilings
from ...sync_core.walked import Views, WalkedViews, too_large
from ..directions import ViewPlace, middle_of
from ..geometry import Geometry, Wing
from ..picture_means import MeanWish, PictureMeans
from ..sheets import Sheet
from .drawn import windows_drawing
from .space import Placement, Plane, Taper, Windows, place, window_views
from .stitch import WindowMean, cut_windows, stitch_windows
from .tiling import WindowTilings
from .walk import WindowWalk


@dataclass(frozen=True)
class PlaneGeometry(Geometry):
    """See ``Geometry``."""

    space: Plane
    rig: Windows

    @property
    def size(self) -> tuple[int, int]:
        return self.space.width, self.space.height

    @property
    def view_size(self) -> tuple[int, int]:
        return self.rig.width, self.rig.height

    def grid(self, cell: int) -> tuple[int, int]:
        return self.space.grid(cell)

    def placement(self, cell: int) -> Placement:
        """Where the windows lie on cells of ``cell`` image pixels."""
        return place(self.space, self.rig, cell)

    def views(self, cell: int, finer: int) -> Views:
        return self.views_at(self.placement(cell).scaled(finer))

    def views_at(self, placement: Placement) -> Views:
        """The views of windows that lie so."""
        if too_large(placement.count * placement.height * placement.width, crops=True):
            return WalkedViews(WindowWalk(placement, self.rig.taper))
        return window_views(placement, self.rig.taper)

    def count(self, cell: int) -> int:
        # Windows may be larger than a canvas of an odd size, but not than its cells.
        return self.placement(cell).count

    def places(self) -> tuple[ViewPlace, ...]:
        return window_places(self.placement(1))

    def middle(self, cell: int) -> int:
        return middle_of(window_places(self.placement(cell)))

    def distances(self, cell: int) -> Tensor:
        return window_distances(self.placement(cell), (self.space.wrap_y, self.space.wrap_x))

    def sheet(self, cell: int) -> Sheet:
        """The canvas."""
        placement = self.placement(cell)
        rows, columns = placement.grid
        period = (rows if self.space.wrap_y else 0, columns if self.space.wrap_x else 0)
        return Sheet(placement.origins, (rows, columns), period)

    def shown(
        self, cell: int, view: int, others: Sequence[int], grid: tuple[int, int], through: Callable[[], Tensor]
    ) -> Tensor:
        """By the middles of places."""
        placement = self.placement(cell)
        down, along = divmod(view, len(placement.columns))
        rows = _inside(placement.rows, placement.height, placement.rows[down], grid[0], self._length(0, placement))
        columns = _inside(
            placement.columns, placement.width, placement.columns[along], grid[1], self._length(1, placement)
        )
        at = torch.tensor(list(others))
        return rows[at // len(placement.columns), :, None] & columns[at % len(placement.columns), None, :]

    def _length(self, axis: int, placement: Placement) -> int:
        """After how many cells the canvas begins anew; 0 where it does not."""
        return placement.grid[axis] if (self.space.wrap_y, self.space.wrap_x)[axis] else 0

    def tilings(self, views: Views, overlap: float) -> Tilings:
        placement = self.placement(self.rig.width // views.width)
        side = min(self.rig.width, self.rig.height)
        advice = f"set ViewRig's stride to {max(side // 8, 1)} pixels, an eighth of its windows, or less"
        return WindowTilings(placement, (self.space.wrap_y, self.space.wrap_x), overlap, advice)

    def drawing(self, size: int, turn: float) -> Tensor:
        """The windows on the canvas."""
        return windows_drawing(self.placement(1), (self.space.wrap_y, self.space.wrap_x), size)

    def look(self, picture: Tensor) -> Tensor:
        return cut_windows(self.placement(1), picture)

    def cut(self, picture: Tensor, cell: int) -> Tensor:
        placement = self.placement(cell).scaled(cell)
        rows, columns = placement.grid
        # The last cell may stick out of the canvas; the picture goes on there as at its edge.
        beyond = (0, columns - picture.shape[-1], 0, rows - picture.shape[-2])
        return cut_windows(placement, F.pad(picture, beyond, "replicate"))

    def means(self, wish: MeanWish) -> PictureMeans:
        # Windows see a cell once: for them every method is one weighted mean, and no map is needed.
        return WindowMeans(self.placement(wish.cell).scaled(wish.cell), self.rig.taper)

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        picture, weight = stitch_windows(self.placement(cell).scaled(cell), self.rig.taper, images)
        height, width = self.space.height, self.space.width
        return picture[:height, :width], weight[:height, :width]

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        wrap_y, wrap_x = self.space.wrap_y, self.space.wrap_x
        rows, columns = self.placement(cell).borders((wrap_y, wrap_x))
        return seam_ratio(picture, columns, rows, wrap_x=wrap_x, wrap_y=wrap_y)

    def border_energy(self, picture: Tensor, cell: int) -> tuple[float, ...]:
        rows, columns = self.placement(cell).borders((False, False))
        return border_energy(picture, columns, rows)


@dataclass(frozen=True)
class WindowMeans:
    """See ``PictureMeans``."""

    placement: Placement
    taper: Taper

    def begin(self, total: int, progress: float) -> WindowMean:
        return WindowMean(self.placement, self.taper, total // self.placement.count)

    def keep(self, mean: WindowMean) -> None:
        """Nothing: the next step starts anew."""


def window_places(placement: Placement) -> tuple[ViewPlace, ...]:
    """Centres of the windows, in reading order; on a wrapping canvas modulo its size."""
    rows, columns = placement.grid
    return tuple(
        ViewPlace(
            i * len(placement.columns) + j,
            x=(left + placement.width / 2) / columns % 1.0,
            y=(top + placement.height / 2) / rows % 1.0,
        )
        for i, top in enumerate(placement.rows)
        for j, left in enumerate(placement.columns)
    )


def window_distances(placement: Placement, wrap: tuple[bool, bool]) -> Tensor:
    """float64 [N, N], symmetric, diagonal 0: how far apart windows are on the canvas.

    Windows that overlap: 1 - the part of a window they share, so 0..1. Others: 1 + the distance of their centres in
    window sizes. ``wrap``: whether the canvas wraps (of rows, of columns); distances then go the short way round.
    """
    shared: list[Tensor] = []
    apart: list[Tensor] = []
    for starts, size, length, wraps in (
        (placement.rows, placement.height, placement.grid[0], wrap[0]),
        (placement.columns, placement.width, placement.grid[1], wrap[1]),
    ):
        start = torch.tensor(starts, dtype=torch.float64)
        gap = (start[:, None] - start).abs()
        both = (size - gap).clamp(min=0)
        if wraps:
            # On a short ring two windows can meet on both sides.
            both = both + (size - (length - gap)).clamp(min=0) * (gap > 0)
            gap = torch.minimum(gap, length - gap)
        shared.append(both / size)
        apart.append(gap / size)
    rows, columns = len(placement.rows), len(placement.columns)
    overlap = (shared[0][:, None, :, None] * shared[1][None, :, None, :]).reshape(rows * columns, -1)
    centres = (apart[0][:, None, :, None] ** 2 + apart[1][None, :, None, :] ** 2).sqrt().reshape(rows * columns, -1)
    return torch.where(overlap > 0, 1 - overlap.clamp(max=1), 1 + centres)


def _inside(starts: tuple[int, ...], size: int, start: int, places: int, length: int) -> Tensor:
    """bool [len(starts), places]: which of the ``places`` of a window that begins at ``start`` lie, by their middles,
    in the windows that begin at ``starts``. length: after how many cells the canvas begins anew; 0: it does not."""
    middles = start + (torch.arange(places, dtype=torch.float64) + 0.5) * size / places
    inside = middles - torch.tensor(starts, dtype=torch.float64)[:, None]
    if length:
        inside = inside % length
    return (inside >= 0) & (inside < size)


WING = Wing(Plane, Windows, PlaneGeometry, "a plane", "set ViewRig's kind to windows")
