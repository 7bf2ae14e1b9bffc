"""Several canonical pictures blended into one (n-to-1), and their closed-form inverse.

View i sees P_i sum_k b_ik z_k, with P_i its warp. The planes of least norm that explain the views come in closed form
where one blend b serves all views: z_k = b_k / |b|^2 times the picture the views agree on. Where every view has a blend
of its own but all have the same warp they are the pseudo-inverse of the blends. Otherwise a few conjugate-gradient
steps find them; the published ten steps of Adam only come near.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from ...sync_core.aggregate import Aggregator
from ...sync_core.conjugate import conjugate_gradients
from ...sync_core.linear_map import LinearMap
from ...sync_core.views import Combine, ViewSet
from ..arrays import unflatten
from .warp import Warp


def with_planes(flat: ViewSet, blends: Tensor, combine: Combine) -> ViewSet:
    """The views of one picture as views of n pictures below each other; ``blends`` [N, n]."""
    planes = blends.shape[1]
    rows = flat.forward.row_of_entry
    factor = blends[rows // (flat.height * flat.width)]  # [nnz, n]
    plane = torch.arange(planes).expand(len(rows), planes)
    column = flat.forward.indices.long()[:, None] + plane * flat.cells
    weight = flat.forward.weights[:, None] * factor.to(flat.forward.weights.dtype)
    keep = weight != 0
    forward = LinearMap.from_entries(
        flat.forward.rows, planes * flat.cells, rows[:, None].expand_as(column)[keep], column[keep], weight[keep]
    )
    canonical = (planes * flat.canonical[0], *flat.canonical[1:])
    return ViewSet(forward, canonical, flat.height, flat.width, flat.weights, None, combine)


def plane_solver(flat: ViewSet, blends: Tensor, warps: tuple[Warp, ...]) -> Combine:
    """A for blended planes, closed where it can be."""
    if bool((blends == blends[0]).all()):
        return SharedBlend(Aggregator(flat), blends[0])
    if len(set(warps)) == 1 and bool((flat.weights == flat.weights[0]).all()):
        one = replace(
            flat,
            forward=warps[0].map(flat.height, flat.width),
            weights=flat.weights[: flat.height * flat.width],
            gather=warps[0].gather(flat.height, flat.width),
        )
        inverse = cast(Tensor, torch.linalg.pinv(blends))  # pyright: ignore[reportUnknownMemberType]
        return SharedWarp(Aggregator(one), inverse)
    bare = with_planes(flat, blends, SharedBlend(Aggregator(flat), blends[0]))
    return LeastNorm(replace(bare, combine=None))


@dataclass(frozen=True)
class SharedBlend:
    """All views see the same blend ``weights`` [n]: the weighted mean of the views, dealt out to the planes."""

    flat: Aggregator
    weights: Tensor

    def __call__(self, batch: Tensor) -> Tensor:
        picture = self.flat(batch)
        share = (self.weights / self.weights.square().sum()).to(picture)
        return (picture[:, :, None] * share.reshape(-1, 1, 1)).flatten(2, 3)

    def to(self, device: torch.device | str) -> SharedBlend:
        return SharedBlend(replace(self.flat, views=self.flat.views.to(device)), self.weights)


@dataclass(frozen=True)
class SharedWarp:
    """All views see the same warp: unwarp each, then the pseudo-inverse ``deal`` [n, N] of their blends."""

    one: Aggregator
    deal: Tensor

    def __call__(self, batch: Tensor) -> Tensor:
        pictures = unflatten(self.one(batch), 0, (-1, self.deal.shape[1]))
        return torch.einsum("kn,bnchw->bckhw", self.deal.to(pictures), pictures).flatten(2, 3)

    def to(self, device: torch.device | str) -> SharedWarp:
        return SharedWarp(replace(self.one, views=self.one.views.to(device)), self.deal)


@dataclass(frozen=True)
class LeastNorm:
    """The planes of least norm that explain the views best: conjugate gradients on F^T W F z = F^T W v, from 0."""

    views: ViewSet
    iterations: int = 200
    tolerance: float = 1e-6

    def __call__(self, batch: Tensor) -> Tensor:
        own = self.views
        count, channels, pixels = own.as_pixels(batch)
        weight = own.weights.to(pixels.dtype)[:, None]
        target = own.backward.apply(weight * pixels)

        def normal(z: Tensor) -> Tensor:
            return own.backward.apply(weight * own.forward.apply(z))

        # From 0, and without a preconditioner: what no view sees stays out of the planes.
        zero, even = torch.zeros_like(target), torch.ones_like(target[:, :1])
        z = conjugate_gradients(normal, target, even, zero, self.iterations, self.tolerance)
        return own.as_canonical(z, count, channels)

    def to(self, device: torch.device | str) -> LeastNorm:
        return replace(self, views=self.views.to(device))
