"""Self-attention of a U-Net that also sees the neighbouring views, hooked in where the host lets a layer be replaced.

The host's list of patches before attention (attn1_patch) cannot express this: it only lengthens the keys, for the whole
batch at once and without weights (benchmarks/bench_attention.py: 1.6 times the time of none and 1.7 GiB more, against
1.1 times and nothing more here). A replaced layer (attn1_replace) can, but has one owner. So a layer that is replaced
already keeps its owner, and what the other views add is added to its result; and a node that replaces the layer later,
or for one extra model call as perturbed attention does, simply owns it then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ....sync_core.attention.shared import Sharing, shared_attention
from ... import host
from ...host.objects import Model
from ..chunks import ASKED
from .plan import AttentionPlan, Keys, noise_level, views_of_call


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
        level = noise_level(options)
        if not plan.at(level) or 0 < plan.most_tokens < q.shape[1]:
            return host.self_attention(q, k, v, options) if base is None else base
        groups = len(options.get("cond_or_uncond", [0]))
        views = views_of_call(options, q.shape[0], groups, len(plan.table))
        near, reference = plan.rows(views, groups, options.get(ASKED))

        def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
            return host.attention_to_many(q, k, v, options, bias)

        return shared_attention(
            attention,
            q,
            k,
            v,
            near,
            plan.weight,
            reference if level >= plan.reference_end else (),
            plan.reference_weight,
            base,
            sharing=self._sharing([view % len(plan.table) for view in views] * groups, q, k, options),
        )

    def _sharing(self, views: Sequence[int], q: Tensor, k: Tensor, options: dict[str, Any]) -> Sharing:
        """What the layer's keys weigh; all the same where another patch has lengthened them, so that nobody knows where
        they are."""
        grid = layer_grid(options.get("original_shape"), q.shape[1]) if k.shape[1] == q.shape[1] else None
        if grid is None:
            return Sharing()
        keys = Keys(self.plan, views, grid)

        def bias(row: int, sources: Sequence[int]) -> Tensor | None:
            found = keys.bias(sources, q.device)
            return None if found is None else found.reshape(1, -1).to(q.dtype)

        return Sharing(bias=bias, scale=keys.scale(0))


def layer_grid(shape: Sequence[int] | None, tokens: int) -> tuple[int, int] | None:
    """(rows, columns) of a layer with so many tokens in a U-Net whose input is of ``shape`` [.., h, w], which is halved
    from level to level; None where no level fits."""
    if shape is None:
        return None
    rows, columns = shape[-2], shape[-1]
    while rows * columns > tokens and max(rows, columns) > 1:
        rows, columns = -(-rows // 2), -(-columns // 2)
    return (rows, columns) if rows * columns == tokens else None


def share_in_unet(patched: Model, blocks: Sequence[tuple[str, int]], plan: AttentionPlan) -> None:
    """Let the layers of some blocks of a (cloned) model follow the plan."""
    host.replace_self_attention(patched, blocks, lambda inner: CrossViewPatch(plan, _others(inner)))


def _others(inner: Any) -> Callable[..., Tensor] | None:
    """The owner of a layer, where this node's own earlier patch does not count: applied twice, the last one holds."""
    return inner.inner if isinstance(inner, CrossViewPatch) else inner
