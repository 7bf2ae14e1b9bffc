"""Who attends to whom, how strongly, and when: the same for every network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ....renderers.neighbours import nearest
from ....sync_core.attention.shared import entropy_scale
from ...host.errors import SyncError
from ..chunks import ROWS
from .overlaps import Overlaps

NODE = "CrossViewAttention"


@dataclass(frozen=True)
class AttentionPlan:
    """Who attends to whom, how strongly, and when.

    table: for each view of a canonical picture the views it sees. reference: the view that all see, or -1.
    weight, reference_weight: as in `shared_attention`. start, end, reference_end: noise levels (start >= end) between
    which the views, and until which the reference, are seen. most_tokens: longer layers are left alone (0: none).
    distances [N, N], neighbours, group: what the table was made of, for steps that ask some views alone, which then see
    each other. overlaps: weighs down keys of places that several of the views show; None: every key counts. entropy:
    whether scores are scaled by the number of keys.
    """

    table: tuple[tuple[int, ...], ...]
    reference: int
    weight: float
    reference_weight: float
    start: float
    end: float
    reference_end: float
    most_tokens: int
    distances: Tensor
    neighbours: int
    group: int
    overlaps: Overlaps | None = None
    entropy: bool = False

    @property
    def shares(self) -> bool:
        """Whether views see each other at all."""
        return self.weight > 0 and (self.reference >= 0 or any(self.table))

    def at(self, level: float) -> bool:
        """Whether they do at a noise level."""
        return self.shares and self.end <= level <= self.start

    def among(self, asked: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Whom each of the views ``asked`` sees of them: its nearest, in its group of consecutive ones."""
        own = list(asked)
        rows = table_of(nearest(self.distances[own][:, own], self.neighbours, self.group))
        return {view: tuple(own[other] for other in row) for view, row in zip(own, rows, strict=True)}

    def rows(
        self, views: Sequence[int], groups: int, asked: Sequence[int] | None = None
    ) -> tuple[list[list[int]], list[int]]:
        """(neighbour rows of each row, reference row of each row; empty without one) of a model call.

        views: the rows of the whole batch [B*N] that this call holds. groups: how many times it holds them, one after
        another (conditional, unconditional). These are never mixed, nor are canonical pictures. asked: the views of a
        picture that the step asks; None: all. Raises SyncError when a row that is needed is not in this call.
        """
        if asked is not None and self.reference >= 0 and self.reference not in asked:
            raise SyncError(
                f"{NODE}: SyncVisits leave out reference view {self.reference}, which all are to see; set reference to "
                "-1, or visits to all"
            )
        table = self.table if asked is None else self.among(asked)
        count, here = len(self.table), {view: row for row, view in enumerate(views)}

        def row_of(view: int, other: int) -> int:
            wanted = view - view % count + other
            if wanted not in here:
                raise SyncError(
                    f"{NODE}: view {view % count} attends to view {other}, which is not in the same model call of "
                    f"{len(views)} views; sample with a SyncTweedies sampler, or set {NODE}'s group to the number of "
                    "views per call"
                )
            return here[wanted]

        near = [[row_of(view, other) for other in table[view % count]] for view in views]
        reference = [row_of(view, self.reference) for view in views] if self.reference >= 0 else []
        shifts = [group * len(views) for group in range(groups)]
        all_near = [[shift + row for row in rows] for shift in shifts for rows in near]
        return all_near, [shift + row for shift in shifts for row in reference]


@dataclass(frozen=True)
class Keys:
    """What the keys of a layer weigh, whose picture is a grid of (rows, columns) places.

    views: the view of each row of the call.
    """

    plan: AttentionPlan
    views: Sequence[int]
    grid: tuple[int, int]

    def bias(self, sources: Sequence[int], device: Any) -> Tensor | None:
        """float32 [len(sources), keys of a row]: -log of how many of the rows show each key's place; None: all one."""
        overlaps = self.plan.overlaps
        if overlaps is None or len(sources) < 2:
            return None
        bias = overlaps.bias(tuple(self.views[row] for row in sources), self.grid, device)
        return bias.reshape(len(sources), -1)

    def scale(self, own: int) -> Callable[[int, Sequence[int]], float] | None:
        """What scores are multiplied by; ``own``: how many more keys (text) a row has for itself."""
        if not self.plan.entropy:
            return None
        places = self.grid[0] * self.grid[1]

        def of(row: int, sources: Sequence[int]) -> float:
            overlaps, seen = self.plan.overlaps, tuple(self.views[row] for row in sources)
            shown = len(seen) * places if overlaps is None else overlaps.places(seen, self.grid)
            return entropy_scale(own + shown, own + places)

        return of


def noise_level(options: dict[str, Any]) -> float:
    if options.get("sigmas") is None:
        raise SyncError(f"{NODE}: the model was called without its noise level; use the host's or this pack's samplers")
    return float(options["sigmas"].reshape(-1)[0])


def views_of_call(options: dict[str, Any], rows: int, groups: int, count: int) -> Sequence[int]:
    """Which rows of the whole batch a model call holds."""
    called = options.get("original_shape", [rows])[0]
    if called != rows or rows % groups:
        raise SyncError(
            f"{NODE}: another patch changed the {called} rows of this layer to {rows}; remove it (HyperTile does that)"
        )
    views = options.get(ROWS)
    if views is None and (rows // groups) % count:
        raise SyncError(
            f"{NODE}: a batch of {rows // groups} does not match a rig of {count} views; sample with a SyncTweedies "
            "sampler, or connect SyncTweediesViewLatents of the same space and rig"
        )
    if views is None:
        return range(rows // groups)
    if len(views) != rows // groups:
        raise SyncError(
            f"{NODE}: this model call has {rows // groups} views of a chunk of {len(views)}; "
            "remove the node that splits the batch once more"
        )
    return views


def table_of(rows: Tensor) -> tuple[tuple[int, ...], ...]:
    """int [N, count], -1 for nothing -> the views that each sees."""
    return tuple(tuple(int(view) for view in row if view >= 0) for row in rows.cpu())
