"""Small diffusers folders with random weights, written by diffusers itself, in the host's models/diffusers.

Import only when diffusers is installed, and after `hosting`.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import comfy.samplers
import diffusers
import torch
from diffusers import UNet2DConditionModel
from helpers.hosting import host
from syncpack.nodes.models.diffusers_nodes import LoadDiffusersUNet, SyncTweediesUpscale

TOKENS, WIDTH = 6, 16

LATENT: dict[str, Any] = dict(
    sample_size=16,
    in_channels=4,
    out_channels=4,
    block_out_channels=(32, 64),
    layers_per_block=1,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    cross_attention_dim=WIDTH,
    attention_head_dim=4,
    norm_num_groups=8,
)
# DeepFloyd IF: pixels, learned variance, T5 tokens projected and pooled.
PIXEL: dict[str, Any] = dict(
    sample_size=16,
    in_channels=3,
    out_channels=6,
    block_out_channels=(32, 64),
    layers_per_block=1,
    down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    mid_block_type="UNetMidBlock2DSimpleCrossAttn",
    up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
    act_fn="gelu",
    attention_head_dim=8,
    norm_num_groups=8,
    cross_attention_dim=32,
    cross_attention_norm="group_norm",
    encoder_hid_dim=24,
    encoder_hid_dim_type="text_proj",
    addition_embed_type="text",
    addition_embed_type_num_heads=4,
    resnet_time_scale_shift="scale_shift",
    time_embedding_act_fn="gelu",
    conv_in_kernel=3,
    conv_out_kernel=3,
)
PIXEL_SECOND = {**PIXEL, "in_channels": 6, "class_embed_type": "timestep"}
SDXL: dict[str, Any] = {
    **LATENT,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 20 + 6 * 8,
}
INPAINT = {**LATENT, "in_channels": 9}

SD_BETAS: dict[str, Any] = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
IF_BETAS: dict[str, Any] = dict(
    beta_schedule="squaredcos_cap_v2",
    thresholding=True,
    dynamic_thresholding_ratio=0.95,
    sample_max_value=1.5,
    variance_type="learned_range",
)


def randomised(model: Any, seed: int = 0) -> Any:
    """Weights as large as those of trained networks, so that prompts and noise levels matter."""
    generator = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        if weight.ndim > 1:
            fan = weight[0].numel()
            weight.data = torch.randn(weight.shape, generator=generator) * (1.2 / fan**0.5)
        else:
            weight.data = weight.data + torch.randn(weight.shape, generator=generator) * 0.05
    return model.eval().requires_grad_(False)


def save_unet(folder: Path, config: dict[str, Any], scheduler: Any, vae: dict[str, Any] | None = None) -> Any:
    """Write unet and scheduler (and vae/config.json); returns the network."""
    unet = randomised(UNet2DConditionModel(**config))
    unet.save_pretrained(folder / "unet", safe_serialization=True)
    scheduler.save_pretrained(folder / "scheduler")
    if vae is not None:
        (folder / "vae").mkdir(parents=True)
        (folder / "vae" / "config.json").write_text(json.dumps(vae), encoding="utf-8")
    return unet


def scheduler(kind: str = "DDIMScheduler", **settings: Any) -> Any:
    return getattr(diffusers, kind)(**settings)


VAE_CONFIG = {"_class_name": "AutoencoderKL", "scaling_factor": 0.18215, "block_out_channels": [128, 256, 512, 512]}
XL_VAE_CONFIG = {**VAE_CONFIG, "scaling_factor": 0.13025}


def made_models(tmp_path_factory):
    """For a fixture: models/diffusers of the host, with one folder per kind; and the networks in them."""
    root = tmp_path_factory.mktemp("diffusers")
    sd, cosine = scheduler(**SD_BETAS), scheduler("DDPMScheduler", **IF_BETAS)
    # IF's levels start at 20000, where the rounding of the network's output shows; these start at 15.
    mild = scheduler("DDPMScheduler", **{**IF_BETAS, **SD_BETAS})
    made = {
        "eps": save_unet(root / "eps", LATENT, sd, VAE_CONFIG),
        "v": save_unet(root / "v", LATENT, scheduler(prediction_type="v_prediction", **SD_BETAS), VAE_CONFIG),
        "zero_snr": save_unet(
            root / "zero_snr",
            LATENT,
            scheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True, **SD_BETAS),
            VAE_CONFIG,
        ),
        "sample": save_unet(root / "sample", LATENT, scheduler(prediction_type="sample", **SD_BETAS), VAE_CONFIG),
        "sdxl": save_unet(root / "sdxl", SDXL, scheduler("EulerDiscreteScheduler", **_euler()), XL_VAE_CONFIG),
        "inpaint": save_unet(root / "inpaint", INPAINT, sd, VAE_CONFIG),
        "if1": save_unet(root / "deep/if1", PIXEL, cosine),
        "if_mild": save_unet(root / "if_mild", PIXEL, mild),
        "if2": save_unet(root / "deep/if2", PIXEL_SECOND, mild),
    }
    scheduler("DDPMScheduler", beta_schedule="squaredcos_cap_v2").save_pretrained(
        root / "deep/if2/image_noising_scheduler"
    )
    with models_folder(root):
        yield root, made


@contextmanager
def models_folder(root):
    """The host's models/diffusers is ``root`` too, for a while."""
    folder_paths = host.folder_paths_module()
    folder_paths.add_model_folder_path("diffusers", str(root))
    try:
        yield
    finally:
        entry = folder_paths.folder_names_and_paths["diffusers"]
        getattr(entry, "paths", entry[0]).remove(str(root))


def _euler():
    return {k: v for k, v in SD_BETAS.items() if k != "clip_sample"}


FOLDERS = {"if1": "deep/if1", "if2": "deep/if2"}


def load(name):
    with torch.inference_mode():
        return LoadDiffusersUNet().load(FOLDERS.get(name, name))


def prompt(seed, tokens=16, rows=1, **options):
    return [[torch.randn(rows, TOKENS, tokens, generator=torch.Generator().manual_seed(seed)), options]]


def width_of(name):
    return 24 if name.startswith("if") else 16


def noise(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sample(model, conds, shape, sigmas, seed=7, cfg=1.0, mask=None, latent=None):
    """The host's euler through given noise levels, from its own starting noise."""
    with torch.inference_mode():
        return host.sample(
            model,
            noise(*shape, seed=seed),
            *conds,
            cfg,
            comfy.samplers.sampler_object("euler"),
            sigmas,
            torch.zeros(shape) if latent is None else latent,
            mask,
            None,
            seed,
        )


def estimate(unet, x, t, alpha, tokens, prediction, channels, extra=(), **conds):
    """The clean estimate in the textbook's variables. x [B, C, h, w] = clean + sigma noise."""
    sigma = ((1 - alpha) / alpha) ** 0.5
    scaled = x * alpha**0.5
    times = torch.full((x.shape[0],), t)
    with torch.no_grad():
        out = unet(torch.cat([scaled, *extra], 1), times, tokens, **conds).sample[:, :channels]
    if prediction == "v_prediction":
        return alpha**0.5 * scaled - (1 - alpha) ** 0.5 * out
    return out if prediction == "sample" else x - sigma * out


def second_stage(pictures, level=50):
    return SyncTweediesUpscale().attach(prompt(1, 24), prompt(2, 24), pictures, level)
