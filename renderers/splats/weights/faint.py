"""How far out splats are followed, so that what many faint ones show together is not lost.

gsplat's rule drops every alpha below 1/255, which costs a splat of opacity o about the part 1 / (255 o) of itself, and
one fainter than 1/255 everything. Where splats are much smaller than pixels, or a mist is made of many, those are the
picture. So what the rule would take from each region of a view is estimated, and where that is more than a little,
the region's faint splats are followed out to a part of their own peak instead. Everywhere else gsplat's rule holds.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# A splat adds to a pixel only where its alpha is at least this.
ALPHA_MIN = 1 / 255
# Faint splats that are followed further: out to where alpha is this part of their peak, which loses as much of them.
SHARE = 1 / 32
# What a pixel may lose: this part of its light, on the mean over a region.
LOST = 0.01
# Sides of regions, pixels; splats are looked at in those that hold them. The last is the whole view.
_SIDES = (4, 64)
# How many standard deviations of a splat a region holds.
_HELD = 4


def least_alphas(
    mean: Tensor, covariance: Tensor, opacity: Tensor, depth: Tensor, height: int, width: int
) -> Tensor | None:
    """float64 [n]: below which alpha each splat of a view adds nothing; None: 1/255 for all.

    mean [n, 2], covariance [n, 3], opacity and depth [n] as in ``Projected``, in any order. What lies before a splat
    in its region takes part of what it shows.
    """
    xx, xy, yy = covariance.unbind(-1)
    inside = ((mean >= -1) & (mean <= torch.tensor([width + 1, height + 1]))).all(-1)
    faint = inside & (opacity < ALPHA_MIN / SHARE) & (opacity > 0)
    if not bool(faint.any()):
        return None
    area = 2 * math.pi * (xx * yy - xy * xy).clamp_min(0).sqrt()
    # What lies below the limit of a Gaussian of peak o is min(o, limit) times its area.
    taken = torch.where(faint, area * (opacity.clamp_max(ALPHA_MIN) - SHARE * opacity), 0.0)
    across = _HELD * torch.maximum(xx, yy).sqrt()
    lowered = torch.zeros_like(faint)
    smaller = 0
    for side in (*_SIDES, max(height, width)):
        there = inside & (across <= side)
        if not bool((faint & there & (across > smaller)).any()):
            continue  # a smaller region has said it all
        smaller = side
        lowered[there] |= _loses(mean[there], taken[there], (area * opacity)[there], depth[there], height, width, side)
    lowered &= faint
    return torch.where(lowered, SHARE * opacity, ALPHA_MIN) if bool(lowered.any()) else None


def _loses(mean: Tensor, taken: Tensor, mass: Tensor, depth: Tensor, height: int, width: int, side: int) -> Tensor:
    """bool [n]: whether a splat lies in a square region whose pixels would lose too much."""
    columns, rows = -(-width // side), -(-height // side)
    x = (mean[:, 0] / side).long().clamp(0, columns - 1)
    y = (mean[:, 1] / side).long().clamp(0, rows - 1)
    region = y * columns + x
    wide = torch.full((columns,), float(side), dtype=mean.dtype)
    high = torch.full((rows,), float(side), dtype=mean.dtype)
    wide[-1], high[-1] = width - side * (columns - 1), height - side * (rows - 1)
    pixels = (high[:, None] * wide).reshape(-1)
    open_ = torch.bincount(region, taken, minlength=rows * columns) / pixels > LOST
    if not bool(open_.any()):
        return torch.zeros(len(mean), dtype=torch.bool)
    # The same with what lies before: front to back in every region that is in question.
    asked = torch.nonzero(open_[region])[:, 0]
    asked = asked[torch.argsort(depth[asked])]
    asked = asked[torch.argsort(region[asked], stable=True)]
    where = region[asked]
    thick = (mass[asked] / pixels[where]).cumsum(0) - mass[asked] / pixels[where]
    count = torch.bincount(where, minlength=rows * columns)
    first = (count.cumsum(0) - count).clamp_max(max(0, len(asked) - 1))
    shown = taken[asked] * (thick[first][where] - thick).clamp_max(0).exp()
    lost = torch.bincount(where, shown, minlength=rows * columns) / pixels
    return (lost > LOST)[region]
