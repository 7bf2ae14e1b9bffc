"""Small diffusion transformers of the host's own classes, a few layers deep, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from helpers.hosting import comfy
from torch import Tensor

from helpers.host_networks import SD3_POOLED, SD3_TEXT, flux, lively, normal, official, patcher, qwen, wan  # isort: skip

TEXT = 5
"""Tokens of a prompt."""


def deep_flux(**changes: Any) -> Any:
    return flux(**{"depth": 2, "depth_single_blocks": 2, **changes})


def chroma() -> Any:
    from comfy.ldm.chroma.model import ChromaParams

    settings: dict[str, Any] = dict(
        in_channels=64,
        context_in_dim=SD3_TEXT,
        hidden_size=32,
        mlp_ratio=2.0,
        num_heads=2,
        depth=2,
        depth_single_blocks=2,
        axes_dim=[4, 6, 6],
        theta=10000,
        patch_size=2,
        qkv_bias=True,
        in_dim=64,
        out_dim=32,
        hidden_dim=32,
        n_layers=1,
        out_channels=64,
    )
    if "txt_ids_dims" in ChromaParams.__dataclass_fields__:
        settings.update(txt_ids_dims=[], vec_in_dim=None)
    return official("Chroma", "Chroma", settings)


def sd3(**changes: Any) -> Any:
    settings = dict(
        in_channels=16,
        patch_size=2,
        depth=2,
        input_size=None,
        num_patches=24 * 24,
        pos_embed_max_size=24,
        pos_embed_scaling_factor=None,
        adm_in_channels=SD3_POOLED,
        qk_norm="rms",
        context_embedder_config={
            "target": "torch.nn.Linear",
            "params": {"in_features": SD3_TEXT, "out_features": 128},
        },
        dtype=torch.float32,
    )
    model = comfy.model_base.SD3(comfy.supported_models.SD3({**settings, **changes}))
    lively(model.diffusion_model)
    return patcher(model)


def lumina(**changes: Any) -> Any:
    settings = dict(
        image_model="lumina2",
        patch_size=2,
        in_channels=16,
        cap_feat_dim=SD3_TEXT,
        dim=32,
        n_layers=2,
        n_refiner_layers=2,
        n_heads=2,
        n_kv_heads=1,
        multiple_of=16,
        qk_norm=True,
        axes_dims=[4, 6, 6],
        axes_lens=[300, 512, 512],
    )
    return official("Lumina2", "Lumina2", {**settings, **changes})


def zimage() -> Any:
    from comfy.ldm.lumina import model as lumina_model

    if not hasattr(lumina_model, "pad_zimage"):
        pytest.skip("hosts of the autumn of 2025 have no Z-Image")
    return lumina(
        dim=256,
        n_heads=16,
        n_kv_heads=16,
        pad_tokens_multiple=4,
        z_image_modulation=True,
        time_scale=1000.0,
        rope_theta=256.0,
    )


def hidream() -> Any:
    settings = dict(
        image_model="hidream",
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        caption_channels=[SD3_TEXT, SD3_TEXT],
        text_emb_dim=SD3_POOLED,
        num_routed_experts=2,
        num_activated_experts=1,
        axes_dims_rope=(4, 6, 6),
        max_resolution=(128, 128),
        llama_layers=[0, 1, 2, 3],
    )
    return official("HiDream", "HiDream", settings)


def attentive(model: Any) -> Any:
    """Small random weights attend to everything alike: with norms that pass on what they get, places matter."""
    for name, weight in model.model.diffusion_model.named_parameters():
        if "norm" in name and name.endswith(("weight", "scale")) and weight.ndim == 1:
            of_keys = any(part in name for part in ("q_norm", "k_norm", "query_norm", "key_norm", "norm_q", "norm_k"))
            weight.data.fill_(2.0 if of_keys else 1.0)
    return model


def flux2() -> Any:
    from comfy.ldm.flux.model import FluxParams

    if "global_modulation" not in FluxParams.__dataclass_fields__:
        pytest.skip("hosts of the autumn of 2025 have no Flux.2")
    changes = dict(txt_ids_dims=[3], axes_dim=[4, 4, 4, 4], global_modulation=True, mlp_silu_act=True, vec_in_dim=None)
    return deep_flux(**changes, qkv_bias=False, ops_bias=False)


def hunyuan(patch: list[int], axes: list[int], **changes: Any) -> Any:
    from comfy.ldm.hunyuan_video.model import HunyuanVideoParams

    known = HunyuanVideoParams.__dataclass_fields__
    newer = dict(use_cond_type_embedding=False, vision_in_dim=None, meanflow_sum=False)
    settings = dict(
        in_channels=16,
        out_channels=16,
        vec_in_dim=None,
        context_in_dim=SD3_TEXT,
        hidden_size=32,
        mlp_ratio=2.0,
        num_heads=2,
        depth=2,
        depth_single_blocks=2,
        axes_dim=axes,
        theta=256,
        patch_size=patch,
        qkv_bias=True,
        guidance_embed=True,
        byt5=False,
        meanflow=False,
        **{name: value for name, value in newer.items() if name in known},
    )
    return official("HunyuanVideo", "HunyuanImage21", settings)


def cosmos() -> Any:
    settings = dict(
        image_model="cosmos_predict2",
        max_img_h=240,
        max_img_w=240,
        max_frames=128,
        in_channels=16,
        out_channels=16,
        patch_spatial=2,
        patch_temporal=1,
        model_channels=48,
        num_blocks=2,
        num_heads=2,
        mlp_ratio=2.0,
        crossattn_emb_channels=SD3_TEXT,
        pos_emb_cls="rope3d",
        rope_h_extrapolation_ratio=4.0,
        rope_w_extrapolation_ratio=3.0,
    )
    model = official("CosmosT2IPredict2", "CosmosPredict2", settings)
    # (what makes frequencies is no table that a checkpoint brings)
    for part in ("spatial", "temporal"):
        frequencies = getattr(model.model.diffusion_model.pos_embedder, f"dim_{part}_range")
        frequencies.copy_(torch.arange(0, 8, 2) / 8)
    return model


def omnigen2() -> Any:
    settings = dict(
        image_model="omnigen2",
        patch_size=2,
        in_channels=16,
        hidden_size=48,
        num_layers=2,
        num_refiner_layers=2,
        num_attention_heads=3,
        num_kv_heads=1,
        multiple_of=16,
        axes_dim_rope=(4, 6, 6),
        text_feat_dim=SD3_TEXT,
    )
    return official("Omnigen2", "Omnigen2", settings)


def aura() -> Any:
    settings = dict(
        in_channels=16,
        out_channels=16,
        dim=32,
        n_layers=3,
        n_double_layers=1,
        n_heads=2,
        global_conddim=32,
        cond_seq_dim=SD3_TEXT,
        max_seq=16 * 16,
    )
    return official("AuraFlow", "AuraFlow", settings)


def krea2() -> Any:
    settings = dict(
        image_model="krea2",
        features=64,
        tdim=32,
        txtdim=SD3_TEXT // 2,
        heads=4,
        kvheads=2,
        multiplier=2,
        layers=2,
        channels=16,
        txtlayers=2,
        txtheads=2,
        txtkvheads=2,
    )
    return official("Krea2", "Krea2", settings)


@dataclass(frozen=True)
class Dit:
    make: Callable[[], Any]
    frames: bool = False
    options: Callable[[int, int], dict[str, Any]] = lambda seed, rows: {}


def _pooled(seed: int, rows: int) -> dict[str, Any]:
    return {"pooled_output": normal(seed + 50, rows, SD3_POOLED), "guidance": 3.0}


def _llama(seed: int, rows: int) -> dict[str, Any]:
    return {**_pooled(seed, rows), "conditioning_llama3": normal(seed + 60, rows, 4, TEXT, SD3_TEXT)}


def _counted(seed: int, rows: int) -> dict[str, Any]:
    return {"attention_mask": torch.ones(1, TEXT, dtype=torch.long)}


DITS: dict[str, Dit] = {
    "Flux": Dit(deep_flux, options=_pooled),
    "Chroma": Dit(chroma, options=_pooled),
    "SD3": Dit(sd3, options=_pooled),
    "SD3.5 medium": Dit(lambda: sd3(x_block_self_attn_layers=[0]), options=_pooled),
    "Qwen-Image": Dit(lambda: qwen(2), frames=True),
    "Wan": Dit(lambda: wan(3, TEXT), frames=True),
    "Lumina 2": Dit(lumina, options=_counted),
    "Z-Image": Dit(zimage, options=_counted),
    "HiDream": Dit(hidream, options=_llama),
    "Flux.2": Dit(flux2, options=_pooled),
    "HunyuanImage": Dit(lambda: hunyuan([2, 2], [8, 8])),
    "HunyuanVideo": Dit(lambda: hunyuan([1, 2, 2], [4, 6, 6]), frames=True),
    "Cosmos-Predict2": Dit(cosmos, frames=True),
    "OmniGen2": Dit(omnigen2, options=_counted),
    "AuraFlow": Dit(aura),
    "Krea 2": Dit(krea2),
}


def text(name: str, seed: int = 1, rows: int = 1) -> list[list[Any]]:
    return [[normal(seed, rows, TEXT, SD3_TEXT), DITS[name].options(seed, rows)]]


def noise(name: str, rows: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Noise of latents [rows, 16, (1,) height, width]."""
    size = (1, height, width) if DITS[name].frames else (height, width)
    return normal(seed, rows, 16, *size)
