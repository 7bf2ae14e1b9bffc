"""What shines through splats: taken from where a view shows nothing but background."""

from __future__ import annotations

import torch
from torch import Tensor

# Pixels that show less of the splats than this are background.
CLEAR = 0.02


def background_pixels(alpha: Tensor) -> Tensor:
    """alpha [N, h, w] -> int64 [N, h * w]: for each pixel the nearest one of its view that is background, itself where
    it is, and where its view has none.

    By jump flooding (Rong and Tan 2006): almost always the nearest, and never far from it.
    """
    count, height, width = alpha.shape
    own = torch.arange(height * width).reshape(1, height, width).expand(count, -1, -1)
    best = torch.where(alpha < CLEAR, own, -1)
    y, x = torch.arange(height)[:, None], torch.arange(width)
    step = 1
    while step < max(height, width):
        step *= 2
    far = torch.where(best >= 0, 0, 2 * (height + width) ** 2)
    while step >= 1:
        for down in (-step, 0, step):
            for right in (-step, 0, step):
                if abs(down) >= height or abs(right) >= width or (down == 0 and right == 0):
                    continue
                into = (slice(None), _part(down, height), _part(right, width))
                found = best[(slice(None), _part(-down, height), _part(-right, width))]
                away = (found // width - y[into[1]]) ** 2 + (found % width - x[into[2]]) ** 2
                nearer = (found >= 0) & (away < far[into])
                far[into] = torch.where(nearer, away, far[into])
                best[into] = torch.where(nearer, found, best[into])
        step //= 2
    return torch.where(best >= 0, best, own).reshape(count, -1)


def _part(shift: int, size: int) -> slice:
    """Where a line of ``size`` is reached by one shifted by ``shift``."""
    return slice(max(shift, 0), size + min(shift, 0))
