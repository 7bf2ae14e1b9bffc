"""Frames that fit an object: views without a border of background, which costs model time and shows nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from .viewpoints import Viewpoint

FRAMINGS = ("reference", "tight")
ASPECTS = ("as given", "fitted")
# Sides of a fitted frame are multiples of this many pixels, as models like them.
_STEP = 64


def bounds(viewpoint: Viewpoint, points: Tensor) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) of points [V, 3] as a camera sees them: tangents of the angles from its axis, or
    lengths when it is orthographic. Raises ValueError when one is not in front of it: the camera is too near."""
    x, y, z = viewpoint.camera_space(points.double()).unbind(-1)
    if float(-z.max()) <= 1e-6:
        raise ValueError(
            "a camera stands inside the object or too near to see all of it; use a larger distance, or framing "
            "reference"
        )
    depth = torch.ones_like(z) if viewpoint.span is not None else -z
    u, v = x / depth, y / depth
    return float(u.min()), float(u.max()), float(v.min()), float(v.max())


def tight(viewpoint: Viewpoint, points: Tensor, height: int, width: int, margin: float = 0.03) -> Viewpoint:
    """The same camera with its frame moved and narrowed so that points [V, 3] just fill it.

    margin: free part of the frame on each side of the tighter direction. Place and direction stay, so nothing changes
    in what is seen or at what angle: the frame is cut out beside the axis (a shifted lens). Raises ValueError as
    ``bounds``, and for a margin outside 0 to below 0.5.
    """
    if not 0 <= margin < 0.5:
        raise ValueError(f"margin {margin:g} is outside 0 to below 0.5; use 0.03")
    left, right, bottom, top = bounds(viewpoint, points)
    half = max((right - left) / 2, (top - bottom) / 2 * width / height, 1e-9) / (1 - 2 * margin)
    shift = (-(left + right) / 2 / half, -(bottom + top) / 2 / (half * height / width))
    if viewpoint.span is not None:
        return replace(viewpoint, span=2 * half, shift=shift)
    return replace(viewpoint, fov=2 * math.atan(half), shift=shift)


def filled(viewpoint: Viewpoint, points: Tensor, height: int, width: int) -> float:
    """Share of a view that the box around the points takes, 0 to 1."""
    left, right, bottom, top = bounds(viewpoint, points)
    across, down = viewpoint.half_size(height, width)
    sides = [
        min(1.0, high / half + move) - max(-1.0, low / half + move)
        for low, high, half, move in (
            (left, right, across, viewpoint.shift[0]),
            (bottom, top, down, viewpoint.shift[1]),
        )
    ]
    return max(0.0, sides[0]) * max(0.0, sides[1]) / 4


def fitted_size(viewpoints: Sequence[Viewpoint], points: Tensor, height: int, width: int) -> tuple[int, int]:
    """(height, width), about as many pixels as asked for, in multiples of 64: the one shape for all views of which
    tight frames waste least. Raises ValueError as ``bounds``."""
    ratios: list[float] = []
    for viewpoint in viewpoints:
        left, right, bottom, top = bounds(viewpoint, points)
        ratios.append(max(right - left, 1e-9) / max(top - bottom, 1e-9))
    wanted = height * width
    side = math.sqrt(wanted)
    candidates = [
        (rows * _STEP, columns * _STEP)
        for rows in range(1, math.ceil(2 * side / _STEP) + 1)
        for columns in range(1, math.ceil(2 * side / _STEP) + 1)
        if 0.8 <= rows * columns * _STEP * _STEP / wanted <= 1.1
    ]
    if not candidates:
        return height, width

    def used(size: tuple[int, int]) -> float:
        frame = size[1] / size[0]
        # The smaller share counts as lost pixels; equal shapes are decided by the number of pixels.
        return sum(min(r / frame, frame / r) for r in ratios) / len(ratios) + 0.05 * size[0] * size[1] / wanted

    return max(candidates, key=used)
