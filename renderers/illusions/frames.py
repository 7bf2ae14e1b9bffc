"""Pictures of a transformation while it happens."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

GREY = 0.5


def frames_between(ends: tuple[Tensor, Tensor], at: Callable[[float], Tensor], count: int) -> Tensor:
    """[count, C, H, W]: the two ends exactly, and ``at(t)`` between them, slow at both ends.

    Raises ValueError below 2 frames.
    """
    if count < 2:
        raise ValueError(f"{count} frames show no transformation; use at least 2")
    inner = [at((1 - math.cos(math.pi * i / (count - 1))) / 2).clamp(0, 1) for i in range(1, count - 1)]
    return torch.stack([ends[0], *inner, ends[1]])


def splat(picture: Tensor, row: Tensor, column: Tensor, front: Tensor | None = None) -> Tensor:
    """Draw the cells of a picture [C, H, W] at other positions (row, column) [H * W], over grey.

    Every cell is a spot of two pixels' width, so that a turned or squeezed picture has no holes. ``front`` [H * W],
    0..1: where cells meet, the higher hides the lower.
    """
    channels, height, width = picture.shape
    y, x = row.to(picture.device) - 0.5, column.to(picture.device) - 0.5
    depth = torch.ones_like(y) if front is None else torch.exp(12 * front.to(y))
    top, left = y.floor(), x.floor()
    total = torch.zeros(channels, height * width, dtype=torch.float64, device=picture.device)
    weight = torch.zeros(height * width, dtype=torch.float64, device=picture.device)
    cover = torch.zeros_like(weight)
    values = picture.reshape(channels, -1).double()
    for down in (0, 1):
        for right in (0, 1):
            r, c = (top + down).long(), (left + right).long()
            share = (1 - (y - r).abs()) * (1 - (x - c).abs())
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width) & (share > 0)
            index, part = (r * width + c)[inside], share[inside]
            cover.index_add_(0, index, part)
            part = part * depth[inside]
            weight.index_add_(0, index, part)
            total.index_add_(1, index, values[:, inside] * part)
    mean = total / weight.clamp_min(1e-12)
    # A spot never covers a pixel more than once; where spots thin out the grey shows through.
    alpha = (cover * 1.25).clamp(0, 1)
    return (alpha * mean + (1 - alpha) * GREY).reshape(picture.shape).to(picture.dtype)
