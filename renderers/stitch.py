"""Join window images into one picture and cut a picture into windows, without a map of all pixels of all windows.

Joining goes one window at a time: memory is that of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from .plane import Placement, Taper, taper_weights


def stitch_windows(placement: Placement, taper: Taper, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The weighted mean of window images [h, w, C], given in reading order -> (picture [H, W, C], weight [H, W]).

    The same weighted mean as aggregating over the windows as a ViewSet, without building its map.
    Raises ValueError when an image is not of the windows' size or their number is not the placement's.
    """
    rows, columns = placement.grid
    height, width = placement.height, placement.width
    mask = taper_weights(height, taper)[:, None] * taper_weights(width, taper)
    corners = [(top, left) for top in placement.rows for left in placement.columns]
    weight = torch.zeros(rows, columns)
    total: Tensor | None = None
    count = 0
    for image in images:
        if count == len(corners) or tuple(image.shape[:2]) != (height, width):
            raise ValueError(
                f"image {count + 1} of {image.shape[1]} x {image.shape[0]} does not fit "
                f"{len(corners)} windows of {width} x {height}; connect the decoded views of this rig"
            )
        if total is None:
            total = torch.zeros(rows, columns, image.shape[2])
        top, left = corners[count]
        y = (top + torch.arange(height)) % rows
        x = (left + torch.arange(width)) % columns
        part = image.to("cpu", torch.float32)
        total[y[:, None], x] += part * mask[..., None]
        weight[y[:, None], x] += mask
        count += 1
    if total is None or count < len(corners):
        raise ValueError(f"{count} images for {len(corners)} windows; connect all views of this rig")
    return total / weight[..., None], weight


def cut_windows(placement: Placement, picture: Tensor) -> Tensor:
    """A picture [B, C, H, W] on the placement's grid -> its windows [B*N, C, h, w], in reading order, B after B."""
    rows, columns = placement.grid
    windows: list[Tensor] = []
    for top in placement.rows:
        y = (top + torch.arange(placement.height, device=picture.device)) % rows
        for left in placement.columns:
            x = (left + torch.arange(placement.width, device=picture.device)) % columns
            windows.append(picture[:, :, y[:, None], x])
    return torch.stack(windows, 1).flatten(0, 1)


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
