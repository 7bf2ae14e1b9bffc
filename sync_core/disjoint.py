"""Sets of views that hardly overlap, so that one step can replace what it sees without averaging anything."""

from __future__ import annotations

import torch
from torch import Tensor

from .grouping import unique_groups
from .views import ViewSet
from .walked import Views, WalkedViews


def seen_cells(views: ViewSet) -> tuple[Tensor, Tensor]:
    """(view, cell) of every cell that a view sees, each pair once: int64 [n] both.

    Where cells read the views (``gather``), a cell counts when its own centre is seen: interpolation reads past a
    view's border, and views that only touch would seem to overlap.
    """
    if views.gather is not None:
        cell, pixel = views.gather.row_of_entry, views.gather.indices.long()
    else:
        cell, pixel = views.forward.indices.long(), views.forward.row_of_entry
    key = unique_groups(pixel // (views.height * views.width) * views.cells + cell)[0]
    return key // views.cells, key % views.cells


def shared_cells(views: Views) -> Tensor:
    """int64 [N, N]: how many cells two views both see; the diagonal holds what each sees."""
    if isinstance(views, WalkedViews):
        known = views.source.shared_cells()
        return _shared_cells(views) if known is None else known
    view, cell = seen_cells(views)
    shared = torch.zeros(views.count, views.count, dtype=torch.int64)
    marks = torch.zeros(views.cells, dtype=torch.bool)
    for number in range(views.count):
        own = cell[view == number]
        marks[own] = True
        shared[number] = torch.bincount(view[marks[cell]], minlength=views.count)
        marks[own] = False
    return shared


def _shared_cells(views: WalkedViews) -> Tensor:
    """The same for views that are walked; the cells of all are kept, four bytes for each that a view sees."""
    seen: list[Tensor] = []
    for number in range(views.count):
        reading = views.source.gather(number)
        cells = unique_groups(views.source.forward(number).indices)[0] if reading is None else reading.cells
        seen.append(cells.to(torch.int32))
    shared = torch.zeros(views.count, views.count, dtype=torch.int64)
    for number, own in enumerate(seen):
        marks = torch.zeros(views.cells, dtype=torch.bool)
        marks[own.long()] = True
        for other in range(number, views.count):
            shared[number, other] = shared[other, number] = marks[seen[other].long()].sum()
    return shared


def disjoint_sets(views: Views, tolerance: float = 0.06) -> tuple[tuple[int, ...], ...]:
    """Sets of views that overlap by no more than ``tolerance`` of the smaller one; every view is in at least one set.

    Each set starts with the views that no earlier set has, in rig order, and is then filled with any others that fit,
    so that it sees as much as it can. The sets of StochSync (Yeo, Kim, Sung 2025) are found this way on its rigs.
    """
    shared = shared_cells(views.to("cpu")).double()
    own = shared.diagonal().clamp_min(1)
    apart = shared / torch.minimum(own[:, None], own) <= tolerance
    sets: list[tuple[int, ...]] = []
    waiting = list(range(views.count))
    while waiting:
        chosen: list[int] = []
        for candidate in (*waiting, *(v for v in range(views.count) if v not in waiting)):
            if all(bool(apart[candidate, other]) for other in chosen):
                chosen.append(candidate)
        waiting = [v for v in waiting if v not in chosen]
        sets.append(tuple(sorted(chosen)))
    return tuple(sets)
