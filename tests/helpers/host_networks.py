"""Small networks of every kind of model that users load, made of the host's own classes with random weights.

`hosting` imports the host, so nothing of it is imported here directly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
import torch
from engine.test_host_failures import snapshot
from helpers.hosting import comfy
from torch import Tensor

from helpers.host_models import CONTEXT, TOKENS, UNET, patcher, randomise  # isort: skip (after the host)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tokens(seed: int, rows: int, wide: int = CONTEXT, /, **options: Any) -> list[list[Any]]:
    """A CONDITIONING of one entry; ``rows`` texts are one per view."""
    return [[normal(seed, rows, TOKENS, wide), options]]


def lively(module: torch.nn.Module, seed: int = 0) -> None:
    """Random weights whose every part has a say: normalisations pass on what they get."""
    randomise(module, seed)
    for part in module.modules():
        if isinstance(part, (torch.nn.GroupNorm, torch.nn.LayerNorm)) and part.weight is not None:
            part.weight.data.fill_(1.0)
    # Position tables that a checkpoint would bring begin as whatever the memory held.
    for name, table in module.named_buffers():
        if "pos_embed" in name:
            table.copy_(0.1 * torch.randn(table.shape, generator=torch.Generator().manual_seed(seed)))


class Pixels(comfy.latent_formats.LatentFormat):
    """A model that works on pixels: three channels, one pixel a cell."""

    latent_channels = 3
    scale_factor = 1.0
    spacial_downscale_ratio = 1


def unet_of(
    model_type: str = "EPS",
    base: type | None = None,
    config_class: Any = None,
    base_options: dict[str, Any] | None = None,
    seed: int = 0,
    latent_format: Any = None,
    **changes: Any,
) -> Any:
    """A MODEL around the host's U-Net (host_models.UNET, two levels) with ``changes`` of its configuration."""
    kind = getattr(comfy.model_base.ModelType, model_type, None)
    if kind is None:
        pytest.skip(f"this host has no model type {model_type}")
    config = (config_class or comfy.supported_models.SD15)({**UNET, **changes})
    config.unet_config.update(num_heads=4, num_head_channels=-1)
    if latent_format is not None:
        config.latent_format = latent_format()
    model = (base or comfy.model_base.BaseModel)(config, model_type=kind, **(base_options or {}))
    lively(model.diffusion_model, seed)
    return patcher(model)


def inpaint_unet() -> Any:
    """Nine channels in: the latent, the mask, the masked picture."""
    model = unet_of(in_channels=9)
    model.model.set_inpaint()
    return model


SIZES, POOLED = 6 * 256, 16


def sdxl() -> Any:
    """SDXL's conditioning on pooled text and six sizes."""
    return unet_of(
        base=comfy.model_base.SDXL,
        config_class=comfy.supported_models.SDXL,
        num_classes="sequential",
        adm_in_channels=POOLED + SIZES,
        use_linear_in_transformer=True,
    )


IMAGE_EMBED = 16


def unclip() -> Any:
    return unet_of(
        "V_PREDICTION",
        base=comfy.model_base.SD21UNCLIP,
        base_options={
            "noise_aug_config": {
                "noise_schedule_config": {"timesteps": 1000, "beta_schedule": "squaredcos_cap_v2"},
                "timestep_dim": IMAGE_EMBED,
            }
        },
        num_classes="sequential",
        adm_in_channels=2 * IMAGE_EMBED,
    )


SD3_TEXT, SD3_POOLED = 32, 24


def sd3() -> Any:
    """Flow, sixteen channels, a latent format with a shift."""
    config = comfy.supported_models.SD3(
        dict(
            in_channels=16,
            patch_size=2,
            depth=1,
            input_size=None,
            num_patches=64,
            pos_embed_max_size=8,
            pos_embed_scaling_factor=None,
            adm_in_channels=SD3_POOLED,
            context_embedder_config={
                "target": "torch.nn.Linear",
                "params": {"in_features": SD3_TEXT, "out_features": 64},
            },
            dtype=torch.float32,
        )
    )
    model = comfy.model_base.SD3(config)
    lively(model.diffusion_model)
    return patcher(model)


def official(config_name: str, model_name: str, settings: dict[str, Any]) -> Any:
    """A MODEL of one of the host's families, as it makes it of such a configuration."""
    config_class = getattr(comfy.supported_models, config_name, None)
    if config_class is None:
        pytest.skip(f"hosts of 2024 have no {config_name}")
    config = config_class({**settings, "dtype": torch.float32})
    model = getattr(comfy.model_base, model_name)(config)
    lively(model.diffusion_model)
    return patcher(model)


def flux(**changes: Any) -> Any:
    if not hasattr(comfy.supported_models, "Flux"):
        pytest.skip("hosts of 2024 have no Flux")
    from comfy.ldm.flux.model import FluxParams

    # Which axes of a text token's position count: none for Flux; hosts of 2024 and 2025 do not ask.
    newer = {"txt_ids_dims": []} if "txt_ids_dims" in FluxParams.__dataclass_fields__ else {}
    settings = dict(
        **newer,
        in_channels=16,
        out_channels=16,
        vec_in_dim=SD3_POOLED,
        context_in_dim=SD3_TEXT,
        hidden_size=32,
        mlp_ratio=2.0,
        num_heads=2,
        depth=1,
        depth_single_blocks=1,
        axes_dim=[4, 6, 6],
        theta=10000,
        patch_size=2,
        qkv_bias=True,
        guidance_embed=True,
    )
    return official("Flux", "Flux", {**settings, **changes})


def wan(layers: int = 1, text: int = TOKENS) -> Any:
    return official("WAN21_T2V", "WAN21", wan_settings(num_layers=layers, text_len=text))


def wan_settings(**changes: Any) -> dict[str, Any]:
    settings = dict(
        image_model="wan2.1",
        model_type="t2v",
        dim=48,
        ffn_dim=64,
        freq_dim=32,
        text_dim=SD3_TEXT,
        num_heads=2,
        num_layers=1,
        text_len=TOKENS,
        in_dim=16,
        out_dim=16,
    )
    return {**settings, **changes}


def qwen(layers: int = 1) -> Any:
    settings = dict(
        image_model="qwen_image",
        num_layers=layers,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=SD3_TEXT,
        axes_dims_rope=(4, 6, 6),
    )
    return official("QwenImage", "QwenImage", settings)


def small_vae() -> Any:
    """A VAE of four channels, eight pixels a cell, loaded by the host as from a file."""
    weights = import_module("comfy.taesd.taesd").TAESD().state_dict()
    for i, (name, weight) in enumerate(weights.items()):
        if weight.ndim:
            weights[name] = normal(i, *weight.shape) / max(weight[0].numel(), 1) ** 0.5
    return import_module("comfy.sd").VAE(sd=weights)


def frozen(model: Any, *given: Any) -> Any:
    """Everything of a MODEL, its weights included, and of conditionings that a run could change."""
    names = ("model_options", "object_patches", "patches", "wrappers", "callbacks", "hook_patches", "attachments")
    parts = {n: snapshot(getattr(model, n, None)) for n in names}
    return parts, {k: hash(v.numpy().tobytes()) for k, v in model.model.state_dict().items()}, snapshot(given)


@dataclass(frozen=True)
class Kind:
    """A kind of model: how it is made, and the texts it takes (``seed, rows -> CONDITIONING``)."""

    make: Callable[[], Any]
    text: Callable[[int, int], list[list[Any]]]
    flow: bool = False
    frames: bool = False


def _plain(seed: int, rows: int) -> list[list[Any]]:
    return tokens(seed, rows)


def _pooled(wide: int, pooled: int, /, **options: Any) -> Callable[[int, int], list[list[Any]]]:
    return lambda seed, rows: tokens(seed, rows, wide, pooled_output=normal(seed + 50, rows, pooled), **options)


def _wide(seed: int, rows: int) -> list[list[Any]]:
    return tokens(seed, rows, SD3_TEXT)


KINDS: dict[str, Kind] = {
    "EPS": Kind(unet_of, _plain),
    "V_PREDICTION": Kind(lambda: unet_of("V_PREDICTION"), _plain),
    "V_PREDICTION_EDM": Kind(lambda: unet_of("V_PREDICTION_EDM"), _plain),
    "V_PREDICTION_CONTINUOUS": Kind(lambda: unet_of("V_PREDICTION_CONTINUOUS"), _plain),
    "EDM": Kind(lambda: unet_of("EDM"), _plain),
    "FLOW": Kind(lambda: unet_of("FLOW"), _plain, flow=True),
    "pixels, 3 channels": Kind(lambda: unet_of(latent_format=Pixels, in_channels=3, out_channels=3), _plain),
    "inpaint, 9 channels": Kind(inpaint_unet, _plain),
    "SDXL": Kind(sdxl, _pooled(CONTEXT, POOLED, width=512, height=768, crop_w=64)),
    "SD3, 16 channels": Kind(sd3, _pooled(SD3_TEXT, SD3_POOLED), flow=True),
    "Flux": Kind(flux, _pooled(SD3_TEXT, SD3_POOLED, guidance=3.0), flow=True),
    "Wan, one frame": Kind(wan, _wide, flow=True, frames=True),
    "Qwen image, one frame": Kind(qwen, _wide, flow=True, frames=True),
}
