"""A video and the windows on its frames, as a scene asks for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ...sync_core.quality import border_energy, seam_ratio
from ...sync_core.view_source import Block, Reading
from ...sync_core.walked import Views, WalkedViews, too_large
from ..counts import RigCoverage, RigSight, enlarged_heat, sight
from ..directions import ViewPlace
from ..geometry import Wing
from ..picture_means import MapMeans, MeanWish, PictureMeans
from ..pictures import in_frames
from ..plane.drawn import windows_drawing
from ..plane.geometry import PlaneGeometry, window_places
from ..plane.space import Placement, Windows, window_views
from ..plane.stitch import stitch_windows
from ..plane.walk import WindowWalk
from ..sheets import Sheet
from .frames import FramesGeometry
from .space import Video, placed, repeated
from .tracks import Tracks

_CELL = 8


@dataclass(frozen=True)
class VideoGeometry(FramesGeometry, PlaneGeometry):
    """See ``Geometry``. The canonical signal is a plane, the frames below each other; with a motion, frames read what
    earlier ones showed, and the cells that nobody reads then are nothing."""

    space: Video  # pyright: ignore[reportIncompatibleVariableOverride] (a plane of its own)
    rig: Windows

    def placement(self, cell: int) -> Placement:
        """Where the windows lie, frame after frame."""
        return repeated(self.frame(cell), self.space.frames)

    def frame(self, cell: int) -> Placement:
        """Where the windows lie on every frame."""
        return placed(self.space, self.rig, cell)

    # --- views

    def views(self, cell: int, finer: int) -> Views:
        placement = self.placement(cell).scaled(finer)
        if self.space.motion is None:
            return self.views_at(placement)
        tracks = self.tracks(cell, finer)
        if _is_walked(placement, tracks.most):
            return WalkedViews(TrackWalk(WindowWalk(placement, self.rig.taper), tracks))
        plain = window_views(placement, self.rig.taper)
        return replace(plain, forward=tracks.seen_by(plain.forward.indices.long()))

    def canvas_views(self, cell: int) -> Views | None:
        return None if self.space.motion is None else self.views_at(self.placement(cell))

    def noise_views(self, cell: int) -> Views | None:
        kind = self.space.shared_noise
        if kind == "same":
            return self.views_at(repeated(self.frame(cell), self.space.frames, apart=False))
        return self.canvas_views(cell) if kind == "canvas" else None

    def places(self) -> tuple[ViewPlace, ...]:
        places = window_places(self.frame(1))
        return tuple(
            replace(place, index=number * len(places) + place.index, time=(number + 0.5) / self.space.frames)
            for number in range(self.space.frames)
            for place in places
        )

    def middle(self, cell: int) -> int:
        """Of the middle frame."""
        frame = window_places(self.frame(cell))
        return self.space.frames // 2 * len(frame) + min(frame, key=_off_middle).index

    def sheet(self, cell: int) -> Sheet:
        """One frame: those beside it in time lie upon it, as they show nearly the same."""
        frame = self.frame(cell)
        return Sheet(frame.origins.repeat(self.space.frames, 1), frame.grid, (0, 0))

    # --- pictures

    def means(self, wish: MeanWish) -> PictureMeans:
        if self.space.motion is None:
            return super().means(wish)
        placement, tracks = self.placement(wish.cell).scaled(wish.cell), self.tracks(wish.cell, wish.cell)
        return MapMeans.of(wish, self.picture_entries, unchecked=_is_walked(placement, tracks.most))

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        return stitch_windows(self.placement(cell).scaled(cell), self.rig.taper, images)

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        rows, columns = self.frame(cell).borders((False, False))
        found = [seam_ratio(frame, columns, rows) for frame in in_frames(picture[None], self.space.frames)]
        return sum(found) / len(found)

    def border_energy(self, picture: Tensor, cell: int) -> tuple[float, ...]:
        rows, columns = self.frame(cell).borders((False, False))
        found = [border_energy(frame, columns, rows) for frame in in_frames(picture[None], self.space.frames)]
        return tuple(sum(each) / len(found) for each in zip(*found, strict=True))

    # --- what is shown and told

    def real_cells(self, views: Views) -> Tensor:
        return views.hits.cpu() > 0

    def coverage(self) -> RigCoverage:
        """Of every place of every frame: how many views see what is there."""
        whole = self.space.width % _CELL == 0 and self.space.height % _CELL == 0
        cell = _CELL if whole and self.rig.width % _CELL == 0 and self.rig.height % _CELL == 0 else 1
        counts = self._on_frames(self.views(cell, 1).views_per_cell, cell).reshape(self.grid(cell))
        return RigCoverage(counts, torch.ones(len(counts), 1))

    def sight(self) -> RigSight:
        found = self.coverage()
        sheet = self._sheet(enlarged_heat, found.per_cell)
        return sight(found, sheet, self.words, len(self.places()), self.view_size)

    def drawing(self, size: int, turn: float) -> Tensor:
        """The windows on one frame: they lie the same way on all of them."""
        return windows_drawing(self.frame(1), (False, False), size)


def _is_walked(placement: Placement, most: int) -> bool:
    """Whether maps of windows whose pixels read ``most`` cells are not stored."""
    return too_large(placement.count * placement.height * placement.width * most)


def _off_middle(place: ViewPlace) -> float:
    return abs((place.x or 0.0) - 0.5) + abs((place.y or 0.0) - 0.5)


@dataclass(frozen=True)
class TrackWalk:
    """Windows on frames that show each other's cells, one at a time. See ``walked.ViewSource``."""

    windows: WindowWalk
    tracks: Tracks

    one_to_one = background = changing = False

    @property
    def canonical(self) -> tuple[int, ...]:
        return self.windows.canonical

    @property
    def count(self) -> int:
        return self.windows.count

    @property
    def height(self) -> int:
        return self.windows.height

    @property
    def width(self) -> int:
        return self.windows.width

    def forward(self, number: int) -> LinearMap:
        return self.tracks.seen_by(self.windows.forward(number).indices.long())

    def gather(self, number: int) -> Reading | None:
        return None

    def blocks(self, number: int) -> tuple[Block, ...]:
        return ()

    def weights(self, number: int, progress: float = 0.0) -> Tensor:
        return self.windows.weights(number)

    def views_per_cell(self) -> Tensor | None:
        return None

    def shared_cells(self) -> Tensor | None:
        return None


WING = Wing(Video, Windows, VideoGeometry, "a video", "set ViewRig's kind to windows, or use VideoSpace's rig")
