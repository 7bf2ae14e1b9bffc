"""Clips: windows of time on a video, for models that make several frames at once.

A video model joins frames: each of its latent frames is ``joined`` of the video's, but the first, which is a single
one. So where four are joined a clip of 4 k + 1 frames is k + 1 latent frames. Clips begin at latent frames; as pictures
a clip from latent frame s on goes from frame 4 s to 4 (s + k), and neighbours that share o latent frames share
4 (o - 1) + 1 frames. A loop has no first frame: 4 k frames are k latent frames.

The model places the frames of every clip from 0 on, as those of a video of that length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ...sync_core.view_source import Block, Reading
from ...sync_core.views import ViewSet
from ..plane.space import TAPERS, Placement, Plane, Taper, Windows, place, taper_weights, window_weights
from ..plane.walk import WindowWalk
from .space import Video, placed


@dataclass(frozen=True)
class Clips:
    """Views of ``length`` frames of a video; the next begins so that it shares ``overlap`` frames. joined: how many
    frames the model makes one latent frame of. windows: on every frame; None: the whole frame. taper: how much a frame
    counts where clips overlap, falling towards a clip's ends."""

    length: int
    overlap: int
    joined: int = 4
    windows: Windows | None = None
    taper: Taper = "hann"

    kind = "clips"

    def __post_init__(self) -> None:
        if self.joined < 1:
            raise ValueError(f"{self.joined} frames cannot be joined in one latent frame; use 1 or more")
        if self.taper not in TAPERS:
            raise ValueError(f"clip weights '{self.taper}' are unknown; use one of {', '.join(TAPERS)}")
        for name, value in (("length", self.length), ("overlap", self.overlap)):
            if value < 1 or (value - 1) % self.joined:
                raise ValueError(f"{name} {value} does not suit this model, {_joined(value, self.joined)}")
        if self.overlap >= self.length:
            most = self.length - self.joined
            raise ValueError(
                f"overlap {self.overlap} is the whole clip of {self.length} frames; use at most {max(most, 1)}"
                if most > 0
                else f"length {self.length} is one latent frame; use {self.joined + 1} or more"
            )

    @property
    def latent(self) -> int:
        """Latent frames of a clip."""
        return (self.length - 1) // self.joined + 1

    @property
    def shared(self) -> int:
        """Latent frames that neighbours share."""
        return (self.overlap - 1) // self.joined + 1

    def latent_frames(self, space: Video) -> int:
        """Of the whole video. Raises ValueError for a number of frames that the model does not make."""
        frames, joined = space.frames, self.joined
        if space.loop:
            if frames % joined:
                low = max(frames // joined, 1) * joined
                raise ValueError(
                    f"a loop of {frames} frames is no video of this model, which joins {joined} frames in one; use "
                    f"{joined} k frames: {low} or {low + joined}"
                )
            return frames // joined
        if (frames - 1) % joined:
            raise ValueError(f"{frames} frames are no video of this model, {_joined(frames, joined)}")
        return (frames - 1) // joined + 1


def _joined(value: int, joined: int) -> str:
    """What to use instead of a number of frames that is not ``joined`` k + 1."""
    low = max((value - 1) // joined, 0) * joined + 1
    counts = f"{value} frames are not {joined} k + 1" if value > 0 else "a clip has frames"
    return f"which joins {joined} frames in one: {counts}; use {low} or {low + joined}"


@dataclass(frozen=True)
class ClipPlacement:
    """Where clips lie, in latent frames and cells: ``starts`` of their first frames, ``length`` of each, ``frames`` of
    the video, and where windows lie on every frame. Clips one after another, in each its windows in reading order."""

    starts: tuple[int, ...]
    length: int
    frames: int
    frame: Placement

    @property
    def count(self) -> int:
        return len(self.starts) * self.frame.count

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of the canonical signal: the frames below each other."""
        return self.frames * self.frame.grid[0], self.frame.grid[1]

    @property
    def height(self) -> int:
        """Rows of a view: its frames below each other."""
        return self.length * self.frame.height

    @property
    def width(self) -> int:
        return self.frame.width

    def scaled(self, factor: int) -> ClipPlacement:
        """The same clips on frames of ``factor`` times finer cells."""
        return ClipPlacement(self.starts, self.length, self.frames, self.frame.scaled(factor))

    def shows(self, clip: int) -> list[int]:
        """The latent frames that a clip shows."""
        return [(self.starts[clip] + at) % self.frames for at in range(self.length)]

    def middle(self, clip: int) -> float:
        """Where the middle of a clip is, as a fraction of the video."""
        return (self.starts[clip] + self.length / 2) / self.frames % 1.0

    @property
    def timeline(self) -> Placement:
        """The clips as windows on a line of the video's frames."""
        return Placement((0,), self.starts, 1, self.length, (1, self.frames))


def placed_clips(space: Video, rig: Clips, cell: int) -> ClipPlacement:
    """Raises ValueError for clips that do not fit the video, and windows that do not fit its frames."""
    frames, length = rig.latent_frames(space), rig.latent
    if length > frames:
        most = (frames - 1) * rig.joined + 1
        raise ValueError(
            f"clips of {rig.length} frames are longer than the video of {space.frames}; set length to at most {most}, "
            "or make the video longer"
        )
    line = place(Plane(1, frames, wrap_y=space.loop), Windows(1, length, 1, length - rig.shared), 1)
    windows = rig.windows or Windows(space.width, space.height, space.width, space.height, "flat")
    return ClipPlacement(line.rows, length, frames, placed(space, windows, cell))


def clip_weights(placement: ClipPlacement, rig: Clips) -> Tensor:
    """float32 [length, h, w]: how much each pixel of a clip counts."""
    taper = "flat" if rig.windows is None else rig.windows.taper
    return taper_weights(placement.length, rig.taper)[:, None, None] * window_weights(placement.frame, taper)


def clip_views(placement: ClipPlacement, rig: Clips) -> ViewSet:
    """The clips as views of the canonical signal."""
    walk = ClipWalk(placement, rig)
    cell = torch.cat([walk.forward(number).indices for number in range(placement.count)]).long()
    rows, columns = placement.grid
    pixel = torch.arange(cell.numel())
    forward = LinearMap.from_entries(cell.numel(), rows * columns, pixel, cell, torch.ones(cell.numel()))
    weights = clip_weights(placement, rig).reshape(-1).repeat(placement.count)
    return ViewSet(forward, (rows, columns), placement.height, placement.width, weights)


@dataclass(frozen=True)
class ClipWalk:
    """The clips, one at a time. See ``walked.ViewSource``."""

    placement: ClipPlacement
    rig: Clips

    one_to_one = True
    background = changing = False

    @property
    def canonical(self) -> tuple[int, ...]:
        return self.placement.grid

    @property
    def count(self) -> int:
        return self.placement.count

    @property
    def height(self) -> int:
        return self.placement.height

    @property
    def width(self) -> int:
        return self.placement.width

    @cached_property
    def _windows(self) -> WindowWalk:
        return WindowWalk(self.placement.frame, "flat")

    @cached_property
    def _weights(self) -> Tensor:
        return clip_weights(self.placement, self.rig).reshape(-1)

    def forward(self, number: int) -> LinearMap:
        """One cell for each pixel of a clip."""
        clip, window = divmod(number, self.placement.frame.count)
        cells = self._windows.forward(window).indices
        frame = self.placement.frame.grid[0] * self.placement.frame.grid[1]
        shown = torch.tensor(self.placement.shows(clip), dtype=torch.int32)
        index = (shown[:, None] * frame + cells).reshape(-1)
        pixels = len(index)
        whole = self.placement.grid[0] * self.placement.grid[1]
        return LinearMap(torch.arange(pixels + 1, dtype=torch.int32), index, torch.ones(pixels), whole)

    def gather(self, number: int) -> Reading | None:
        return None

    def blocks(self, number: int) -> tuple[Block, ...]:
        """One a frame, or the parts on each side of an edge."""
        clip, window = divmod(number, self.placement.frame.count)
        high, whole = self.placement.frame.height, self.placement.frame.grid[0]
        found = list[Block]()
        for at, shown in enumerate(self.placement.shows(clip)):
            for block in self._windows.blocks(window):
                (y, x), (row, column) = block.pixels, block.cells
                found.append(Block((_moved(y, at * high), x), (_moved(row, shown * whole), column)))
        return tuple(found)

    def weights(self, number: int, progress: float = 0.0) -> Tensor:
        return self._weights

    def views_per_cell(self) -> Tensor | None:
        frame = self._windows.views_per_cell()
        assert frame is not None
        return torch.kron(self._shown.sum(0), frame)

    def shared_cells(self) -> Tensor | None:
        frame = self._windows.shared_cells()
        assert frame is not None
        shown = self._shown.double()
        return torch.kron((shown @ shown.T).long(), frame)

    @property
    def _shown(self) -> Tensor:
        """int64 [clips, frames]: 1 where a clip shows a frame."""
        shown = torch.zeros(len(self.placement.starts), self.placement.frames, dtype=torch.int64)
        for clip in range(len(shown)):
            shown[clip, self.placement.shows(clip)] = 1
        return shown


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)
