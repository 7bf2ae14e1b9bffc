"""A panorama and the cameras in its middle, as a scene asks for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...sync_core.quality import seam_ratio_of_edges
from ...sync_core.walked import Views, WalkedViews, too_large
from ..cells import check_multiple
from ..directions import ViewPlace, look_places
from ..walks import LookWalk
from .equirect import look_at
from .space import Lookout, Panorama, panorama_views
from .stitch import stitch_looks, view_edges


@dataclass(frozen=True)
class PanoramaGeometry:
    """See ``scene.Geometry``."""

    space: Panorama
    rig: Lookout

    def grid(self, cell: int) -> tuple[int, int]:
        return self.space.grid(cell)

    def views(self, cell: int, finer: int) -> Views:
        walk = self._walk(cell, finer)
        if too_large(walk.entries):
            return WalkedViews(walk)
        return panorama_views(self.rig, walk.height, walk.width, walk.canonical)

    def is_walked(self, cell: int, finer: int) -> bool:
        """Whether these views are too many and too large for stored maps (``sync_core/walked.py``)."""
        return too_large(self._walk(cell, finer).entries)

    def _walk(self, cell: int, finer: int) -> LookWalk:
        rows, columns = self.space.grid(cell)
        check_multiple("view width", self.rig.width, cell)
        check_multiple("view height", self.rig.height, cell)
        height, width = (size // cell * finer for size in (self.rig.height, self.rig.width))
        return LookWalk(self.rig, height, width, (rows * finer, columns * finer))

    def places(self) -> tuple[ViewPlace, ...]:
        return look_places(self.rig.looks)

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
