"""Filters of pictures that more than one space uses."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Past = Literal["mirrored", "repeated"]
"""What is taken for pixels past a picture's edges."""


def gaussian(sigma: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """[2 r + 1]: samples of a Gaussian of ``sigma`` pixels out to 3 sigma, summing to 1. sigma 0: one 1."""
    reach = math.ceil(3 * sigma)
    steps = torch.arange(-reach, reach + 1, dtype=dtype)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2) if sigma > 0 else torch.ones(1, dtype=dtype)
    return weights / weights.sum()


def filtered(picture: Tensor, kernel: Tensor, past: Past = "mirrored") -> Tensor:
    """A picture [B, C, H, W] filtered by a kernel [k, l] of odd sides."""
    for axis, reach in ((-2, kernel.shape[0] // 2), (-1, kernel.shape[1] // 2)):
        length = picture.shape[axis]
        index = torch.arange(-reach, length + reach, device=picture.device)
        if past == "mirrored":
            index = index % (2 * length)
            index = torch.where(index < length, index, 2 * length - 1 - index)
        picture = picture.index_select(axis, index.clamp(0, length - 1))
    channels = picture.shape[1]
    weight = kernel.to(picture).expand(channels, 1, *kernel.shape)
    return F.conv2d(picture, weight, groups=channels)
