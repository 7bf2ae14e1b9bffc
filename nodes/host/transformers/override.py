"""The host's override of attention, for one model call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from comfy.ldm.modules import attention as attention_layers
from torch import Tensor

_OVERRIDE = "optimized_attention_override"


class Ask(Protocol):
    """What the host, and whoever else overrides its attention, answers."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None, /) -> Tensor:
        """[n, heads, L, C] from q of that shape, k and v [n, heads, M, C]. bias: added to the scores, [n, 1 or heads,
        1 or L, M]; None: what the layer's own mask says, for all rows."""
        ...


Share = Callable[[Tensor, Tensor, Tensor, Tensor | None, Ask, int], Tensor]
"""(q, k, v [rows, heads, .., C], the layer's mask as a bias [1 or rows, 1 or heads, 1 or L, M], ask, the first token of
the picture) -> [rows, heads, L, C]."""


def with_attention(options: dict[str, Any], first: Callable[[int, int], int | None], share: Share) -> dict[str, Any]:
    """A copy of transformer_options in which ``share`` computes the attention of the picture with itself.

    first: (number of queries, of keys) -> the first token of the picture, or None for another attention, which is
    handed on as it came. An override that is there already is asked in either case.
    """
    inner = options.get(_OVERRIDE)

    def override(function: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
        split = bool(kwargs.get("skip_reshape", False))
        tokens = 2 if split else 1
        start = first(q.shape[tokens], k.shape[tokens])
        if start is None:
            return (function if inner is None else partial(inner, function))(q, k, v, heads, *args, **kwargs)
        names = ("mask", "attn_precision", "skip_reshape", "skip_output_reshape")
        said = {**dict(zip(names, args, strict=False)), **kwargs}
        mask, joined = said.pop("mask", None), not said.pop("skip_output_reshape", False)
        said.pop("skip_reshape", None)
        # The host's default on a CPU takes several times as long as torch's own with keys of several views.
        best = attention_layers.attention_pytorch if q.device.type == "cpu" else function
        asked: Any = best if inner is None else partial(inner, best)

        def ask(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None, /) -> Tensor:
            told = mask if bias is None else bias
            shape: dict[str, Any] = {"skip_reshape": True, "skip_output_reshape": True}
            return asked(q, k, v, heads, mask=told, **shape, **said)

        if not split:
            channels = q.shape[-1] // heads
            # (some networks leave the heads of values apart)
            q, k, v = (t.reshape(*t.shape[:2], -1, channels).transpose(1, 2) for t in (q, k, v))
        result = share(q, k, v, None if mask is None else as_bias(mask, q.dtype), ask, start)
        return result.transpose(1, 2).flatten(2) if joined else result

    return {**options, _OVERRIDE: override}


def as_bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask in any of the host's shapes, of bools or of what is added, as [1 or rows, 1 or heads, 1 or L, M]."""
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim == 3:
        mask = mask[:, None]
    if mask.dtype == torch.bool:
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, -torch.inf)
    return mask.to(dtype)
