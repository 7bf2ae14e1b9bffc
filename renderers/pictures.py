"""What more than one space does with pictures: filters, bilinear reading, blends of views, ranges of depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Past = Literal["mirrored", "repeated"]
"""What is taken for pixels past a picture's edges."""


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


def corners(row: Tensor, column: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The four cells around positions [...], upper left, upper right, lower left, lower right: their rows and columns
    (int64 [..., 4], which may lie outside of the picture) and bilinear weights (float32 [..., 4], summing to 1). A
    position of 0.5 is the first cell's centre."""
    y, x = row - 0.5, column - 0.5
    top, left = y.floor(), x.floor()
    down, right = (y - top).float(), (x - left).float()
    rows = top.long()[..., None] + torch.tensor([0, 0, 1, 1], device=row.device)
    columns = left.long()[..., None] + torch.tensor([0, 1, 0, 1], device=row.device)
    shares = [(d, r) for d in (1 - down, down) for r in (1 - right, right)]
    return rows, columns, torch.stack([d * r for d, r in shares], -1)


Range = Literal["joint", "per view"]
"""Near and far taken over all views together, so that a place is equally bright everywhere, or in each view."""


def spread(values: Tensor, known: Tensor, span: Range) -> Tensor:
    """Values [N, h, w] of N views -> the same brought to 0 (the least that is known) to 1 (the most): in every view, or
    in all of them together. known: bool [N, h, w]. Where nothing is known 0; where all that is known is equal 1."""
    out = torch.zeros_like(values)
    for group in [slice(None)] if span == "joint" else [slice(i, i + 1) for i in range(len(out))]:
        found = values[group][known[group]]
        if found.numel():
            low, high = found.min(), found.max()
            out[group] = (values[group] - low) / (high - low) if high > low else torch.ones_like(values[group])
    return torch.where(known, out, 0.0)


class TwoBands:
    """Means of views at ``count`` places: the coarse structure by one weight, and, with ``fine``, what is finer by
    another that lets the best view win (two-band blend: Brown and Lowe, "Automatic panoramic image stitching", 2007).

    weight: float32 [count], of the coarse structure so far; sums: float32 [count, channels], weighted.
    """

    def __init__(self, count: int, channels: int, fine: bool) -> None:
        self.weight, self.sums = torch.zeros(count), torch.zeros(count, channels)
        self._fine_weight = torch.zeros(count if fine else 0)
        self._fine = torch.zeros(count if fine else 0, channels)

    def add(self, at: Tensor, values: Tensor, weight: Tensor) -> None:
        """Coarse values [m, channels] and their weights [m], at different places int64 [m]."""
        self.weight[at] += weight
        self.sums[at] += weight[:, None] * values

    def add_fine(self, at: Tensor, values: Tensor, weight: Tensor) -> None:
        """What the coarse values leave out, in the same way; weights are at least 1e-30."""
        self._fine_weight[at] += weight
        self._fine[at] += weight[:, None] * values

    def mean(self) -> Tensor:
        """float32 [count, channels]; 0 where no view is."""
        seen = (self.weight > 0)[:, None]
        mean = torch.where(seen, self.sums / self.weight.clamp_min(1e-30)[:, None], 0.0)
        if len(self._fine_weight):
            mean += torch.where(seen, self._fine / self._fine_weight.clamp_min(1e-38)[:, None], 0.0)
        return mean


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


def covering(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """[B, C, H, W], scaled to cover ``size`` (width, height) pixels, and the middle of that."""
    (rows, columns), (width, height) = pictures.shape[-2:], size
    scale = max(width / columns, height / rows)
    large = (max(height, round(rows * scale)), max(width, round(columns * scale)))
    if large != (rows, columns):
        pictures = F.interpolate(pictures, size=large, mode="bilinear", antialias=True)
    top, left = (large[0] - height) // 2, (large[1] - width) // 2
    return pictures[..., top : top + height, left : left + width]


def scaled_to(picture: Tensor, longer: int) -> Tensor:
    """A picture [H, W, C], its longer side made ``longer`` pixels."""
    height, width = picture.shape[:2]
    scale = longer / max(height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return F.interpolate(picture.movedim(-1, 0)[None], size=size, mode="nearest")[0].movedim(0, -1)


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


@dataclass(frozen=True)
class Clip:
    """Views that are clips of a video model, whose latents have an axis of frames, each of which may join several
    frames of the video. latent, whole: latent frames of a view, and of the canvas. frames: of the video that a view
    decodes to."""

    latent: int = 1
    whole: int = 1
    frames: int = 1

    @property
    def is_video(self) -> bool:
        return self.whole > 1


IMAGE = Clip()


def flat(latent: Tensor) -> Tensor:
    """A latent of a video [B, C, T, h, w] -> its frames below each other [B, C, T*h, w]; other latents as they are."""
    return latent.flatten(2, 3) if latent.ndim > 4 else latent


def along_time(latent: Tensor, frames: int) -> Tensor:
    """The reverse of ``flat``: [B, C, T*h, w] -> [B, C, T, h, w]."""
    return latent.reshape(*latent.shape[:2], frames, -1, *latent.shape[3:])


def in_one(frames: Tensor, count: int) -> Tensor:
    """[B*T, C, (1,) h, w], T = ``count`` frames of a film after each other -> [B, C, (1,) T*h, w]."""
    if count == 1:
        return frames
    batch = frames.reshape(-1, count, *frames.shape[1:])
    return batch.movedim(1, -3).flatten(-3, -2).contiguous()


def in_frames(picture: Tensor, count: int) -> Tensor:
    """The reverse of ``in_one``."""
    if count == 1:
        return picture
    split = picture.reshape(*picture.shape[:-2], count, -1, picture.shape[-1])
    return split.movedim(-3, 1).flatten(0, 1).contiguous()
