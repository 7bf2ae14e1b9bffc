"""Self-attention layers of the host's U-Nets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from comfy.ldm.modules import attention as attention_layers
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import Tensor

from .transformers import HAS_OVERRIDE, KNOWN


def self_attention_blocks(model: Any) -> list[tuple[str, int]]:
    """The (part, number) of a U-Net's blocks that have self-attention; each may hold several layers.

    Raises ValueError for other networks and for video U-Nets, whose rows are not views.
    """
    network: Any = model.get_model_object("diffusion_model")
    network = getattr(network, "_orig_mod", network)
    fix = "use a model of the SD1, SD2 or SDXL family, or leave the node out"
    if not isinstance(network, UNetModel):
        others = (
            f"nor a transformer that is known ({KNOWN})" if HAS_OVERRIDE else "and this ComfyUI is too old for others"
        )
        raise ValueError(
            f"the model's network is a {type(network).__name__}, without the U-Net's self-attention layers, {others}; "
            f"{fix}"
        )
    parts = [("input", i, part) for i, part in enumerate(network.input_blocks)]
    parts += [("middle", 0, part) for part in (network.middle_block,) if part is not None]
    parts += [("output", i, part) for i, part in enumerate(network.output_blocks)]
    found: list[tuple[str, int]] = []
    for name, number, part in parts:
        layers = [layer for layer in part.children() if isinstance(layer, attention_layers.SpatialTransformer)]
        if any(isinstance(layer, attention_layers.SpatialVideoTransformer) for layer in layers):
            raise ValueError(f"the model is a video U-Net, which has frames in place of views; {fix}")
        if any(not block.disable_self_attn for layer in layers for block in layer.transformer_blocks):
            found.append((name, number))
    if not found:
        raise ValueError(f"the model's U-Net has no self-attention layer; {fix}")
    return found


def self_attention(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
    """What the host does in a layer that nobody replaced. ``options``: what it hands to patches."""
    return _attention(attention_layers.optimized_attention, q, k, v, options)


def attention_to_many(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any], bias: Tensor | None = None) -> Tensor:
    """The same to float error, for keys of several views: what the host uses by default on a CPU takes three times as
    long as torch's own. bias: added to the scores, [rows, 1, M]."""
    # (of hosts of 2024 only this one takes a bias that is the same for all queries)
    by_torch = q.device.type == "cpu" or (bias is not None and not HAS_OVERRIDE)
    function = attention_layers.attention_pytorch if by_torch else attention_layers.optimized_attention
    return _attention(function, q, k, v, options, bias)


def _attention(
    function: Any, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any], bias: Tensor | None = None
) -> Tensor:
    more: dict[str, Any] = {"transformer_options": options} if "optimized_attention_override" in options else {}
    if bias is not None:
        more["mask"] = bias[:, None]
    return function(q, k, v, options["n_heads"], attn_precision=options["attn_precision"], **more)


def replace_self_attention(
    model: Any, blocks: Sequence[tuple[str, int]], replace: Callable[[Callable[..., Tensor] | None], Any]
) -> None:
    """Replace the self-attention of some blocks of a (cloned) model; ``replace`` gets what owned a layer before.

    The key of a single layer (part, number, index) wins over that of its block (part, number), so both are replaced
    where another patch has the former, and no new key of a single layer is made: it would hide later patches.
    """
    present = model.model_options.get("transformer_options", {}).get("patches_replace", {}).get("attn1", {})
    single = [key for key in present if len(key) == 3 and key[:2] in blocks]
    for key in [*blocks, *single]:
        model.set_model_attn1_replace(replace(present.get(key)), *key)
