"""Self-attention of a U-Net that also sees the neighbouring views, hooked in where the host lets a layer be replaced.

The host's list of patches before attention (attn1_patch) cannot express this: it only lengthens the keys, for the whole
batch at once and without weights (benchmarks/bench_attention.py: 1.76 times the time of none and 1.8 GiB more, against
1.10 times and nothing more here). A replaced layer (attn1_replace) can, but has one owner. So a layer that is replaced
already keeps its owner, and what the other views add is added to its result; and a node that replaces the layer later,
or for one extra model call as perturbed attention does, simply owns it then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...renderers.neighbours import nearest
from ...renderers.scene import Scene
from ...sync_core.shared_attention import shared_attention
from .. import host
from ..host.errors import SyncError
from ..host.objects import Model
from .chunks import ASKED, GROUP, ROWS

NODE = "CrossViewAttention"


@dataclass(frozen=True)
class AttentionPlan:
    """Who attends to whom, how strongly, and when.

    table: for each view of a canonical picture the views it sees. reference: the view that all see, or -1.
    weight, reference_weight: as in `shared_attention`. start, end, reference_end: noise levels (start >= end) between
    which the views, and until which the reference, are seen. most_tokens: longer layers are left alone (0: none).
    distances [N, N], neighbours, group: what the table was made of, for steps that ask some views alone, which then see
    each other.
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

    def among(self, asked: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Whom each of the views ``asked`` sees of them: its nearest, in its group of consecutive ones."""
        own = list(asked)
        rows = _table(nearest(self.distances[own][:, own], self.neighbours, self.group))
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
class CrossViewPatch:
    """Replaces one self-attention layer. ``inner``: what replaced it before, if anything did."""

    plan: AttentionPlan
    inner: Callable[..., Tensor] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> CrossViewPatch:
        # The host deep-copies a model's options at every clone; this is immutable.
        return self

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any], *args: Any, **kwargs: Any) -> Tensor:
        """The layer's output [rows, L, C] from its projected q [rows, L, C], k and v [rows, M, C]."""
        plan = self.plan
        base = None if self.inner is None else self.inner(q, k, v, options, *args, **kwargs)
        level = _sigma(options)
        if not plan.end <= level <= plan.start or 0 < plan.most_tokens < q.shape[1]:
            return host.self_attention(q, k, v, options) if base is None else base
        groups = len(options.get("cond_or_uncond", [0]))
        views = _views(options, q.shape[0], groups, len(plan.table))
        near, reference = plan.rows(views, groups, options.get(ASKED))
        return shared_attention(
            lambda q, k, v: host.attention_to_many(q, k, v, options),
            q,
            k,
            v,
            near,
            plan.weight,
            reference if level >= plan.reference_end else (),
            plan.reference_weight,
            base,
        )


def _sigma(options: dict[str, Any]) -> float:
    if options.get("sigmas") is None:
        raise SyncError(f"{NODE}: the model was called without its noise level; use the host's or this pack's samplers")
    return float(options["sigmas"].reshape(-1)[0])


def _views(options: dict[str, Any], rows: int, groups: int, count: int) -> Sequence[int]:
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


@dataclass(frozen=True)
class CrossView:
    """What a user asks of the layers: each view sees ``neighbours`` others of its ``group`` of consecutive views (0: of
    all), and a ``reference`` view (-1: none).

    start, end, reference_end: fractions of the run, 0 = noise, 1 = clean, as in the host's own nodes. The rest: as in
    `AttentionPlan`.
    """

    weight: float
    neighbours: int
    reference: int
    reference_weight: float
    start: float
    end: float
    reference_end: float
    most_tokens: int
    group: int

    @property
    def sees_reference(self) -> bool:
        return self.reference >= 0 and self.reference_weight > 0

    def check(self, views: int) -> None:
        """Raise ValueError for values that make no sense with so many views."""
        if self.reference >= views:
            raise ValueError(f"reference view {self.reference} does not exist; use 0 to {views - 1}, or -1 for none")
        if self.start > self.end:
            raise ValueError(f"start {self.start:g} lies after end {self.end:g}; use start <= end")
        if self.group == 1 or self.group < 0:
            raise ValueError(f"a group of {self.group} views has no neighbours; use 2 or more, or 0 for all views")
        if self.sees_reference and 0 < self.group < views:
            raise ValueError(
                f"groups of {self.group} views cannot all see reference view {self.reference}; use group 0, or "
                "reference -1"
            )


def with_cross_view_attention(model: Model, scene: Scene, wanted: CrossView) -> Model:
    """A clone of a MODEL whose views attend to their neighbours and to a reference view.

    Raises ValueError for values that make no sense and for models without such layers.
    """
    blocks = host.self_attention_blocks(model)
    distances = scene.geometry.distances(host.cell_of(model))
    table = _table(nearest(distances, wanted.neighbours, wanted.group))
    wanted.check(len(table))
    plan = AttentionPlan(
        table=table,
        reference=wanted.reference if wanted.sees_reference else -1,
        weight=wanted.weight,
        reference_weight=wanted.reference_weight,
        start=host.percent_to_sigma(model, wanted.start),
        end=host.percent_to_sigma(model, wanted.end),
        reference_end=host.percent_to_sigma(model, wanted.reference_end),
        most_tokens=wanted.most_tokens,
        distances=distances,
        neighbours=wanted.neighbours,
        group=wanted.group,
    )
    patched = model.clone()
    if wanted.weight == 0 or not (wanted.sees_reference or any(table)):
        return patched
    host.replace_self_attention(patched, blocks, lambda inner: CrossViewPatch(plan, _others(inner)))
    patched.model_options["transformer_options"][GROUP] = wanted.group
    return patched


def _table(rows: Tensor) -> tuple[tuple[int, ...], ...]:
    """int [N, count], -1 for nothing -> the views that each sees."""
    return tuple(tuple(int(view) for view in row if view >= 0) for row in rows.cpu())


def _others(inner: Any) -> Callable[..., Tensor] | None:
    """The owner of a layer, where this node's own earlier patch does not count: applied twice, the last one holds."""
    return inner.inner if isinstance(inner, CrossViewPatch) else inner
