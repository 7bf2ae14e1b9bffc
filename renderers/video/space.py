"""A film as a canonical space: its frames, what connects them, and the noise that they start from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from ..cells import check_multiple
from ..plane.space import Placement, Plane, Windows, place
from .motion import Motion, Projection

Noise = Literal["auto", "same", "canvas", "warped"]
NOISES: tuple[Noise, ...] = ("auto", "same", "canvas", "warped")
Sampling = Literal["nearest", "bilinear"]
SAMPLINGS: tuple[Sampling, ...] = ("nearest", "bilinear")


@dataclass(frozen=True)
class Video:
    """``frames`` pictures of ``width`` x ``height`` image pixels. motion: what of a frame is where in the next; None:
    frames know nothing of each other. loop: the last frame goes on with the first. noise: what frames share of it;
    ``auto`` is ``warped`` with a motion, else ``same``. sampling: how a frame reads what an earlier one showed."""

    width: int
    height: int
    frames: int
    loop: bool = False
    motion: Motion | None = None
    noise: Noise = "auto"
    sampling: Sampling = "nearest"

    kind = "video"
    wrap_x = False
    wrap_y = False
    borders = None
    projection: ClassVar[Projection] = "flat"

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("height", self.height)):
            if value < 1:
                raise ValueError(f"{name} {value} is not a frame; use at least 1 pixel")
        if self.frames < 1:
            raise ValueError(f"frames {self.frames} are no video; use 1 or more")
        for name, value, known in (("noise", self.noise, NOISES), ("sampling", self.sampling, SAMPLINGS)):
            if value not in known:
                raise ValueError(f"{name} '{value}' is unknown; use one of {', '.join(known)}")
        if self.noise == "warped" and self.motion is None:
            raise ValueError("noise warped moves with the scene, and there is no motion; connect one, or use same")
        if self.motion is not None and self.motion.projection != self.projection:
            raise ValueError(
                f"the motion is of {self.motion.projection} frames, the space's are {self.projection}; set projection "
                "of VideoMotion and of VideoSpace alike"
            )
        if self.motion is not None:
            self.motion.check(self.width, self.height, self.frames)

    @property
    def shared_noise(self) -> Noise:
        """What ``auto`` means here."""
        if self.noise != "auto":
            return self.noise
        return "same" if self.motion is None else "warped"

    def frame_grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of one frame, in cells of ``cell`` pixels. Raises ValueError when cells do not fill it."""
        check_multiple("frame width", self.width, cell)
        check_multiple("frame height", self.height, cell)
        return self.height // cell, self.width // cell

    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of the canonical signal: the frames below each other."""
        rows, columns = self.frame_grid(cell)
        return self.frames * rows, columns


def placed(space: Video, rig: Windows, cell: int) -> Placement:
    """The windows on one frame. Raises ValueError as ``place`` does."""
    space.frame_grid(cell)
    return place(Plane(space.width, space.height), rig, cell)


def repeated(frame: Placement, frames: int, apart: bool = True) -> Placement:
    """The windows of one frame on ``frames`` of them below each other, frame after frame; not ``apart``: all of them on
    one frame."""
    height = frame.grid[0] if apart else 0
    rows = tuple(number * height + row for number in range(frames) for row in frame.rows)
    return replace(frame, rows=rows, grid=(frame.grid[0] * (frames if apart else 1), frame.grid[1]))
