"""A plane and its windows, as a scene asks for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from ...sync_core.quality import seam_ratio
from ...sync_core.walked import Views, WalkedViews, too_large
from ..directions import ViewPlace, window_places
from ..walks import WindowWalk
from .space import Placement, Plane, Windows, place, window_views
from .stitch import cut_windows, stitch_windows


@dataclass(frozen=True)
class PlaneGeometry:
    """See ``scene.Geometry``."""

    space: Plane
    rig: Windows

    def grid(self, cell: int) -> tuple[int, int]:
        return self.space.grid(cell)

    def placement(self, cell: int) -> Placement:
        """Where the windows lie on cells of ``cell`` image pixels."""
        return place(self.space, self.rig, cell)

    def views(self, cell: int, finer: int) -> Views:
        placement = self.placement(cell).scaled(finer)
        if too_large(placement.count * placement.height * placement.width):
            return WalkedViews(WindowWalk(placement, self.rig.taper))
        return window_views(placement, self.rig.taper)

    def places(self) -> tuple[ViewPlace, ...]:
        return window_places(self.placement(1))

    def look(self, picture: Tensor) -> Tensor:
        return cut_windows(self.placement(1), picture)

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        picture, weight = stitch_windows(self.placement(cell).scaled(cell), self.rig.taper, images)
        height, width = self.space.height, self.space.width
        return picture[:height, :width], weight[:height, :width]

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        wrap_y, wrap_x = self.space.wrap_y, self.space.wrap_x
        rows, columns = self.placement(cell).borders((wrap_y, wrap_x))
        return seam_ratio(picture, columns, rows, wrap_x=wrap_x, wrap_y=wrap_y)
