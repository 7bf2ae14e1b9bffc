"""Averages in which views do not count as the rig says, for views that want different pictures (readings):

alternate: at step k view k % N alone is what all views get (Geng, Park, Owens, "Visual Anagrams", CVPR 2024, reduction
"alternate"); where it sees nothing, the mean.

balanced: a view counts the more the farther it is from the plain mean, weights w_i |D_i - mean|. Where views are of two
opinions the average is then as far from the one as from the other, however many views hold each and whatever the rig
says they weigh: n views at distance m d / (n + m) and m at n d / (n + m) pull alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from ..aggregate import Aggregator
from ..walked_mean import Averager, average_of

Reduction = Literal["alternate", "balanced"]
REDUCTIONS: tuple[Reduction, ...] = ("alternate", "balanced")

# Of the largest weight: a view that is the mean itself still fills what nobody else sees.
LEAST = 1e-4


class Reduce(Protocol):
    """Views [B*N, C, h, w] -> [B, C, *canonical], in place of a plain mean."""

    def __call__(self, batch: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Alternate:
    """mean: of all views. turn: the view that counts."""

    mean: Averager
    turn: int

    def __call__(self, batch: Tensor) -> Tensor:
        views = self.mean.views
        alone = average_of(views.only((self.turn % views.count,)))
        return torch.where(alone.seen.reshape(views.canonical), alone(batch), self.mean(batch))


@dataclass(frozen=True)
class Balanced:
    """mean: of all views, as the rig weighs them."""

    mean: Averager

    def weights(self, batch: Tensor) -> Tensor:
        """float [B, N], the largest 1: how far each view of a batch is from the mean, over the pixels that count."""
        views = self.mean.views
        agreed = views.project(self.mean(batch))
        if not views.fully_covered:
            agreed = agreed + views.background_of(batch)
        counts = views.weight_pictures.to(batch)
        squares = (batch - agreed).pow(2).mean(1, keepdim=True).reshape(-1, *counts.shape)
        total = counts.flatten(1).sum(1).clamp_min(torch.finfo(batch.dtype).tiny)
        distance = ((squares * counts).flatten(2).sum(2) / total).sqrt()
        most = distance.amax(1, keepdim=True)
        return torch.where(most > 0, distance / most.clamp_min(1e-30), torch.ones_like(distance)).clamp_min(LEAST)

    def __call__(self, batch: Tensor) -> Tensor:
        own = self.weights(batch).reshape(-1, 1, 1, 1)
        return self.mean(batch * own) / self._counted(own.expand(-1, 1, *batch.shape[-2:])).clamp_min(LEAST / 2)

    def _counted(self, own: Tensor) -> Tensor:
        """[B, 1, *canonical]: the mean of the weights, whatever sign a map reads a view with."""
        if not isinstance(self.mean, Aggregator):
            return self.mean(own)
        count, channels, pixels = self.mean.views.as_pixels(own)
        mean = self.mean.mean
        return self.mean.views.as_canonical(mean.with_weights(mean.weights.abs()).apply(pixels), count, channels)


def reduction_of(mean: Averager, wish: Reduction, step: int) -> Reduce:
    """What averages views at a step of a run, counted from 0."""
    return Alternate(mean, step) if wish == "alternate" else Balanced(mean)
