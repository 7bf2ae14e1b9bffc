"""Where what a frame shows is in the frames beside it, and how far that can be believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arrays import norm
from ..pictures import corners
from .chains import Chain, chained

# A way there and back may end this far off: a share of its length, and pixels squared (Sundaram and others, "Dense
# point trajectories by GPU-accelerated large displacement optical flow", 2010).
_SHARE, _SQUARED = 0.01, 0.5

Projection = Literal["flat", "panorama"]
PROJECTIONS: tuple[Projection, ...] = ("flat", "panorama")


@dataclass(frozen=True, eq=False)
class Motion:
    """Of T frames. back: float32 [T, H, W, 2], pixels (right, down) from a pixel of a frame to where the frame before
    shows the same; ahead: to where the next frame does. The first frame's back leads to the last frame, and the last
    frame's ahead to the first. behind, before: bool [T, H, W], where ``back`` and ``ahead`` hold: what is hidden in the
    other frame, or outside of it, is nowhere.
    """

    back: Tensor
    ahead: Tensor
    behind: Tensor
    before: Tensor

    projection: ClassVar[Projection] = "flat"

    @staticmethod
    def of(back: Tensor, ahead: Tensor, loop: bool) -> Motion:
        """Flows that were estimated or given; what does not come back to where it began is nowhere.

        loop: the frame before the first is the last one. Raises ValueError for flows that
        are none.
        """
        check_flows(back, ahead)
        behind = torch.stack([returns(back[t], ahead[t - 1]) for t in range(len(back))])
        before = torch.stack([returns(ahead[t], back[(t + 1) % len(back)]) for t in range(len(back))])
        if not loop:
            behind[0], before[-1] = False, False
        return Motion(back.float(), ahead.float(), behind, before)

    @property
    def frames(self) -> int:
        return len(self.back)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""
        return self.back.shape[2], self.back.shape[1]

    @property
    def loops(self) -> bool:
        """Whether it knows a way from the last frame to the first."""
        return bool(self.behind[0].any())

    def check(self, width: int, height: int, frames: int) -> None:
        """Raise ValueError where it is of another video than one of that size."""
        if self.frames != frames:
            raise ValueError(f"a motion of {self.frames} frames for a video of {frames}; make it from the same frames")
        if self.size != (width, height):
            raise ValueError(
                f"a motion of {self.size[0]} x {self.size[1]} pixels for frames of {width} x {height}; make it from "
                "frames of that size"
            )

    def on_cells(self, cell: int) -> Motion:
        """The same in cells of ``cell`` x ``cell`` pixels: the mean of what is known of them, known where most is."""
        if cell == 1:
            return self
        (back, behind), (ahead, before) = (
            _pooled(flow, known, cell) for flow, known in ((self.back, self.behind), (self.ahead, self.before))
        )
        return Motion(back, ahead, behind, before)

    def chain(self, flow: Tensor, known: Tensor, order: Iterable[tuple[int, int]]) -> Chain:
        """See ``chained``."""
        return chained(flow, known, order)

    def shown_before(self, picture: Tensor, number: int) -> Tensor:
        """What the frame before, a picture [H, W, C], shows at the places of frame ``number``."""
        return read(picture, *places(self.back[number]))

    @property
    def areas(self) -> Tensor | None:
        """float32 [H, 1]: how much a pixel counts in means over a frame; None: all the same."""
        return None

    @property
    def new(self) -> Tensor:
        """float32 [T, H, W]: 1 where a frame shows what the one before does not."""
        return (~self.behind).float()

    def drawn(self) -> Tensor:
        """float32 [T, H, W, 3] in [0, 1]: where frames move to, the way as a hue and its length as strength; grey where
        nothing moves, black what is not in the next frame."""
        across, down = self.ahead[..., 0], self.ahead[..., 1]
        length = norm(self.ahead, -1)
        known = length[self.before]
        strength = (length / known.max().clamp_min(1e-6) if len(known) else length)[..., None].clamp(0, 1)
        turn = torch.atan2(down, across)[..., None] - torch.tensor([0.0, 2.0, 4.0]) * (torch.pi / 3)
        return (0.5 + 0.5 * strength * torch.cos(turn)) * self.before[..., None]


def check_flows(back: Tensor, ahead: Tensor) -> None:
    """Raise ValueError for flows that are none, or of two videos."""
    for flow in (back, ahead):
        if flow.ndim != 4 or flow.shape[-1] != 2:
            raise ValueError(f"a flow of shape {tuple(flow.shape)} is none; give [frames, height, width, 2]")
        if not bool(torch.isfinite(flow).all()):
            raise ValueError("the flow holds values that are no numbers; estimate it anew, or mend its picture")
    if back.shape != ahead.shape:
        raise ValueError(f"flows of {tuple(back.shape)} and {tuple(ahead.shape)} are not of one video")


def comes_back(off: Tensor, gone: Tensor) -> Tensor:
    """bool: whether a way there and back ends where it began. off: pixels squared between the two; gone: the lengths of
    both ways, squared and added."""
    return off <= _SHARE * gone + _SQUARED


def returns(flow: Tensor, reverse: Tensor) -> Tensor:
    """bool [H, W]: whether ``flow`` [H, W, 2] stays inside the frame, and ``reverse``, of the frame that it leads to,
    leads back."""
    there = read(reverse, *places(flow))
    off = (flow + there).square().sum(-1)
    return inside(flow) & comes_back(off, flow.square().sum(-1) + there.square().sum(-1))


def inside(flow: Tensor) -> Tensor:
    """bool [H, W]: where the flow leads to a place in the other picture; what lies beyond says nothing."""
    (row, column), (height, width) = places(flow), flow.shape[:2]
    return (row >= -0.5) & (row <= height - 0.5) & (column >= -0.5) & (column <= width - 0.5)


def places(flow: Tensor) -> tuple[Tensor, Tensor]:
    """(row, column) [H, W] that ``flow`` leads to; 0 is the first pixel's centre."""
    height, width = flow.shape[:2]
    row = torch.arange(height, device=flow.device)[:, None] + flow[..., 1]
    return row, torch.arange(width, device=flow.device) + flow[..., 0]


def read(picture: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """A picture [H, W, C] between its pixels [h, w, C]; beyond its edges it goes on as there."""
    height, width = picture.shape[:2]
    rows, columns, shares = corners(row + 0.5, column + 0.5)
    seen = picture[rows.clamp(0, height - 1), columns.clamp(0, width - 1)]
    return (seen * shares[..., None].to(picture)).sum(-2)


def _pooled(flow: Tensor, known: Tensor, cell: int) -> tuple[Tensor, Tensor]:
    """Frame after frame: all at once would take three times the memory of the motion."""
    frames, rows, columns = flow.shape[0], flow.shape[1] // cell, flow.shape[2] // cell
    pooled, most = flow.new_empty(frames, rows, columns, 2), known.new_empty(frames, rows, columns)
    for number, (way, there) in enumerate(zip(flow, known, strict=True)):
        sure = there.float()[None]
        share = F.avg_pool2d(sure, cell)
        pooled[number] = (F.avg_pool2d(way.movedim(-1, 0) * sure, cell) / share.clamp_min(1e-6)).movedim(0, -1) / cell
        most[number] = share[0] > 0.5
    return pooled, most
