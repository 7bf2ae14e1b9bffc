"""How many views a device's memory holds."""

from __future__ import annotations

from collections.abc import Sequence

from ... import host
from ...host.objects import Model, Network


def fitting_views(model: Network, shape: Sequence[int], free: float) -> int:
    """The largest number of views, at least 1, whose guided batch fits in ``free`` bytes by the host's own estimate.

    shape: of the batch of all views, [B*N, C, (1,) h, w].
    """

    def fits(views: int) -> bool:
        return 1.5 * model.memory_required([2 * views, *shape[1:]]) <= free

    low, high = 1, shape[0]
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def views_at_once(model: Model, views_per_batch: int, shape: Sequence[int]) -> int:
    """How many views' memory the host should make room for before it loads the MODEL.

    shape: of the batch of all views. With views_per_batch 0: what the device holds beside the whole model.
    """
    if views_per_batch:
        return min(views_per_batch, shape[0])
    return fitting_views(model.model, shape, host.memory_beside(model))


def too_much(views: int) -> str:
    """What to do about views that must stay together and do not fit."""
    if views == 1:
        return "one view alone does not fit in the device's memory; use smaller views, or start the host with --lowvram"
    fix = f"set the node's group to {views // 2}" if views > 3 else "set the node's weight to 0"
    return (
        f"CrossViewAttention's group of {views} views does not fit in the memory, and half of it, {views // 2}, is "
        f"less than a group; {fix}, or use smaller views"
    )
