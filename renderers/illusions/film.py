"""A reading on film: from the picture to what a warp makes of it, and back."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .warp import Warp

EASINGS: dict[str, Callable[[float], float]] = {
    "smooth": lambda t: (1 - math.cos(math.pi * t)) / 2,
    "linear": lambda t: t,
    "accelerate": lambda t: t * t,
    "spring": lambda t: 1 - math.exp(-5 * t) * (1 - t) * math.cos(2.5 * math.pi * t) if t < 1 else 1.0,
}
"""Time 0..1 to place 0..1; all begin at 0 and end at 1."""


def film(warp: Warp, picture: Tensor, count: int, easing: str = "smooth", back: bool = False, hold: int = 0) -> Tensor:
    """[H, W, C], values 0..1 -> [n, H, W, C]: ``count`` frames from the picture to what is seen as its reading.

    back: the same way back, without its ends, so that it loops; n = 2 count - 2. hold: each end stays for that many
    frames more. Raises ValueError below 2 frames or for an easing that is none.
    """
    if count < 2:
        raise ValueError(f"{count} frames show no transformation; use at least 2")
    if easing not in EASINGS:
        raise ValueError(f"easing '{easing}' is unknown; use one of {', '.join(EASINGS)}")
    if hold < 0:
        raise ValueError(f"hold {hold}: use 0 frames or more")
    height, width = picture.shape[:2]
    warp.check(height, width)
    flat = picture.movedim(-1, 0)
    places = [EASINGS[easing](i / (count - 1)) for i in range(count)]
    way = [warp.frame(flat, t).clamp(0, 1) for t in places[1:-1]]
    first, last = flat, warp.seen(flat).clamp(0, 1)
    frames = [first] * (1 + hold) + way + [last] * (1 + hold)
    if back:
        frames += way[::-1]
    return torch.stack(frames).movedim(1, -1)
