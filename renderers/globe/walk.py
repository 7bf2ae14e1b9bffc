"""Cameras in the spheres of a video, view after view: all of one frame, then all of the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap, unique_groups
from ...sync_core.view_source import Block, Reading
from ...sync_core.views import Draw, Fresh, ViewSet
from ...sync_core.walked import Views, WalkedViews, too_large
from ..kept import Kept
from ..panorama.walk import LookWalk
from ..video.tracks import Tracks


@dataclass(frozen=True)
class GlobeWalk:
    """The cameras of ``looks`` in ``frames`` spheres that lie below each other; not ``apart``: all in one. tracks: what
    the frames show of each other. See ``walked.ViewSource``."""

    looks: LookWalk
    frames: int
    tracks: Tracks | None = None
    apart: bool = True
    _kept: Kept = field(default_factory=Kept, compare=False, repr=False)

    one_to_one = background = changing = False

    @property
    def canonical(self) -> tuple[int, ...]:
        rows, columns = self.looks.canonical
        return (self.frames if self.apart else 1) * rows, columns

    @property
    def count(self) -> int:
        return self.frames * self.looks.count

    @property
    def height(self) -> int:
        return self.looks.height

    @property
    def width(self) -> int:
        return self.looks.width

    @property
    def entries(self) -> int:
        """About how much the maps of all views would hold, both ways."""
        return self.looks.entries * self.frames * (1 if self.tracks is None else self.tracks.most)

    def forward(self, number: int) -> LinearMap:
        frame, look = divmod(number, self.looks.count)
        plain, cells = self._look(("forward", look), lambda: self.looks.forward(look)), self._cells
        first = frame * cells if self.apart else 0
        if self.tracks is None:
            indices = plain.indices + first
            return LinearMap(plain.offsets, indices, plain.weights, int(torch.Size(self.canonical).numel()))
        read, shares = _through(self.tracks, plain.indices.long() + first)
        shares, kept = shares * plain.weights[:, None], shares > 0
        offsets = torch.zeros_like(plain.offsets)
        offsets[1:] = kept.reshape(plain.rows, -1).sum(1).cumsum(0)
        return LinearMap(offsets, read[kept], shares[kept], self.frames * cells)

    def gather(self, number: int) -> Reading | None:
        frame, look = divmod(number, self.looks.count)
        reading = self._look(("gather", look), lambda: self.looks.gather(look))
        first = frame * self._cells if self.apart else 0
        if reading is None or self.tracks is None:
            return None if reading is None else Reading(reading.cells + first, reading.pixels)
        return _gathered(reading, *_through(self.tracks, reading.cells + first))

    def blocks(self, number: int) -> tuple[Block, ...]:
        return ()

    def weights(self, number: int, progress: float = 0.0) -> Tensor:
        return self.looks.weights(number % self.looks.count, progress)

    def views_per_cell(self) -> Tensor | None:
        return None

    def shared_cells(self) -> Tensor | None:
        return None

    @property
    def _cells(self) -> int:
        return int(torch.Size(self.looks.canonical).numel())

    def _look(self, key: Any, build: Any) -> Any:
        """What a camera reads, which is the same in every frame: kept where it may be stored for one of them."""
        return build() if too_large(self.looks.entries) else self._kept.get(key, build)


def _through(tracks: Tracks, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """(cells int32 [n, k], their shares) that pixels of the frames, int64 [n], read."""
    return tracks.cells[pixels], tracks.shares[pixels]


def _gathered(reading: Reading, read: Tensor, shares: Tensor) -> Reading:
    """What cells read in a view, of which frames' pixels are known to read it: each reads for all cells that it shows.
    read, shares: see ``Tracks``, of ``reading``'s."""
    kept, pixels = shares > 0, reading.pixels
    row = torch.arange(len(read))[:, None].expand(read.shape)[kept]
    cells, place, _ = unique_groups(read[kept])
    index, weight = (each.reshape(len(read), -1)[row] for each in (pixels.indices, pixels.weights))
    weight = weight * shares[kept][:, None]
    into = place[:, None].expand(index.shape)
    many = LinearMap.from_entries(len(cells), pixels.cols, into.flatten(), index.flatten().long(), weight.flatten())
    return Reading(cells.long(), many)


def stored(walk: GlobeWalk) -> ViewSet:
    """The views as maps."""
    numbers, pixels = range(walk.count), walk.height * walk.width
    maps = [walk.forward(number) for number in numbers]
    counts = torch.cat([torch.zeros(1, dtype=torch.int64), *(each.row_counts() for each in maps)])
    forward = LinearMap(
        counts.cumsum(0).to(torch.int32),
        torch.cat([each.indices for each in maps]),
        torch.cat([each.weights for each in maps]),
        int(torch.Size(walk.canonical).numel()),
    )
    del maps
    weights = torch.cat([walk.weights(number) for number in numbers])
    cells, index, values = list[Tensor](), list[Tensor](), list[Tensor]()
    for number in numbers:
        reading = walk.gather(number)
        assert reading is not None
        cells.append(reading.cells[reading.pixels.row_of_entry])
        index.append(reading.pixels.indices.long() + number * pixels)
        values.append(reading.pixels.weights)
    gather = LinearMap.from_entries(forward.cols, forward.rows, *(torch.cat(each) for each in (cells, index, values)))
    return ViewSet(forward, walk.canonical, walk.height, walk.width, weights, gather)


def views_of(walk: GlobeWalk) -> Views:
    """The views as maps, or walked where these would be too large."""
    return WalkedViews(walk) if too_large(walk.entries) else stored(walk)


@dataclass(frozen=True)
class AlikeViews(WalkedViews):
    """Views of which each frame's draw the same noise, what is their own included. one: those of a single frame."""

    one: Views | None = None

    def drawn(self, draw: Draw, canonical: Tensor, fresh: Fresh) -> Tensor:
        assert self.one is not None
        each, one = self.one.count, self.one.to(self.device)

        def first() -> Tensor:
            given = fresh()
            return given.reshape(-1, self.count, *given.shape[1:])[:, :each].flatten(0, 1)

        noise = one.drawn(draw, canonical, first)
        frames = noise.reshape(-1, 1, each, *noise.shape[1:]).expand(-1, self.count // each, -1, -1, -1, -1)
        return frames.flatten(0, 2)
