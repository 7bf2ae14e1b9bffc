"""Where a view's pixels belong to one surface, and smoothing that stays on it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...arrays import tensor_of
from ...by_scipy import depth_within

# Neighbouring pixels whose depths differ by more than this part lie on different surfaces.
_STEP = 0.03
# Part of a difference that flows between neighbours at a time: below a quarter nothing overshoots.
_FLOW = 0.2


@dataclass(frozen=True)
class Links:
    """Which neighbours hang together: right bool [h, w - 1], of a pixel and the next; down bool [h - 1, w]."""

    right: Tensor
    down: Tensor

    @staticmethod
    def of(depths: Tensor) -> Links:
        """From depths [h, w], inf at the background: both see the object, at nearly the same depth."""
        near = torch.where(torch.isinf(depths), 0.0, 1 / depths)

        def same(one: Tensor, two: Tensor) -> Tensor:
            return (one > 0) & (two > 0) & ((one - two).abs() <= _STEP * torch.maximum(one, two))

        return Links(same(near[:, 1:], near[:, :-1]), same(near[1:], near[:-1]))

    def twice(self, stride: int) -> Links:
        """Links of pixels 2 * stride apart, from those of pixels ``stride`` apart: both halves must hold."""
        return Links(self.right[:, stride:] & self.right[:, :-stride], self.down[stride:] & self.down[:-stride])


def from_edge(links: Links) -> Tensor:
    """float32 [h, w]: pixels from the nearest pixel beside an outline, a step in depth, or the frame; 0 on it."""
    height, width = links.right.shape[0], links.down.shape[1]
    inner = torch.zeros(height + 2, width + 2, dtype=torch.bool)
    whole = torch.ones(height, width, dtype=torch.bool)
    whole[:, :-1] &= links.right
    whole[:, 1:] &= links.right
    whole[:-1] &= links.down
    whole[1:] &= links.down
    inner[1:-1, 1:-1] = whole
    return tensor_of(depth_within(inner.numpy()))[1:-1, 1:-1].float()


def smoothed(image: Tensor, links: Links, size: float) -> Tensor:
    """An image [h, w, C] as after diffusing for a bell with a standard deviation of ``size`` pixels, along the links
    only: no colour crosses an outline. Constant surfaces keep every bit.

    Steps grow: pixels 1, 2, 4, ... apart exchange, as long as the bell is wide against the step.
    """
    out, missing, stride = image.clone(), size * size, 1
    while missing > 0:
        each = 2 * _FLOW * stride * stride
        last = 4 * stride > size or 2 * stride >= min(image.shape[:2])
        rounds = max(1, round(missing / each)) if last else min(4, max(1, round(missing / each)))
        for _ in range(rounds):
            _exchange(out, links, stride)
        missing = 0.0 if last else missing - rounds * each
        if not last:
            links, stride = links.twice(stride), 2 * stride
    return out


def _exchange(image: Tensor, links: Links, stride: int) -> None:
    """One round, in place."""
    if stride < image.shape[1]:
        right = (image[:, stride:] - image[:, :-stride]) * (links.right[..., None] * _FLOW)
    else:
        right = None
    if stride < image.shape[0]:
        down = (image[stride:] - image[:-stride]) * (links.down[..., None] * _FLOW)
        image[:-stride] += down
        image[stride:] -= down
    if right is not None:
        image[:, :-stride] += right
        image[:, stride:] -= right
