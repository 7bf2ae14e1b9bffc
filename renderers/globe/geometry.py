"""A 360 degree video and the cameras in its spheres, as a scene asks for them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...sync_core.walked import Views, too_large
from ..counts import RigCoverage, RigSight, Words, enlarged_heat, sight
from ..directions import ViewPlace, look_places, middle_of
from ..geometry import Wing
from ..panorama.geometry import PanoramaGeometry
from ..panorama.space import Lookout
from ..picture_means import MapMeans, MeanWish, PictureMeans
from ..pictures import in_frames
from ..sheets import Sheet
from ..video.frames import FramesGeometry
from .space import SphereVideo
from .walk import AlikeViews, GlobeWalk, views_of

# One frame further is as far as a camera that is turned by this part of its field of view.
_STEP = 0.125


@dataclass(frozen=True)
class GlobeGeometry(FramesGeometry):
    """See ``Geometry``. Every frame is seen by the same cameras, views come frame after frame."""

    space: SphereVideo
    rig: Lookout

    @property
    def sphere(self) -> PanoramaGeometry:
        """Of one frame."""
        return PanoramaGeometry(self.space.sphere, self.rig)

    @property
    def view_size(self) -> tuple[int, int]:
        return self.sphere.view_size

    @property
    def interpolates(self) -> bool:
        return self.sphere.interpolates

    def grid(self, cell: int) -> tuple[int, int]:
        return self.space.grid(cell)

    # --- views

    def views(self, cell: int, finer: int) -> Views:
        return views_of(self._walk(cell, finer))

    def _walk(self, cell: int, finer: int) -> GlobeWalk:
        tracks = None if self.space.motion is None else self.tracks(cell, finer)
        return GlobeWalk(self.sphere.walk(cell, finer), self.space.frames, tracks)

    def canvas_views(self, cell: int) -> Views | None:
        if self.space.motion is None:
            return None
        return views_of(GlobeWalk(self.sphere.walk(cell, 1), self.space.frames))

    def noise_views(self, cell: int) -> Views | None:
        kind = self.space.shared_noise
        if kind == "same":
            walk = GlobeWalk(self.sphere.walk(cell, 1), self.space.frames, apart=False)
            return AlikeViews(walk, one=self.sphere.views(cell, 1))
        return self.canvas_views(cell) if kind == "canvas" else None

    def count(self, cell: int) -> int:
        return self.space.frames * len(self.rig.looks)

    def places(self) -> tuple[ViewPlace, ...]:
        places = look_places(self.rig.looks)
        return tuple(
            replace(place, index=frame * len(places) + place.index, time=(frame + 0.5) / self.space.frames)
            for frame in range(self.space.frames)
            for place in places
        )

    def middle(self, cell: int) -> int:
        """Of the middle frame."""
        return self.space.frames // 2 * len(self.rig.looks) + middle_of(look_places(self.rig.looks))

    def distances(self, cell: int) -> Tensor:
        """Of cameras the angle, of frames their number."""
        frames, cameras = torch.arange(self.space.frames), self.sphere.distances(cell)
        apart = (frames[:, None] - frames).abs()
        apart = torch.minimum(apart, self.space.frames - apart) if self.space.loop else apart
        step = _STEP * sum(look.fov for look in self.rig.looks) / len(self.rig.looks)
        count = self.count(cell)
        return (step * apart.double()[:, None, :, None] + cameras[None, :, None, :]).reshape(count, count)

    def sheet(self, cell: int) -> Sheet:
        """One frame: those beside it in time lie upon it, as they show nearly the same."""
        sheet = self.sphere.sheet(cell)
        return replace(sheet, origins=sheet.origins.repeat(self.space.frames, 1))

    # --- pictures

    def means(self, wish: MeanWish) -> PictureMeans:
        walked = too_large(self._walk(wish.cell, wish.cell).entries)
        return MapMeans.of(wish, self.picture_entries, unchecked=walked)

    def look(self, picture: Tensor) -> Tensor:
        return self.sphere.look(in_frames(picture, self.space.frames))

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        stream, each = iter(images), len(self.rig.looks)
        joined = [self.sphere.stitch(cell, itertools.islice(stream, each)) for _ in range(self.space.frames)]
        pictures, weights = (torch.cat(parts) for parts in zip(*joined, strict=True))
        return pictures, weights

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        found = [self.sphere.seam_ratio(frame, cell) for frame in in_frames(picture[None], self.space.frames)]
        return sum(found) / len(found)

    # --- what is shown and told

    def real_cells(self, views: Views) -> Tensor:
        """Those that some frame shows; at poles they are finer than what views read."""
        seen = torch.ones(views.cells, dtype=torch.bool)
        if self.space.motion is not None:
            tracks = self.tracks(self.space.width // views.canonical[1], 1)
            seen = torch.zeros_like(seen).index_fill_(0, tracks.cells[tracks.shares > 0].long(), True)
        return seen

    def coverage(self) -> RigCoverage:
        """Of a frame: cameras are the same in all."""
        return self.sphere.coverage()

    @property
    def words(self) -> Words:
        size = f"{self.space.frames} spheres of {self.space.width} x {self.space.height}"
        return replace(self.sphere.words, size=size)

    def sight(self) -> RigSight:
        found = self.coverage()
        return sight(found, enlarged_heat(found.per_cell), self.words, len(self.places()), self.view_size)

    def drawing(self, size: int, turn: float) -> Tensor:
        return self.sphere.drawing(size, turn)


WING = Wing(
    SphereVideo,
    Lookout,
    GlobeGeometry,
    "a 360 video",
    "use VideoSpace's rig, or set ViewRig's kind to ring, sphere, fibonacci or custom",
)
