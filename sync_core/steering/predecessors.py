"""SyncSDE: every view leans on the one before it ("A Probabilistic Framework for Diffusion Synchronization", 2025).

Published: after a plain step from (a, s) to (a', s') (how much picture, how much noise) the state of view i moves by
-(a'/a - s'/s) kappa (1 - M) (x_i - map(x_(i-1))), kappa = (1/lambda) (t/T), M = 1 where view i shows nothing that view
i - 1 sees. With the clean estimate of x/a

    D'_i = D_i - kappa m_i (x_i - P_i x_(i-1)),   m = 1 - M,

that is the plain step itself, so any sampler takes it. P: the picture that one view alone makes on the canvas, seen by
the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..aggregate import Aggregator
from ..linear_map import LinearMap
from ..variance import seen_by_views
from ..walked import Views, as_rows, wide
from ..walked_mean import Averager, WalkedAggregator, average_of


def predecessors(views: Views) -> list[int]:
    """For each view the one before it: of those earlier in the rig the one that shares most cells with it, the latest
    among equals; -1 where it shares none. In a row of windows the neighbour before, in later rows the one above."""
    shared = views.to("cpu").shared_cells()
    result: list[int] = []
    for number, row in enumerate(shared):
        most = max((int(row[earlier]) for earlier in range(number)), default=0)
        result.append(max((e for e in range(number) if int(row[e]) == most > 0), default=-1))
    return result


def reached(kappa: float, ratio: float) -> float:
    """kappa for a step to ``ratio`` of its noise level, held where a plain step would carry a view past the one it
    leans on, and further at the next: r / (1 - r), or 1 in long steps. Published runs (50 steps) come to 0.6 of it."""
    return min(kappa, max(1.0, ratio / max(1.0 - ratio, 1e-9)))


@dataclass(frozen=True)
class Predecessors:
    """P and m of one view set."""

    mean: Averager

    @cached_property
    def before(self) -> list[int]:
        return predecessors(self.mean.views)

    @cached_property
    def _maps(self) -> tuple[LinearMap, LinearMap, Tensor]:
        """(pixels -> what each view says of its cells, that -> what the views after it are shown of it, m [N*h*w])."""
        assert isinstance(self.mean, Aggregator)
        own = Aggregator(self.mean.views.to("cpu"))
        views, seen, pixels = own.views, seen_by_views(own), own.views.height * own.views.width
        # (rows are never empty, and sorted by view and cell)
        said_by = seen.read.indices[seen.read.offsets[:-1].long()].long() // pixels
        key = said_by * views.cells + seen.cell
        row, weight = views.forward.row_of_entry, views.forward.weights
        before = torch.tensor(self.before)[views.view_of_entry]
        wanted = before * views.cells + views.forward.indices.long()
        place = torch.searchsorted(key, wanted).clamp_max(max(key.numel() - 1, 0))
        known = (key[place] == wanted) & (before >= 0)
        found = _sums(row[known], weight[known].abs(), views.forward.rows)
        whole = _sums(row, weight.abs(), views.forward.rows)
        if views.composite is not None:
            whole = torch.ones_like(whole)
        show = LinearMap.from_entries(
            views.forward.rows, key.numel(), row[known], place[known], weight[known] / found[row[known]]
        )
        device = self.mean.views.device
        return seen.read.to(device), show.to(device), (found / whole.clamp_min(1e-12)).clamp_max(1.0).to(device)

    def __call__(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Views [B*N, C, h, w] -> (P: what the view before each shows of it, 0 where that is nothing; m [B*N, 1, h, w]:
        how much of each pixel it shows, 0 to 1)."""
        if isinstance(self.mean, WalkedAggregator):
            return self._walked(self.mean, batch)
        views = self.mean.views
        read, show, share = self._maps
        count, channels, pixels = views.as_pixels(batch)
        if views.composite is not None:
            pixels = views.composite.front(pixels)
        shown = views.views_from_pixels(show.apply(read.apply(pixels)), count, channels)
        share = share.to(batch).reshape(views.count, 1, views.height, views.width)
        return shown, share.repeat(count, 1, 1, 1)

    def _walked(self, mean: WalkedAggregator, batch: Tensor) -> tuple[Tensor, Tensor]:
        views = mean.views
        count, channels, own = views.by_view(batch)
        shown = own.new_zeros(count, views.count, channels, own.shape[-1])
        share = own.new_zeros(count, views.count, 1, own.shape[-1])
        for number, before in enumerate(self.before):
            if before < 0:
                continue
            alone = average_of(views.only((before,)))
            cells = torch.cat([as_rows(alone(wide(batch))), alone.seen.to(own)[:, None]], 1)
            forward = views.forward(number)
            part = forward.apply(torch.cat([cells[:, :-1] * cells[:, -1:], cells[:, -1:]], 1)).T
            found = forward.with_weights(forward.weights.abs()).apply(cells[:, -1:]).T
            shown[:, number] = (part[:-1] / found.clamp_min(1e-12)).reshape(count, channels, -1)
            share[:, number] = found.clamp_max(1.0)
        shape = (views.height, views.width)
        return shown.reshape(-1, channels, *shape).to(batch.dtype), share.reshape(-1, 1, *shape).to(batch.dtype)


def _sums(place: Tensor, values: Tensor, count: int) -> Tensor:
    return torch.zeros(count, dtype=values.dtype).index_add_(0, place, values)
