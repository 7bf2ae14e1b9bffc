"""A panorama and the cameras in its middle, as a scene asks for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...sync_core.quality import seam_ratio_of_edges
from ...sync_core.walked import Views, WalkedViews, too_large
from ..arrays import norm
from ..cameras.looks import pixels_of
from ..cells import check_multiple
from ..counts import RigCoverage
from ..directions import ViewPlace, look_places
from ..geometry import Geometry, Wing, no_canvas
from ..neighbours import angles_between
from ..picture_means import MapMeans, MeanWish, PictureMeans
from ..sheets import Sheet, cylinder
from .drawn import sphere_drawing
from .equirect import look_at
from .space import Lookout, Panorama, equirect_directions, panorama_views
from .stitch import stitch_looks, view_edges
from .walk import LookWalk

# Rows of a sphere that are looked at: its coverage changes slowly.
_ROWS = 512
# The same where it is only drawn.
_DRAWN = 160


@dataclass(frozen=True)
class PanoramaGeometry(Geometry):
    """See ``Geometry``."""

    space: Panorama
    rig: Lookout

    @property
    def size(self) -> tuple[int, int]:
        return self.space.width, self.space.height

    @property
    def view_size(self) -> tuple[int, int]:
        return self.rig.width, self.rig.height

    @property
    def interpolates(self) -> bool:
        return self.rig.sampling == "bilinear"

    def grid(self, cell: int) -> tuple[int, int]:
        return self.space.grid(cell)

    def views(self, cell: int, finer: int) -> Views:
        walk = self.walk(cell, finer)
        if too_large(walk.entries):
            return WalkedViews(walk)
        return panorama_views(self.rig, walk.height, walk.width, walk.canonical)

    def is_walked(self, cell: int, finer: int) -> bool:
        """Whether these views are too many and too large for stored maps (``sync_core/walked.py``)."""
        return too_large(self.walk(cell, finer).entries)

    def walk(self, cell: int, finer: int) -> LookWalk:
        rows, columns = self.space.grid(cell)
        check_multiple("view width", self.rig.width, cell)
        check_multiple("view height", self.rig.height, cell)
        height, width = (size // cell * finer for size in (self.rig.height, self.rig.width))
        return LookWalk(self.rig, height, width, (rows * finer, columns * finer))

    def places(self) -> tuple[ViewPlace, ...]:
        return look_places(self.rig.looks)

    def distances(self, cell: int) -> Tensor:
        return angles_between(torch.stack([look.axis for look in self.rig.looks]))

    def sheet(self, cell: int) -> Sheet:
        """A cylinder of the size at which a view lies flat on it in its middle."""
        fov = sum(look.fov for look in self.rig.looks) / len(self.rig.looks)
        return cylinder(self.places(), self.rig.height // cell, self.rig.width // cell, fov)

    def cell_of(self, rows: int, columns: int) -> int:
        # A sphere's grid is whole: a column less would open the seam.
        cell = max(1, self.space.width // columns)
        if self.space.height % cell or self.grid(cell) != (rows, columns):
            raise no_canvas(rows, columns, self.size)
        return cell

    def means(self, wish: MeanWish) -> PictureMeans:
        return MapMeans.of(wish, self.picture_entries, unchecked=self.is_walked(wish.cell, wish.cell))

    def coverage(self) -> RigCoverage:
        """By the exact frames of the cameras."""
        rows = min(self.space.height, _ROWS)
        directions = equirect_directions(rows, 2 * rows)
        return RigCoverage(self._counts(directions), norm(directions[:, :1, [0, 2]], -1).float(), "sphere")

    def _counts(self, directions: Tensor) -> Tensor:
        """int64 [rows, columns]: how many views see each direction [rows, columns, 3]."""
        counts = torch.zeros(directions.shape[:2], dtype=torch.int64)
        for look in self.rig.looks:
            counts += pixels_of(look, directions, self.rig.height, self.rig.width)[2]
        return counts

    def drawing(self, size: int, turn: float) -> Tensor:
        """The outlines of the views on the map."""
        return sphere_drawing(self.rig, self._counts(equirect_directions(_DRAWN, 2 * _DRAWN)), size)

    def look(self, picture: Tensor) -> Tensor:
        pictures = picture.movedim(1, -1)
        seen = [look_at(pictures, look, self.rig.height, self.rig.width, self.rig.sampling) for look in self.rig.looks]
        return torch.stack(seen, 1).flatten(0, 1).movedim(-1, 1)

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        joined = stitch_looks(self.rig.looks, images, self.space.height, self.space.width)
        return joined.picture, joined.weight

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        rows, columns = picture.shape[1:]
        left, above = view_edges(self.rig.looks, self.rig.height, self.rig.width, rows, columns)
        # The map's own seam counts as a border too: it must not show either.
        left[:, 0] = True
        return seam_ratio_of_edges(picture, left, above)


WING = Wing(
    Panorama, Lookout, PanoramaGeometry, "a panorama", "set ViewRig's kind to ring, sphere, fibonacci or custom"
)
