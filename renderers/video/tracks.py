"""What a video's frames show of each other, as a map: every pixel reads the cell where what it shows was first seen.

A pixel that the frame before knows (``Motion``) goes on as what it was there, any other begins as a cell of its own.
Positions are kept between the pixels of the frame where they began and rounded once, so that no error of rounding grows
with time. In a loop there are two ways to the first frame, ahead and back. A pixel that gets there on one goes that
way; one that is in view all around fades from one to the other, so that what the motion is wrong by is spread over all
frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from .motion import Motion


@dataclass(frozen=True)
class Tracks:
    """cells: int32 [T*h*w, k], what each pixel of the frames (below each other) reads; shares: float32, how much of
    each, 0 for none, adding up to 1."""

    cells: Tensor
    shares: Tensor

    @staticmethod
    def of(motion: Motion, loop: bool, between: bool) -> Tracks:
        """between: pixels read four cells where they fall between them, else the nearest."""
        chain, frames = motion.chain, motion.frames
        ahead = chain(motion.back, motion.behind, ((t, t - 1) for t in range(1, frames)))
        found = _merged(*ahead.entries(between))
        if not loop or frames == 1:
            return found
        back = chain(motion.ahead, motion.before, ((t, (t + 1) % frames) for t in range(frames - 1, 0, -1)))
        late = (torch.arange(frames) / frames)[:, None, None].expand(ahead.key.shape)
        # (the same all along what is one thing, which would else be made twice and mixed)
        late = torch.where(ahead.key == 0, torch.where(back.key == 0, late, 0.0), (back.key == 0).float())
        late = late.reshape(-1, 1)
        other = _merged(*back.entries(between))
        cells = torch.cat([found.cells, other.cells], 1)
        return _merged(cells, torch.cat([found.shares * (1 - late), other.shares * late], 1))

    @property
    def most(self) -> int:
        """Cells that a pixel reads at most."""
        return self.cells.shape[1]

    @property
    def first(self) -> Tensor:
        """int64 [T*h*w]: the cell that each pixel reads most of."""
        return self.cells.gather(1, self.shares.argmax(1, keepdim=True))[:, 0].long()

    def seen_by(self, pixels: Tensor) -> LinearMap:
        """The map of views whose pixels are those of the frames, int64 [n]."""
        cells, shares = self.cells[pixels], self.shares[pixels]
        kept = shares > 0
        offsets = torch.zeros(len(pixels) + 1, dtype=torch.int32)
        offsets[1:] = kept.sum(1).cumsum(0)
        return LinearMap(offsets, cells[kept], shares[kept], len(self.cells))


def _merged(cells: Tensor, shares: Tensor) -> Tracks:
    """The same, no cell twice in a row."""
    shares = shares.clone()
    for later in range(1, cells.shape[1]):
        for earlier in range(later):
            same = cells[:, later] == cells[:, earlier]
            shares[:, earlier] += torch.where(same, shares[:, later], 0.0)
            shares[:, later] = torch.where(same, 0.0, shares[:, later])
    return Tracks(cells, shares)
