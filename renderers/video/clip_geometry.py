"""A video and the clips of it that a video model makes, as a scene asks for them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...sync_core.quality import border_energy, seam_ratio
from ...sync_core.visits.policy import Tilings
from ...sync_core.walked import Views, WalkedViews, too_large
from ..counts import RigCoverage, RigSight, Words, coverage_on_cells, enlarged_heat, sight
from ..directions import ViewPlace
from ..geometry import Wing
from ..picture_means import MeanWish, PictureMeans
from ..pictures import Clip, along_time, in_frames
from ..plane.drawn import windows_drawing
from ..plane.geometry import window_distances, window_places
from ..plane.tiling import WindowTilings
from ..sheets import Sheet
from .clip_stitch import cut_clips, stitch_clips
from .clips import ClipPlacement, Clips, ClipWalk, clip_views, placed_clips
from .frames import FramesGeometry
from .space import Video

_CELL = 8


@dataclass(frozen=True)
class ClipGeometry(FramesGeometry):
    """See ``Geometry``. The canonical signal is the latent frames below each other, a view those of a clip."""

    space: Video
    rig: Clips

    def __post_init__(self) -> None:
        if self.space.motion is not None:
            raise ValueError(
                "a video model moves its frames by itself, and their motion lies within latent frames; disconnect "
                "motion from VideoSpace, or use its own rig, one view a frame, with an image model"
            )
        if self.space.noise == "same":
            raise ValueError("noise same makes a still of every clip of a video model; use noise auto or canvas")
        placed_clips(self.space, self.rig, 1)

    @property
    def canvas_frames(self) -> int:
        return self.rig.latent_frames(self.space)

    @property
    def clip(self) -> Clip:
        return Clip(self.rig.latent, self.canvas_frames, self.rig.length)

    @property
    def view_size(self) -> tuple[int, int]:
        windows = self.rig.windows
        return (self.space.width, self.space.height) if windows is None else (windows.width, windows.height)

    def grid(self, cell: int) -> tuple[int, int]:
        return self.clips(cell).grid

    def clips(self, cell: int) -> ClipPlacement:
        """Where clips and their windows lie."""
        return placed_clips(self.space, self.rig, cell)

    # --- views

    def views(self, cell: int, finer: int) -> Views:
        clips = self.clips(cell).scaled(finer)
        if too_large(clips.count * clips.height * clips.width, crops=True):
            return WalkedViews(ClipWalk(clips, self.rig))
        return clip_views(clips, self.rig)

    def noise_views(self, cell: int) -> Views | None:
        return None

    def count(self, cell: int) -> int:
        return self.clips(cell).count

    def places(self) -> tuple[ViewPlace, ...]:
        clips = self.clips(1)
        places = window_places(clips.frame)
        return tuple(
            replace(place, index=number * len(places) + place.index, time=clips.middle(number))
            for number in range(len(clips.starts))
            for place in places
        )

    def middle(self, cell: int) -> int:
        clips = self.clips(cell)
        frame = window_places(clips.frame)
        nearest = min(frame, key=lambda place: abs((place.x or 0.0) - 0.5) + abs((place.y or 0.0) - 0.5))
        return len(clips.starts) // 2 * len(frame) + nearest.index

    def tilings(self, views: Views, overlap: float) -> Tilings:
        if self.rig.windows is not None:
            return super().tilings(views, overlap)
        advice = "set VideoClips' overlap to more than half of length"
        return WindowTilings(self.clips(1).timeline, (False, self.space.loop), overlap, advice)

    def distances(self, cell: int) -> Tensor:
        """Of clips by what they share in time, and of their windows by what they share of a frame."""
        clips = self.clips(cell)
        time = window_distances(clips.timeline, (False, self.space.loop))
        frame = window_distances(clips.frame, (False, False))
        return time.repeat_interleave(len(frame), 0).repeat_interleave(len(frame), 1) + frame.repeat(2 * (len(time),))

    def sheet(self, cell: int) -> Sheet:
        clips = self.clips(cell)
        return Sheet(clips.frame.origins.repeat(len(clips.starts), 1), clips.frame.grid, (0, 0))

    # --- pictures

    def cell_of(self, rows: int, columns: int) -> int:
        whole = self.canvas_frames
        if rows % whole:
            raise ValueError(f"a latent of {rows} rows does not hold {whole} latent frames of a video")
        return super().cell_of(rows // whole * self.space.frames, columns)

    def look(self, picture: Tensor) -> Tensor:
        return self.cut(picture, 1)

    def cut(self, picture: Tensor, cell: int) -> Tensor:
        """The frames of every clip, clip after clip."""
        frames = along_time(picture, self.space.frames)
        return cut_clips(self.clips(cell).scaled(cell), self.rig, frames)

    def mask_cells(self, mask: Tensor, views: Views) -> Tensor:
        """Masks of the video's frames, of its latent frames, or one for all. Of frames that are joined the largest."""
        whole, frames = self.canvas_frames, self.space.frames
        height, width = views.canonical[0] // whole, views.canonical[1]
        given = mask[:, 0] if mask.ndim == 5 else mask.reshape(1, -1, *mask.shape[-2:])
        count = given.shape[1]
        if count not in (1, whole, frames):
            raise ValueError(
                f"{count} masks for a video of {frames} frames, {whole} of the latent; connect one for each, or one"
            )
        rows = given.flatten(0, 1)[:, None].float()
        if tuple(rows.shape[-2:]) != (height, width):
            rows = torch.nn.functional.interpolate(rows, size=(height, width), mode="bilinear")
        rows = rows.reshape(-1, count, height, width)
        if count == frames != whole:
            rows = self._joined(rows)
        return rows.expand(-1, whole, -1, -1).flatten(1, 2)

    def _joined(self, rows: Tensor) -> Tensor:
        """[n, frames, h, w] -> [n, latent frames, h, w]."""
        first = rows[:, :0] if self.space.loop else rows[:, :1]
        rest = rows[:, first.shape[1] :]
        rest = rest.reshape(len(rest), -1, self.rig.joined, *rest.shape[2:]).amax(2)
        return torch.cat([first, rest], 1)

    def means(self, wish: MeanWish) -> PictureMeans:
        raise ValueError(
            "clips are averaged as latents: their frames are joined, and no picture of a frame can be encoded by "
            "itself; disconnect rgb_vae"
        )

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        return stitch_clips(self.clips(cell).scaled(cell), self.rig, self.space.frames, images)

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        """Along time, where clips begin and end; and along frames, where there are windows on them."""
        clips, loop = self.clips(cell), self.space.loop
        frames = picture.reshape(len(picture), clips.frames, -1)
        found = [seam_ratio(frames, (), clips.timeline.borders((False, loop))[1], wrap_y=loop)]
        if self.rig.windows is not None:
            rows, columns = clips.frame.borders((False, False))
            each = [seam_ratio(one, columns, rows) for one in in_frames(picture[None], clips.frames)]
            found.append(sum(each) / len(each))
        known = [value for value in found if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    def border_energy(self, picture: Tensor, cell: int) -> tuple[float, ...]:
        clips = self.clips(cell)
        rows, columns = clips.frame.borders((False, False))
        found = [border_energy(frame, columns, rows) for frame in in_frames(picture[None], clips.frames)]
        return tuple(sum(each) / len(found) for each in zip(*found, strict=True))

    # --- what is shown and told

    def coverage(self) -> RigCoverage:
        """How many clips see each place of each latent frame."""
        sides = (self.space.width, self.space.height, *self.view_size)
        return coverage_on_cells(self.views, _CELL if all(side % _CELL == 0 for side in sides) else 1)

    @property
    def words(self) -> Words:
        space, clip = self.space, self.clip
        return Words(f"{space.frames} frames of {space.width} x {space.height}, {clip.whole} of the latent", "video")

    def sight(self) -> RigSight:
        found = self.coverage()
        sheet = self._sheet(enlarged_heat, found.per_cell)
        return sight(found, sheet, self.words, len(self.places()), self.view_size)

    def drawing(self, size: int, turn: float) -> Tensor:
        """The clips along the time of the video, latent frame by latent frame."""
        return windows_drawing(self.clips(1).timeline, (False, self.space.loop), size)


WING = Wing(
    Video, Clips, ClipGeometry, "a video", "set ViewRig's kind to windows, or use VideoSpace's rig, or VideoClips'"
)
