"""A o g over views that are walked (walked.py): the averages of aggregate.py, view by view.

What a pixel counts for at a cell is worked out again for every view: (f_pk / h_ik) w_p over its sum, as in
``aggregate.mean_map``. Only that sum is kept, one number for each cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .aggregate import METHODS, Aggregator, HitShares, Method
from .conjugate import conjugate_gradients
from .linear_map import LinearMap
from .view_source import Block, Reading
from .views import ViewSet
from .walked import Views, WalkedViews, add_at, as_rows, spread


@dataclass(frozen=True)
class WalkedAggregator:
    """Averages view batches of walked views; fields and results are those of ``Aggregator``."""

    views: WalkedViews
    method: Method = "mean"
    iterations: int | None = None
    tolerance: float = 1e-6
    ridge: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"aggregation '{self.method}' is unknown; use one of {', '.join(METHODS)}")

    @cached_property
    def total(self) -> Tensor:
        """float32 [K]: the summed weight of all pixels that count at a cell."""
        total = torch.zeros(self.views.cells, dtype=exact_type(self.views.device), device=self.views.device)
        for number in self.counting:
            self.add_weights(total, number)
        return total.float()

    @cached_property
    def best(self) -> Tensor:
        """float32 [K]: of the view that counts most there."""
        best = torch.zeros(self.views.cells, dtype=exact_type(self.views.device), device=self.views.device)
        for number in self.counting:
            own = torch.zeros_like(best)
            self.add_weights(own, number)
            best = torch.maximum(best, own)
        return best.float()

    def add_weights(self, total: Tensor, number: int) -> None:
        """Add what the pixels of a view count for at each cell to float64 [K]."""
        views, blocks = self.views, self.views.source.blocks(number)
        weights, cells = views.weights(number).reshape(views.height, views.width), total.reshape(views.canonical)
        for block in blocks:
            cells[block.cells] += weights[block.pixels]
        if blocks:
            return
        forward, reading = self.shares(number)
        add_at(total, forward.indices.long(), forward.weights.to(total))
        if reading is not None:
            add_at(total, reading.cells, _row_sums(reading.pixels).to(total))

    def weight_of(self, number: int, cells: Tensor) -> Tensor:
        """float64 [k]: what a view counts for at all the cells that it sees, int64 [k]."""
        self.add_weights(self._empty, number)
        weight = self._empty[cells]
        self._empty[cells] = 0
        return weight

    @cached_property
    def seen(self) -> Tensor:
        """bool [K]: cells that some pixel of non-zero weight sees; the others are holes."""
        return self.total > 0

    @cached_property
    def diagonal(self) -> Tensor:
        """float [K, 1]: the diagonal of F^T W F."""
        views = self.views
        diagonal = torch.zeros(1, views.cells, device=views.device)
        for number in self.counting:
            forward = views.forward(number)
            spread(diagonal, forward, forward.weights**2, views.weights(number)[None])
        return diagonal.T

    @property
    def counting(self) -> tuple[int, ...]:
        """Numbers of the views that count."""
        counting = self.views.counting
        return tuple(range(self.views.count)) if counting is None else counting

    def shares(self, number: int) -> tuple[LinearMap, Reading | None]:
        """(f_pk / h_ik) w_p of a view, as values of what its pixels read and of what cells read in it."""
        views = self.views
        forward, reading, weights = views.forward(number), views.gather(number), views.weights(number)
        pixel = forward.row_of_entry
        if views.source.one_to_one:
            return forward.with_weights(forward.weights * weights[pixel]), reading
        hits, cell = self._empty, forward.indices.long()
        add_at(hits, cell, forward.weights.to(hits))
        if reading is not None:
            add_at(hits, reading.cells, _row_sums(reading.pixels).to(hits))
        of_pixels, of_cells = hits[cell], None if reading is None else hits[reading.cells]
        hits[cell] = 0
        smallest = torch.finfo(hits.dtype).tiny
        share = forward.weights / of_pixels.clamp_min(smallest) * weights[pixel]
        forward = forward.with_weights(share.to(forward.weights.dtype))
        if reading is None or of_cells is None:
            return forward, None
        hits[reading.cells] = 0
        pixels = reading.pixels
        share = pixels.weights / of_cells.clamp_min(smallest)[pixels.row_of_entry]
        share = share * weights[pixels.indices.long()]
        return forward, Reading(reading.cells, pixels.with_weights(share.to(pixels.weights.dtype)))

    @cached_property
    def _empty(self) -> Tensor:
        """Zeros [K] in which a view's sums are made; whoever uses them leaves them 0. Zeros of its own for each view
        would cost all of the cells as often as there are views."""
        # (the next to change them may not be in inference mode)
        with torch.inference_mode(False):
            return torch.zeros(self.views.cells, dtype=exact_type(self.views.device), device=self.views.device)

    def __call__(self, batch: Tensor, start: Tensor | None = None) -> Tensor:
        """[B*N, C, h, w] -> [B, C, *canonical]; holes are 0. ``start``: a canonical signal to start CG from."""
        count, channels, pixels = self.views.by_view(batch)
        mean = self.begin(count * channels, pixels)
        for number in self.counting:
            mean.add(number, pixels[:, number].reshape(count * channels, -1))
        cells = mean.result(None if start is None else as_rows(start).T)
        return cells.reshape(count, channels, *self.views.canonical).to(batch.dtype)

    def begin(self, rows: int, like: Tensor) -> RunningMean:
        """An average of ``rows`` signals (pictures times channels), to which views are added one by one."""
        sums = torch.zeros(rows, self.views.cells, dtype=like.dtype, device=like.device)
        return RunningMean(self, sums, torch.zeros_like(sums) if self.method == "least_squares" else None)

    def solved(self, target: Tensor, mean: Tensor, start: Tensor | None) -> Tensor:
        """CG on (F^T W F + ridge) z = F^T W v + ridge * mean, as ``Aggregator`` does: [R, K] each, target F^T W v."""
        views = self.views
        ridge = 1e-6 if self.ridge is None else self.ridge
        diagonal = self.diagonal.to(target.dtype)
        floor = ridge * diagonal.mean().clamp_min(torch.finfo(target.dtype).tiny)

        def normal(z: Tensor) -> Tensor:
            sums = torch.zeros_like(target)
            for number in self.counting:
                forward = views.forward(number)
                shown = forward.apply(z).T * views.weights(number).to(z)
                spread(sums, forward, forward.weights, shown)
            return sums.T.contiguous() + floor * z

        rows = mean.T.contiguous()
        first = rows if start is None else start.T.contiguous()
        iterations = 30 if self.iterations is None else self.iterations
        right = target.T.contiguous() + floor * rows
        return conjugate_gradients(normal, right, diagonal + floor, first, iterations, self.tolerance).T


@dataclass(frozen=True)
class RunningMean:
    """An average in the making. ``sums`` [R, K]: weighted sums so far; ``target``: F^T W v so far, of least squares."""

    aggregator: WalkedAggregator
    sums: Tensor
    target: Tensor | None

    def add(self, number: int, pixels: Tensor, first: int = 0) -> None:
        """View ``number`` of the signals ``first``, ``first + 1``, ...: [n, h*w], each view of each signal once."""
        aggregator, views = self.aggregator, self.aggregator.views
        if not views.counts(number):
            return
        # (where nothing counts, the total is 0 and so are the shares)
        total, smallest = aggregator.total, torch.finfo(torch.float32).tiny
        sums = self.sums[first : first + len(pixels)]
        if blocks := views.source.blocks(number):
            self._add_blocks(blocks, number, sums, pixels)
        else:
            forward, reading = aggregator.shares(number)
            spread(sums, forward, forward.weights / total[forward.indices.long()].clamp_min(smallest), pixels)
            if reading is not None:
                read = reading.pixels
                share = read.weights / total[reading.cells].clamp_min(smallest)[read.row_of_entry]
                for row, more in zip(sums, read.with_weights(share).apply(pixels.T.contiguous()).T, strict=True):
                    add_at(row, reading.cells, more)
        if self.target is not None:
            plain = views.forward(number)
            weighted = pixels * views.weights(number).to(pixels)
            spread(self.target[first : first + len(pixels)], plain, plain.weights, weighted)

    def _add_blocks(self, blocks: tuple[Block, ...], number: int, sums: Tensor, pixels: Tensor) -> None:
        """The same for a view that is rectangles of the canonical picture."""
        views, size = self.aggregator.views, (self.aggregator.views.height, self.aggregator.views.width)
        weights, total = views.weights(number).reshape(size), self.aggregator.total.reshape(views.canonical)
        rows, values = sums.reshape(-1, *views.canonical), pixels.reshape(-1, *size)
        for block in blocks:
            share = weights[block.pixels] / total[block.cells].clamp_min(torch.finfo(torch.float32).tiny)
            rows[(slice(None), *block.cells)] += values[(slice(None), *block.pixels)] * share.to(sums)

    def result(self, start: Tensor | None = None) -> Tensor:
        """The average [R, K] of what was added. ``start``: [R, K] to start CG from."""
        if self.target is None:
            return self.sums
        return self.aggregator.solved(self.target, self.sums, start)


Averager = Aggregator | WalkedAggregator


def average_of(views: Views, method: Method = "mean", shares: HitShares | None = None) -> Averager:
    """How views are averaged by a method. ``shares``: of the same stored views, when they are at hand."""
    if isinstance(views, ViewSet):
        return Aggregator(views, method, shares=shares)
    return WalkedAggregator(views, method)


def exact_type(device: torch.device) -> torch.dtype:
    """What weights are summed in: float64, where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def _row_sums(matrix: LinearMap) -> Tensor:
    """float [rows]: the sum of each row."""
    return matrix.apply(torch.ones(matrix.cols, 1, dtype=matrix.weights.dtype, device=matrix.weights.device))[:, 0]
