"""Which views of a rig lie next to each other: computed once from the rig, never from pixels.

A rig gives a matrix of distances between its views (windows: how little they overlap; cameras: the angle between their
directions); the nearest are taken from that.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .cameras.viewpoints import Orbit
from .panorama.space import Lookout
from .plane.space import Placement, Plane
from .scene import Scene


def neighbours(scene: Scene, cell: int, count: int, group: int = 0) -> Tensor:
    """int64 [N, m]: for each view of the scene, on cells of ``cell`` image pixels, its ``count`` nearest others.

    Nearest first, -1 where a view has fewer; m <= count. ``group``, see `nearest`. Raises ValueError as
    `plane.place` does.
    """
    return nearest(view_distances(scene, cell), count, group)


def view_distances(scene: Scene, cell: int) -> Tensor:
    """float64 [N, N], symmetric, diagonal 0. Readings of one picture through warps are all equally far from another."""
    if isinstance(scene.space, Plane):
        return window_distances(scene.placement(cell), (scene.space.wrap_y, scene.space.wrap_x))
    if isinstance(scene.rig, Lookout):
        return angles_between(torch.stack([look.axis for look in scene.rig.looks]))
    if isinstance(scene.rig, Orbit):
        return angles_between(torch.tensor([view.backward for view in scene.rig.viewpoints], dtype=torch.float64))
    count = len(scene.view_places())
    return 1 - torch.eye(count, dtype=torch.float64)


def angles_between(directions: Tensor) -> Tensor:
    """float64 [N, N]: angles between unit vectors [N, 3], radians."""
    # From the chord, not from the cosine: that is blind to small angles.
    chord = (directions[:, None] - directions).norm(dim=2)
    return 2 * (chord / 2).clamp(max=1).asin()


def window_distances(placement: Placement, wrap: tuple[bool, bool]) -> Tensor:
    """float64 [N, N], symmetric, diagonal 0: how far apart windows are on the canvas.

    Windows that overlap: 1 - the part of a window they share, so 0..1. Others: 1 + the distance of their centres in
    window sizes. ``wrap``: whether the canvas wraps (of rows, of columns); distances then go the short way round.
    """
    shared, apart = [], []
    for starts, size, length, wraps in (
        (placement.rows, placement.height, placement.grid[0], wrap[0]),
        (placement.columns, placement.width, placement.grid[1], wrap[1]),
    ):
        start = torch.tensor(starts, dtype=torch.float64)
        gap = (start[:, None] - start).abs()
        both = (size - gap).clamp(min=0)
        if wraps:
            # On a short ring two windows can meet on both sides.
            both = both + (size - (length - gap)).clamp(min=0) * (gap > 0)
            gap = torch.minimum(gap, length - gap)
        shared.append(both / size)
        apart.append(gap / size)
    rows, columns = len(placement.rows), len(placement.columns)
    overlap = (shared[0][:, None, :, None] * shared[1][None, :, None, :]).reshape(rows * columns, -1)
    centres = (apart[0][:, None, :, None] ** 2 + apart[1][None, :, None, :] ** 2).sqrt().reshape(rows * columns, -1)
    return torch.where(overlap > 0, 1 - overlap.clamp(max=1), 1 + centres)


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
