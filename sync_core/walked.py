"""Views that are made anew, one at a time, wherever a stored map of all of them would be too large.

A map holds every pixel of every view: about a hundred bytes for each while it is built. Where views are pictures or
many, that is far more than the views themselves. What a view reads follows from where it is, so `WalkedViews` keeps
only that, and every operation walks over the views: the same sums as through the maps, to float error, in the memory of
the canonical signal and one view.

Which of the two is used depends on the size alone, not on what memory is free: the last bits of a result must not
depend on what else is running.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import ClassVar

import torch
from torch import Tensor

from .linear_map import LinearMap, computes_correctly, unique_groups
from .view_source import Reading, ViewSource
from .views import Draw, Fresh, ViewSet, batch_of

# Stored maps take up to this many bytes while they are built; above, views are walked.
MAPS_AT_MOST = 2**30

# The same for crops, which are copied and added as fast as through maps.
CROPS_AT_MOST = 2**26

# Measured at the peak, for every entry of the maps (pixels times cells that a pixel reads, and the reverse): 100 bytes
# for windows, 87 for panoramas.
BYTES_PER_ENTRY = 100


_CPU = torch.device("cpu")


def too_large(entries: int, crops: bool = False) -> bool:
    """Whether maps of that many entries are not to be stored. crops: of views that are rectangles of the picture."""
    return entries * BYTES_PER_ENTRY > (min(MAPS_AT_MOST, CROPS_AT_MOST) if crops else MAPS_AT_MOST)


@dataclass(frozen=True)
class LoneView:
    """One view on the cells that it has to do with. cells: int64 [k], rising; views: that view, canonical (k,)."""

    cells: Tensor
    views: ViewSet


@dataclass(frozen=True)
class WalkedViews:
    """The projection f of a source's views: what a ``ViewSet`` is, without its maps.

    counting: the views whose pixels count when views are averaged; None: all. progress: at which fraction of a run, for
    weights that change. device: where values are; ``works``:
    whether it applies maps rightly (see ``LinearMap.to``).
    """

    source: ViewSource
    counting: tuple[int, ...] | None = None
    progress: float = 0.0
    device: torch.device = _CPU
    works: bool = True

    combine: ClassVar[None] = None
    composite: ClassVar[None] = None

    @property
    def canonical(self) -> tuple[int, ...]:
        return self.source.canonical

    @property
    def height(self) -> int:
        return self.source.height

    @property
    def width(self) -> int:
        return self.source.width

    @property
    def count(self) -> int:
        """N, the number of views."""
        return self.source.count

    @property
    def cells(self) -> int:
        """K, the number of canonical cells."""
        return int(torch.Size(self.canonical).numel())

    @property
    def resampled(self) -> bool:
        """Whether views are more than crops of the canonical signal."""
        return not self.source.one_to_one

    @property
    def ramp(self) -> bool | None:
        """Whether weights change during a run; None where they do not, as in a ``ViewSet``."""
        return self.source.changing or None

    @cached_property
    def covered(self) -> Tensor:
        """bool [N, h, w]: view pixels that see the canonical signal; the others are background."""
        if not self.source.background:
            return torch.ones(1, 1, 1, dtype=torch.bool, device=self.device).expand(self.count, self.height, self.width)
        seen = [self.source.forward(number).row_counts() > 0 for number in range(self.count)]
        return torch.stack(seen).reshape(self.count, self.height, self.width).to(self.device)

    @cached_property
    def fully_covered(self) -> bool:
        """Whether no view has background."""
        return not self.source.background or bool(self.covered.all())

    @cached_property
    def hits(self) -> Tensor:
        """int64 [K]: how many view pixels see each cell."""
        hits = torch.zeros(self.cells, dtype=torch.int64)
        for number in range(self.count):
            read = self.source.forward(number).indices
            hits.index_add_(0, read, torch.ones_like(read, dtype=torch.int64))
        return hits.to(self.device)

    @cached_property
    def views_per_cell(self) -> Tensor:
        """int64 [K]: how many distinct views see each cell."""
        counts = self.source.views_per_cell()
        if counts is None:
            counts = torch.zeros(self.cells, dtype=torch.int64)
            for number in range(self.count):
                counts[self.part(number).cells.cpu()] += 1
        return counts.to(self.device)

    @property
    def weight_pictures(self) -> Tensor:
        """float [N, 1, h, w]: how much each view pixel counts."""
        weights = [self.weights(number) for number in range(self.count)]
        return torch.stack(weights).reshape(self.count, 1, self.height, self.width)

    def to(self, device: torch.device | str) -> WalkedViews:
        """The same views for values on another device."""
        device = torch.device(device)
        if device == self.device:
            return self
        return replace(self, device=device, works=device.type == "cpu" or computes_correctly(device))

    def at(self, progress: float) -> WalkedViews:
        """The same views with the weights they have at a fraction of a run: 0 at the first step, 1 at the last."""
        if not self.source.changing or progress == self.progress:
            return self
        moved = replace(self, progress=progress)
        # What is known of the views does not depend on the weights, and costs more than they do.
        known = {k: v for k, v in self.__dict__.items() if k not in moved.__dict__}
        moved.__dict__.update(known)
        return moved

    def only(self, members: tuple[int, ...]) -> WalkedViews:
        """The same views, of which only some count in averages."""
        return replace(self, counting=members)

    def counts(self, number: int) -> bool:
        """Whether the pixels of a view count in averages."""
        return self.counting is None or number in self.counting

    def forward(self, number: int) -> LinearMap:
        """What the pixels of a view read: [h*w, K], on the device."""
        return self.source.forward(number).moved(self.device, self.works)

    def gather(self, number: int) -> Reading | None:
        """What cells read in a view, on the device."""
        reading = self.source.gather(number)
        if reading is None:
            return None
        return Reading(reading.cells.to(self.device), reading.pixels.moved(self.device, self.works))

    def weights(self, number: int) -> Tensor:
        """float [h*w]: how much each pixel of a view counts, on the device."""
        weights = self.source.weights(number, self.progress).to(self.device)
        return weights if self.counts(number) else torch.zeros_like(weights)

    def part(self, number: int) -> LoneView:
        """A view on its own cells, on the device: whatever is known of views can be asked of it."""
        forward, reading = self.source.forward(number), self.source.gather(number)
        read = forward.indices.long()
        if reading is None:
            cells, place, _ = unique_groups(read)
        else:
            cells, place, _ = unique_groups(torch.cat([read, reading.cells]))
        own = replace(forward, indices=place[: read.numel()].to(torch.int32), cols=cells.numel())
        gather = None if reading is None else _on_rows(reading.pixels, place[read.numel() :], cells.numel())
        shape, weights = (cells.numel(),), self.source.weights(number, self.progress)
        if not self.counts(number):
            weights = torch.zeros_like(weights)
        views = ViewSet(own, shape, self.height, self.width, weights, gather)
        return LoneView(cells.to(self.device), views.to(self.device))

    @cached_property
    def disjoint_rows(self) -> bool:
        """Whether, inside every view, no cell is read by two pixels."""
        return self.source.one_to_one or all(self.part(number).views.disjoint_rows for number in range(self.count))

    def seen_cells(self, number: int) -> Tensor:
        """bool [K]: the cells that a view sees; where cells may be finer than its pixels, those whose own centre is."""
        seen, reading = torch.zeros(self.cells, dtype=torch.bool), self.source.gather(number)
        seen[self.source.forward(number).indices.long() if reading is None else reading.cells] = True
        return seen

    def maps(self) -> Iterator[LinearMap]:
        """What pixels read, one view at a time."""
        return (self.forward(number) for number in range(self.count))

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(view, cell) int64 [n] each, of whatever has to do with each other, one view at a time."""
        for number in range(self.count):
            cells = self.part(number).cells
            yield torch.full_like(cells, number), cells

    def drawn(self, draw: Draw, canonical: Tensor, fresh: Fresh) -> Tensor:
        """As ``ViewSet.drawn``, every view alone; what is asked of all together is told to each."""
        if self.source.one_to_one:
            return self.project(canonical)
        batch, channels = canonical.shape[:2]
        flat, own = canonical.reshape(batch, channels, -1), list[Tensor]()

        def fresh_of(number: int) -> Tensor:
            if not own:
                own.append(fresh().reshape(batch, self.count, channels, self.height, self.width))
            return own[0][:, number]

        noise = canonical.new_empty(batch, self.count, channels, self.height, self.width)
        for number in range(self.count):
            part = self.part(number)
            given = partial(fresh_of, number)
            noise[:, number] = draw(part.views, flat[:, :, part.cells], given, lambda: self.disjoint_rows)
        return noise.flatten(0, 1)

    def shared_cells(self) -> Tensor:
        """As ``ViewSet.shared_cells``; the cells of all are kept, four bytes for each that a view sees."""
        known = self.source.shared_cells()
        if known is not None:
            return known
        seen: list[Tensor] = []
        for number in range(self.count):
            reading = self.source.gather(number)
            cells = unique_groups(self.source.forward(number).indices)[0] if reading is None else reading.cells
            seen.append(cells.to(torch.int32))
        shared = torch.zeros(self.count, self.count, dtype=torch.int64)
        for number, own in enumerate(seen):
            marks = torch.zeros(self.cells, dtype=torch.bool)
            marks[own.long()] = True
            for other in range(number, self.count):
                shared[number, other] = shared[other, number] = marks[seen[other].long()].sum()
        return shared

    def project(self, z: Tensor) -> Tensor:
        """f: [B, C, *canonical] -> [B*N, C, h, w]."""
        batch, channels = z.shape[:2]
        if tuple(z.shape[2:]) != self.canonical:
            raise ValueError(f"canonical signal {tuple(z.shape[2:])} does not fit views of {self.canonical}")
        out = z.new_empty(batch, self.count, channels, self.height, self.width)
        rows: Tensor | None = None
        for number in range(self.count):
            blocks = self.source.blocks(number)
            for block in blocks:
                out[(slice(None), number, slice(None), *block.pixels)] = z[(..., *block.cells)]
            if not blocks:
                rows = as_rows(z) if rows is None else rows
                seen = self.forward(number).apply(rows)
                out[:, number] = seen.T.reshape(batch, channels, self.height, self.width)
        return out.flatten(0, 1)

    def by_view(self, views: Tensor) -> tuple[int, int, Tensor]:
        """A view batch as (B, C, [B, N, C, h*w]), not copied unless it is of half precision."""
        batch = batch_of(tuple(views.shape), self.count, self.height, self.width)
        return batch, views.shape[1], wide(views).reshape(batch, self.count, views.shape[1], -1)

    def background_of(self, views: Tensor) -> Tensor:
        """The view batch with what shows the canonical signal set to 0."""
        if self.fully_covered:
            return torch.zeros_like(views)
        keep = ~self.covered.to(views.device)
        return views * keep.repeat(views.shape[0] // self.count, 1, 1)[:, None].to(views.dtype)


Views = ViewSet | WalkedViews


def wide(values: Tensor) -> Tensor:
    """Half precision as float32, in which it is summed; any other as it is."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def as_rows(z: Tensor) -> Tensor:
    """[B, C, *canonical] -> [K, B*C], as maps take it."""
    return wide(z).reshape(z.shape[0] * z.shape[1], -1).T.contiguous()


def spread(sums: Tensor, matrix: LinearMap, weights: Tensor, pixels: Tensor) -> None:
    """Add the transpose of a map [P, K] of other values ``weights`` [nnz], applied to pixels [R, P], to sums [R, K]."""
    cells, pixel = matrix.indices.long().to(sums.device), matrix.row_of_entry.to(sums.device)
    factor = weights.to(sums)
    for row, values in zip(sums, pixels, strict=True):
        add_at(row, cells, values[pixel] * factor)


def add_at(sums: Tensor, index: Tensor, values: Tensor) -> None:
    """sums[index] += values, places that occur twice included, in the same order on every run. All 1-D."""
    if sums.device.type == "cpu":
        sums.index_add_(0, index, values)
    else:
        # (sorted first on CUDA, where index_add_ adds in any order)
        sums.index_put_((index,), values, accumulate=True)


def _on_rows(matrix: LinearMap, rows: Tensor, count: int) -> LinearMap:
    """A map whose rows are some rows (int [n], rising) of one with ``count`` rows, the others empty."""
    counts = torch.zeros(count + 1, dtype=torch.int64)
    counts[rows + 1] = matrix.row_counts()
    return replace(matrix, offsets=counts.cumsum(0).to(torch.int32))
