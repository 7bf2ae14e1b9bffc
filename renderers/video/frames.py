"""What is asked of a video whatever its frames are: a canvas that is a batch of frames to those who hold it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor

from ...sync_core.walked import Views
from ..counts import Words, heat
from ..geometry import Geometry
from ..kept import Kept
from ..pictures import contact_sheet, in_frames, in_one, on_canvas
from .space import Video
from .tracks import Tracks


@dataclass(frozen=True)
class FramesGeometry(Geometry):
    """See ``Geometry``: the part that does not depend on how views lie on a frame."""

    space: Video
    _tracks: Kept = field(init=False, default_factory=lambda: Kept(2), compare=False, repr=False)

    @property
    def size(self) -> tuple[int, int]:
        return self.space.width, self.space.frames * self.space.height

    @property
    def frames(self) -> int:
        return self.space.frames

    def tracks(self, cell: int, finer: int) -> Tracks:
        """What the frames show of each other, on cells of ``cell`` pixels, each divided. Only with a motion."""
        space = self.space
        motion, between = space.motion, space.sampling == "bilinear"
        assert motion is not None
        return self._tracks.get(
            (cell, finer), lambda: Tracks.of(motion.on_cells(max(1, cell // finer)), space.loop, between)
        )

    @property
    def canvas_frames(self) -> int:
        """How many the canonical signal has, below each other."""
        return self.space.frames

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

    # --- what is shown and told

    def preview(self, clean: Tensor, whole: Callable[[], Tensor]) -> Tensor:
        """The frames beside each other."""
        return contact_sheet(in_frames(whole()[:1], self.canvas_frames))

    def _on_frames(self, per_cell: Tensor, cell: int) -> Tensor:
        """What is known of each cell, at every place that shows it."""
        return per_cell if self.space.motion is None else per_cell.flatten()[self.tracks(cell, 1).first]

    @property
    def words(self) -> Words:
        return Words(f"{self.space.frames} frames of {self.space.width} x {self.space.height}", "video")

    def count_picture(self, counts: Tensor, cell: int) -> Tensor:
        shown = self._on_frames(counts.flatten(), cell).reshape(counts.shape)
        return self._sheet(lambda each: heat(each, each.shape[0] * cell, each.shape[1] * cell), shown)

    def _sheet(self, draw: Callable[[Tensor], Tensor], counts: Tensor) -> Tensor:
        """Counts [T*h, w], drawn frame by frame beside each other, in one scale."""
        beside = contact_sheet(in_frames(counts[None, None], self.canvas_frames))[0, 0]
        return draw(beside)
