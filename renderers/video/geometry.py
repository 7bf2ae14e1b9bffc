"""A video and the windows on its frames, as a scene asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ...sync_core.quality import border_energy, seam_ratio
from ...sync_core.view_source import Block, Reading
from ...sync_core.walked import Views, WalkedViews, too_large
from ..counts import RigCoverage, RigSight, Words, enlarged_heat, heat, sight
from ..directions import ViewPlace
from ..geometry import Wing
from ..kept import Kept
from ..picture_means import MapMeans, MeanWish, PictureMeans
from ..pictures import contact_sheet, in_frames, in_one, on_canvas
from ..plane.drawn import windows_drawing
from ..plane.geometry import PlaneGeometry, window_places
from ..plane.space import Placement, Windows, window_views
from ..plane.stitch import stitch_windows
from ..plane.walk import WindowWalk
from ..sheets import Sheet
from .space import Video, placed, repeated
from .tracks import Tracks

_CELL = 8


@dataclass(frozen=True)
class VideoGeometry(PlaneGeometry):
    """See ``Geometry``. The canonical signal is a plane, the frames below each other; with a motion, frames read what
    earlier ones showed, and the cells that nobody reads then are nothing."""

    space: Video  # pyright: ignore[reportIncompatibleVariableOverride] (a plane of its own)
    rig: Windows
    _tracks: Kept = field(default_factory=lambda: Kept(2), compare=False, repr=False)

    @property
    def size(self) -> tuple[int, int]:
        return self.space.width, self.space.frames * self.space.height

    @property
    def frames(self) -> int:
        return self.space.frames

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

    def tracks(self, cell: int, finer: int) -> Tracks:
        """What the frames show of each other, on cells of ``cell`` pixels, each divided. Only with a motion."""
        space = self.space
        assert space.motion is not None
        motion, between = space.motion.on_cells(max(1, cell // finer)), space.sampling == "bilinear"
        return self._tracks.get((cell, finer), lambda: Tracks.of(motion, space.loop, between))

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

    def cell_of(self, rows: int, columns: int) -> int:
        frames, (width, height) = self.space.frames, (self.space.width, self.space.height)
        cell = width // columns
        if (columns * cell, rows * cell) != (width, frames * height):
            raise ValueError(
                f"frames of {columns} x {rows // frames} cells are not those of {width} x {height} pixels; scale them "
                "to VideoSpace's size before encoding, a multiple of the model's cell"
            )
        return cell

    def on_canvas(self, pictures: Tensor, what: str = "picture") -> Tensor:
        """Frames one after the other, or one for all of them, below each other; what lies so already, as it is."""
        frames, space = self.space.frames, self.space
        if tuple(pictures.shape[-2:]) == (self.size[1], self.size[0]):
            return pictures
        count = len(pictures)
        if count != 1 and count % frames:
            raise ValueError(
                f"{count} {what}s for a video of {frames} frames; connect one for each frame, or one for all"
            )
        scaled = on_canvas(pictures, (space.width, space.height), what)
        return in_one(scaled.expand(frames, -1, -1, -1) if count == 1 else scaled, frames)

    def mask_cells(self, mask: Tensor, views: Views) -> Tensor:
        rows = mask.reshape(-1, 1, *mask.shape[-2:]).float()
        height, width = views.canonical
        if (rows.shape[-2] == self.size[1] or rows.shape[-2] == height) and self.space.frames > 1:
            return mask
        if len(rows) != 1 and len(rows) % self.space.frames:
            raise ValueError(
                f"{len(rows)} masks for a video of {self.space.frames} frames; connect one for each, or one for all"
            )
        size = (height // self.space.frames, width)
        rows = rows if tuple(rows.shape[-2:]) == size else F.interpolate(rows, size=size, mode="bilinear")
        return in_one(rows.expand(self.space.frames, -1, -1, -1) if len(rows) == 1 else rows, self.space.frames)[:, 0]

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

    def preview(self, clean: Tensor, whole: Callable[[], Tensor]) -> Tensor:
        """The frames beside each other."""
        return contact_sheet(in_frames(whole()[:1], self.space.frames))

    def real_cells(self, views: Views) -> Tensor:
        return views.hits.cpu() > 0

    def coverage(self) -> RigCoverage:
        """Of every place of every frame: how many views see what is there."""
        whole = self.space.width % _CELL == 0 and self.space.height % _CELL == 0
        cell = _CELL if whole and self.rig.width % _CELL == 0 and self.rig.height % _CELL == 0 else 1
        counts = self._on_frames(self.views(cell, 1).views_per_cell, cell).reshape(self.grid(cell))
        return RigCoverage(counts, torch.ones(len(counts), 1))

    def _on_frames(self, per_cell: Tensor, cell: int) -> Tensor:
        """What is known of each cell, at every place that shows it."""
        return per_cell if self.space.motion is None else per_cell.flatten()[self.tracks(cell, 1).first]

    @property
    def words(self) -> Words:
        return Words(f"{self.space.frames} frames of {self.space.width} x {self.space.height}", "video")

    def sight(self) -> RigSight:
        found = self.coverage()
        sheet = self._sheet(enlarged_heat, found.per_cell)
        return sight(found, sheet, self.words, len(self.places()), self.view_size)

    def count_picture(self, counts: Tensor, cell: int) -> Tensor:
        shown = self._on_frames(counts.flatten(), cell).reshape(counts.shape)
        return self._sheet(lambda each: heat(each, each.shape[0] * cell, each.shape[1] * cell), shown)

    def _sheet(self, draw: Callable[[Tensor], Tensor], counts: Tensor) -> Tensor:
        """Counts [T*h, w], drawn frame by frame beside each other, in one scale."""
        beside = contact_sheet(in_frames(counts[None, None], self.space.frames))[0, 0]
        return draw(beside)

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
