"""Which views of a rig lie next to each other: from distances that the rig gives, never from pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from .arrays import norm


def angles_between(directions: Tensor) -> Tensor:
    """float64 [N, N]: angles between unit vectors [N, 3], radians."""
    # From the chord, not from the cosine: that is blind to small angles.
    chord = norm(directions[:, None] - directions, 2)
    return 2 * (chord / 2).clamp(max=1).asin()


def nearest(distances: Tensor, count: int, group: int = 0) -> Tensor:
    """int64 [N, m]: the ``count`` nearest other views by a matrix of distances [N, N], nearest first.

    Of views equally near the one with the lower index comes first. ``group``: views i and j can be neighbours only when
    ``i // group == j // group`` (0: all can). A view with fewer candidates than the others is filled up with -1; m is
    the most that any view has. Raises ValueError when count or group is negative.
    """
    views = distances.shape[0]
    if count < 0:
        raise ValueError(f"{count} neighbours are not a number of views; use 0 to {max(0, views - 1)}")
    if group < 0:
        raise ValueError(f"group {group} is not a number of views; use 0 (all) to {views}")
    index = torch.arange(views)
    of = index // (group or max(1, views))
    # Distances that differ by rounding only are equal.
    far = (distances.double() * 2**20).round()
    far = far.masked_fill((of[:, None] != of) | torch.eye(views, dtype=torch.bool), torch.inf)
    order = far.argsort(dim=1, stable=True)
    order = order.masked_fill(far.gather(1, order).isinf(), -1)[:, :count]
    used = int((order >= 0).sum(1).max()) if order.numel() else 0
    return order[:, :used]
