"""Filters of pictures that more than one space uses."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def gaussian(sigma: float) -> Tensor:
    """float64 [2 r + 1]: samples of a Gaussian of ``sigma`` pixels out to 3 sigma, summing to 1. sigma 0: one 1."""
    reach = math.ceil(3 * sigma)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2) if sigma > 0 else torch.ones(1, dtype=torch.float64)
    return weights / weights.sum()


def filtered(picture: Tensor, kernel: Tensor) -> Tensor:
    """A picture [B, C, H, W] filtered by a kernel [k, l] of odd sides, mirrored past its edges."""
    for axis, reach in ((-2, kernel.shape[0] // 2), (-1, kernel.shape[1] // 2)):
        length = picture.shape[axis]
        index = torch.arange(-reach, length + reach, device=picture.device) % (2 * length)
        picture = picture.index_select(axis, torch.where(index < length, index, 2 * length - 1 - index))
    channels = picture.shape[1]
    weight = kernel.to(picture).expand(channels, 1, *kernel.shape)
    return F.conv2d(picture, weight, groups=channels)


# How much a picture's proportions may differ from the space's: those of sizes rounded to a model's cell do.
_SLACK = 0.03


def on_canvas(pictures: Tensor, size: tuple[int, int], what: str = "picture") -> Tensor:
    """[B, C, H, W], scaled to ``size`` (width, height) pixels where it is of another.

    Raises ValueError for other proportions; it calls the pictures ``what``.
    """
    rows, columns = pictures.shape[-2:]
    width, height = size
    if (rows, columns) == (height, width):
        return pictures
    if abs(columns * height / (rows * width) - 1) > _SLACK:
        raise ValueError(
            f"a {what} of {columns} x {rows} does not show a canvas of {width} x {height}; crop or scale it to these "
            "proportions"
        )
    return F.interpolate(pictures, size=(height, width), mode="bilinear", antialias=True)


def contact_sheet(images: Tensor) -> Tensor:
    """N images [N, C, (1,) h, w] side by side in a square grid, the last places empty: [1, C, (1,) H, W]."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    height, width = images.shape[-2:]
    sheet = images.new_zeros(1, *images.shape[1:-2], rows * height, columns * width)
    for i, image in enumerate(images):
        top, left = i // columns * height, i % columns * width
        sheet[0, ..., top : top + height, left : left + width] = image
    return sheet
