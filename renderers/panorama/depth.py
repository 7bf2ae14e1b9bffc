"""Depth of a whole sphere: the hints that depth ControlNets read.

A panorama holds distances along the ray; a camera's depth is measured along its axis (z), and depth models and
ControlNets see inverse depth, near = white. Values that are no distance (NaN, infinite, zero or negative) are invalid.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..arrays import norm
from ..cameras.looks import rays
from ..pictures import Range, spread
from .space import Lookout, check_whole_sphere, equirect_taps

Meaning = Literal["distance", "inverse"]
MEANINGS: tuple[Meaning, ...] = ("distance", "inverse")
RANGES: tuple[Range, ...] = ("joint", "per view")

# Neighbours whose distances differ by no more than this part are one surface.
_SURFACE = 0.25


def check_equirect(depth: Tensor) -> None:
    """Raise ValueError for depth [H, W] that is not twice as wide as high, or without one valid value."""
    height, width = depth.shape
    check_whole_sphere("depth", width, height, "depth of a whole sphere")
    if not bool(valid_depth(depth).any()):
        raise ValueError("depth holds no valid value: all are NaN, infinite, zero or negative")


def valid_depth(depth: Tensor) -> Tensor:
    """bool, which values are a distance."""
    return torch.isfinite(depth) & (depth > 0)


def depth_hints(depth: Tensor, rig: Lookout, meaning: Meaning, span: Range) -> tuple[Tensor, Tensor]:
    """Depth of a sphere [H, W] -> hints for a depth ControlNet [N, h, w] (near = 1, far = 0) and valid bool [N, h, w].

    meaning: distance along the ray, or its inverse (in any unit). span: near and far are taken over all views together,
    so that hints agree where views overlap, or in every view for itself (more contrast). Invalid pixels become 0 (far)
    and take no part in the range. A pixel reads the values around it that lie on the same surface as the nearest valid
    one: distances are never mixed across an edge. Raises ValueError as ``check_equirect``.
    """
    check_equirect(depth)
    rows, columns = depth.shape
    valid = valid_depth(depth).reshape(-1)
    distance = torch.where(valid, depth.reshape(-1).double(), 1.0)
    if meaning == "inverse":
        distance = 1 / distance
    hints: list[Tensor] = []
    seen: list[Tensor] = []
    for look in rig.looks:
        through = rays(look, rig.height, rig.width)
        cells, weights = equirect_taps(through, rows, columns)
        usable = torch.where(valid[cells], weights, -1.0)
        best, tap = usable.max(-1)
        around = distance[cells]
        nearest = around.gather(-1, tap[..., None])
        same = ((around - nearest).abs() <= _SURFACE * nearest) & (usable >= 0)
        share = torch.where(same, weights.double().clamp_min(1e-9), 0.0)
        read = (around * share).sum(-1) / share.sum(-1).clamp_min(1e-12)
        read = torch.where(best >= 0, read, 1.0)
        # The rays have depth 1 along the axis: their length is distance / z.
        hints.append(norm(through, -1) / read)
        seen.append(best >= 0)
    inverse, known = torch.stack(hints), torch.stack(seen)
    return spread(inverse, known, span).float(), known
