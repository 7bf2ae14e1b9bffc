"""How steady a video is, measured along its motion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .motion import Motion

# Beyond this, frames agree to the last bit of a picture.
_EXACT = 100.0


@dataclass(frozen=True)
class Steadiness:
    """Of neighbouring frames. psnr: of each pair, dB, where the motion holds; inf where they are equal. last: of the
    last frame and the first, nan where nothing leads from one to the other. known: share of the pixels that go on from
    the frame before."""

    psnr: tuple[float, ...]
    last: float
    known: float

    @property
    def mean(self) -> float:
        """dB of the mean squared difference over all pairs."""
        return _decibels(sum(_squared(value) for value in self.psnr) / len(self.psnr)) if self.psnr else math.nan

    @property
    def seam(self) -> float:
        """How far the loop's ends differ, over how far neighbours do; 1 is no seam, nan where there is no loop."""
        if math.isnan(self.last) or not self.psnr:
            return math.nan
        ends, usual = math.sqrt(_squared(self.last)), math.sqrt(_squared(self.mean))
        return ends / usual if usual else (1.0 if ends == 0 else math.inf)


def steadiness(frames: Tensor, motion: Motion | None) -> Steadiness:
    """Of a video [T, H, W, C], values 0..1. motion None: nothing moves, and the last frame is held against the first.

    Raises ValueError where the motion is of another video.
    """
    count, height, width = frames.shape[:3]
    if motion is not None:
        motion.check(width, height, count)
    areas = torch.ones(1, 1) if motion is None or motion.areas is None else motion.areas
    found: list[float] = []
    known: list[float] = []
    for number in range(count):
        if motion is None:
            there, shown = torch.ones(height, width, dtype=torch.bool), frames[number - 1]
        else:
            there, shown = motion.behind[number], motion.shown_before(frames[number - 1], number)
        off, counts = (shown - frames[number]).square().mean(-1), there * areas
        found.append(_decibels(float((off * counts).sum() / counts.sum())) if bool(there.any()) else math.nan)
        known.append(float(counts.sum() / areas.expand_as(counts).sum()))
    last = found[0] if count > 1 else math.nan
    return Steadiness(tuple(found[1:]), last, sum(known[1:]) / max(1, count - 1))


def _decibels(squared: float) -> float:
    return math.inf if squared == 0 else -10 * math.log10(squared)


def _squared(decibels: float) -> float:
    return 0.0 if decibels == math.inf else 10 ** (-decibels / 10)
