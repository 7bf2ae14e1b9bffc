"""Readings from far away: blurred, or in coarse blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ....sync_core.linear_map import LinearMap
from ....sync_core.variance import gaussian
from ...pictures import filtered
from ..warp import Label, Warp

MOST_ENTRIES = 200_000_000
"""Of a map that is built: about 2 GiB of main memory."""


def smoothed(picture: Tensor, sigma: float) -> Tensor:
    """[B, C, H, W] blurred by a Gaussian of ``sigma`` sixty-fourths of the shorter side; 0 leaves it."""
    kernel = gaussian(sigma * min(picture.shape[-2:]) / 64)
    return filtered(filtered(picture, kernel[:, None]), kernel[None])


def line_map(length: int, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """(cells int64, weights) [length, taps] of a kernel along a line; past an end the line is mirrored."""
    reach = len(kernel) // 2
    index = torch.arange(length)[:, None] + torch.arange(-reach, reach + 1)
    index = index % (2 * length)
    return torch.where(index < length, index, 2 * length - 1 - index), kernel.expand(length, -1)


def separable_map(rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor], width: int) -> LinearMap:
    """The map of an image filter made of one along columns and one along rows (as ``line_map`` gives them)."""
    (y, down), (x, right) = rows, columns
    size, taps = len(y) * len(x), y.shape[1] * x.shape[1]
    index = (y[:, None, :, None] * width + x[None, :, None, :]).reshape(-1)
    weight = (down[:, None, :, None] * right[None, :, None, :]).reshape(-1)
    offsets = torch.arange(size + 1, dtype=torch.int32) * taps
    return LinearMap(offsets, index.to(torch.int32), weight.float(), size)


@dataclass(frozen=True)
class Blur(Warp):
    """Blurred by a Gaussian of ``sigma`` sixty-fourths of the shorter side: the picture seen from far away.

    Its map has (6 sigma)^2 entries for each pixel, sigma in pixels: meant for small pictures and latents. To make
    hybrid pictures use low_band and high_band, which need no map.
    """

    sigma: float = 1.0

    name = "blur"

    def __post_init__(self) -> None:
        if not 0 < self.sigma <= 16:
            raise ValueError(f"sigma {self.sigma:g}: use more than 0, up to 16 sixty-fourths of the picture")

    def map(self, height: int, width: int) -> LinearMap:
        kernel = gaussian(self.sigma * min(height, width) / 64)
        entries = len(kernel) ** 2 * height * width
        if entries > MOST_ENTRIES:
            raise ValueError(
                f"blur of sigma {self.sigma:g} at {width} x {height} needs a map of {entries / 1e6:.0f} million "
                "entries; use near and far (low_band and high_band), which need none, or a smaller sigma or picture"
            )
        return separable_map(line_map(height, kernel), line_map(width, kernel), width)

    def view(self, picture: Tensor) -> Tensor:
        """Without the map, which would be large."""
        return smoothed(picture.reshape(1, -1, *picture.shape[-2:]), self.sigma).reshape(picture.shape)

    def frame(self, picture: Tensor, t: float) -> Tensor:
        return smoothed(picture[None], self.sigma * t)[0]


@dataclass(frozen=True)
class Scale(Warp):
    """Blocks of ``factor`` x ``factor`` cells replaced by their mean (n-to-1): the picture as a thumbnail shows it."""

    factor: int = 8

    name = "scale"

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ValueError(f"factor {self.factor}: use 1 or more, e.g. 8")

    def label(self, height: int, width: int) -> Label:
        return "permutation" if self.factor == 1 else "not invertible"

    def problem(self, height: int, width: int) -> tuple[str, int, int] | None:
        if height % self.factor or width % self.factor:
            near = [max(1, round(size / self.factor)) * self.factor for size in (height, width)]
            return f"multiples of {self.factor} cells", near[0], near[1]
        return None

    def map(self, height: int, width: int) -> LinearMap:
        def line(length: int) -> tuple[Tensor, Tensor]:
            start = torch.arange(length) // self.factor * self.factor
            index = start[:, None] + torch.arange(self.factor)
            return index, torch.full_like(index, 1, dtype=torch.float64) / self.factor

        return separable_map(line(height), line(width), width)
