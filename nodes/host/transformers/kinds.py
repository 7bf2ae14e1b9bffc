"""The host's diffusion transformers, one by one.

Looked up by the exact class: a class that is not here may order its tokens in another way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ....sync_core.attention.rotary import Rotary
from ..objects import Model
from .calls import HAS_OVERRIDE, ModelCall
from .pictures import Transformer
from .sequences import (
    finds_after_blocks_of_text,
    finds_before_text,
    finds_hunyuan,
    finds_joint,
    finds_leading,
    finds_with_registers,
)


def _rotary(name: str) -> Callable[[Any], Rotary]:
    """Of the network's part of that name, which turns positions as Flux does."""

    def of(network: Any) -> Rotary:
        found = getattr(network, name)
        found = getattr(found, "rope_embedder", found)
        return Rotary(tuple(found.axes_dim), (float(found.theta),) * len(found.axes_dim))

    return of


def _cosmos_rotary(network: Any) -> Rotary:
    found = network.pos_embedder
    channels = network.model_channels // network.num_heads
    side = channels // 6 * 2
    factors = (found.t_ntk_factor, found.h_ntk_factor, found.w_ntk_factor)
    return Rotary((channels - 2 * side, side, side), tuple(10000.0 * factor for factor in factors), halves=True)


def _sd3_table(call: ModelCall, grid: tuple[int, int]) -> Tensor:
    cells = tuple(side * call.network.patch_size for side in grid)
    return call.network.cropped_pos_embed(cells, device=call.x.device)[0]


def _aura_table(call: ModelCall, grid: tuple[int, int]) -> Tensor:
    network = call.network
    nothing = torch.zeros(1, grid[0] * grid[1], network.positional_encoding.shape[-1], device=call.x.device)
    return network.apply_pos_embeds(nothing, *(side * network.patch_size for side in grid))[0]


def _patch(network: Any) -> int:
    return network.patch_size


def _last_patch(network: Any) -> int:
    return network.patch_size[-1]


_REFERENCES = (("ref_latents", "reference pictures"),)
_FLUX = Transformer("Flux", _patch, finds_joint, _rotary("pe_embedder"), stretches=True)
_CHROMA = Transformer("Chroma", _patch, finds_joint, _rotary("pe_embedder"))
_QWEN = Transformer("Qwen-Image", _patch, finds_joint, _rotary("pe_embedder"), centred=True)
_KREA = Transformer("Krea 2", lambda network: network.patch, finds_joint, _rotary("pe_embedder"))
_WAN = Transformer(
    "Wan",
    _last_patch,
    finds_before_text,
    _rotary("rope_embedder"),
    stretches=True,
    refuses=(
        ("reference_latent", "reference pictures"),
        ("context_latents", "pictures in context"),
        ("time_dim_concat", "frames beside the picture's"),
    ),
)
_COSMOS = Transformer(
    "Cosmos-Predict2 and Anima", lambda network: network.patch_spatial, finds_before_text, _cosmos_rotary
)
_LUMINA = Transformer(
    "Lumina 2 and Z-Image",
    _patch,
    finds_after_blocks_of_text(lambda network: network.context_refiner),
    _rotary("rope_embedder"),
    stretches=True,
    refuses=_REFERENCES,
)
_OMNIGEN = Transformer(
    "OmniGen2",
    _patch,
    finds_after_blocks_of_text(lambda network: network.context_refiner),
    _rotary("rope_embedder"),
    refuses=_REFERENCES,
)
_HUNYUAN = Transformer(
    "HunyuanImage and HunyuanVideo",
    _last_patch,
    finds_hunyuan,
    _rotary("pe_embedder"),
    refuses=(("ref_latent", "reference pictures"),),
)
_SD3 = Transformer("SD3", _patch, finds_with_registers, table=_sd3_table)
_AURA = Transformer("AuraFlow", _patch, finds_with_registers, table=_aura_table)
_HIDREAM = Transformer(
    "HiDream", _patch, finds_leading, _rotary("pe_embedder"), refuses=(("image_cond", "pictures to edit"),)
)

_KINDS: dict[tuple[str, str], Transformer] = {
    ("flux.model", "Flux"): _FLUX,
    ("chroma.model", "Chroma"): _CHROMA,
    ("chroma_radiance.model", "ChromaRadiance"): _CHROMA,
    ("modules.diffusionmodules.mmdit", "MMDiT"): _SD3,
    ("modules.diffusionmodules.mmdit", "OpenAISignatureMMDITWrapper"): _SD3,
    ("qwen_image.model", "QwenImageTransformer2DModel"): _QWEN,
    ("wan.model", "WanModel"): _WAN,
    ("wan.model", "VaceWanModel"): _WAN,
    ("wan.model", "CameraWanModel"): _WAN,
    ("lumina.model", "NextDiT"): _LUMINA,
    ("lumina.model", "NextDiTPixelSpace"): _LUMINA,
    ("hidream.model", "HiDreamImageTransformer2DModel"): _HIDREAM,
    ("hunyuan_video.model", "HunyuanVideo"): _HUNYUAN,
    ("cosmos.predict2", "MiniTrainDIT"): _COSMOS,
    ("anima.model", "Anima"): _COSMOS,
    ("omnigen.omnigen2", "OmniGen2Transformer2DModel"): _OMNIGEN,
    ("aura.mmdit", "MMDiT"): _AURA,
    ("krea2.model", "SingleStreamDiT"): _KREA,
}
KNOWN = ", ".join(dict.fromkeys(kind.words for kind in _KINDS.values()))
"""What users call the transformers that are known here."""


def transformer_of(model: Model) -> Transformer | None:
    """What is known of a MODEL's network; None where it is none of these, or the host has no override."""
    network: Any = model.get_model_object("diffusion_model")
    network = getattr(network, "_orig_mod", network)
    # (of Cosmos there are some that add positions in every block)
    if not HAS_OVERRIDE or getattr(network, "extra_per_block_abs_pos_emb", False):
        return None
    found = type(network)
    return _KINDS.get((found.__module__.removeprefix("comfy.ldm."), found.__name__))
