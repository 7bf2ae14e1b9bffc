"""What the configs of a diffusers folder say about its network, checked before any weight is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import host
from .diffusers_folders import read_json
from .diffusers_schedule import NoiseLevels, read_schedule
from .exemplar import PixelLatent

# What the second stage of a cascade calls the noise on its low-resolution picture.
_NOISING = ("image_noising_scheduler", "low_res_scheduler")


class FolderLatent(host.LatentFormat):
    """A latent space as vae/config.json describes it: model space = (latent - shift) * scale."""

    def __init__(self, channels: int, scale: float, shift: float) -> None:
        self.latent_channels = channels
        self.scale_factor = scale
        self.shift_factor = shift

    def process_in(self, latent: Tensor) -> Tensor:
        return (latent - self.shift_factor) * self.scale_factor

    def process_out(self, latent: Tensor) -> Tensor:
        return latent / self.scale_factor + self.shift_factor


@dataclass(frozen=True)
class Facts:
    """What the configs of a folder say. ``extra``: input channels beyond the picture, and what goes there."""

    unet: dict[str, Any]
    schedule: NoiseLevels
    latent: Any
    pixels: bool
    extra: int
    inpaint: bool
    noising: Tensor | None  # alphas_cumprod [T] of the noise on the low-resolution picture
    token_width: int

    @property
    def channels(self) -> int:
        return int(self.latent.latent_channels)

    @property
    def side(self) -> int:
        """Of the pictures that it was trained on, image pixels."""
        cells = self.unet.get("sample_size")
        return int(cells if isinstance(cells, int) else 64) * int(self.latent.spacial_downscale_ratio)


def read_facts(folder: Path) -> Facts:
    """Read and check all configs of a folder. Raises ValueError (one line) for what this door cannot sample."""
    unet = read_json(folder / "unet" / "config.json")
    _check_unet(unet)
    latent, pixels = _latent_format(folder, unet)
    channels, inputs, outputs = (
        latent.latent_channels,
        int(unet.get("in_channels", 4)),
        int(unet.get("out_channels", 4)),
    )
    if outputs not in (channels, 2 * channels):
        raise ValueError(
            f"unet/config.json has {outputs} output channels for a latent of {channels}; expected {channels}, or "
            f"{2 * channels} with a learned variance"
        )
    extra = inputs - channels
    low_resolution = extra == 3 and _noise_labels(unet)
    if extra != 0 and not low_resolution and not (extra == channels + 1 and not pixels):
        raise ValueError(
            f"unet/config.json has {inputs} input channels for a latent of {channels}; supported are {channels}, "
            f"{2 * channels + 1} (inpainting) and {channels + 3} with noise levels as class labels (upscaling)"
        )
    if not low_resolution and (unet.get("class_embed_type") or unet.get("num_class_embeds")):
        raise ValueError("the model wants class labels, which no CONDITIONING has; models without them can be loaded")
    width = unet.get("encoder_hid_dim") or unet.get("cross_attention_dim", 1280)
    return Facts(
        unet=unet,
        schedule=read_schedule(folder / "scheduler" / "scheduler_config.json"),
        latent=latent,
        pixels=pixels,
        extra=extra,
        inpaint=extra > 0 and not low_resolution,
        noising=_noising(folder) if low_resolution else None,
        token_width=int(width[0] if isinstance(width, list) else width),
    )


def _check_unet(unet: dict[str, Any]) -> None:
    kind = unet.get("_class_name")
    if kind != "UNet2DConditionModel":
        raise ValueError(
            f"unet/config.json is of class '{kind}', not UNet2DConditionModel; load other networks with the host's own "
            "loaders"
        )
    allowed: dict[str, tuple[Any, ...]] = {
        "addition_embed_type": (None, "text", "text_time"),
        "encoder_hid_dim_type": (None, "text_proj"),
        "class_embed_type": (None, "timestep"),
        "time_cond_proj_dim": (None,),
    }
    for name, values in allowed.items():
        if unet.get(name) not in values:
            raise ValueError(
                f"unet/config.json has {name} '{unet.get(name)}': a kind of model (unCLIP, Kandinsky, LCM, IP) whose "
                "conditioning has no socket here; supported are Stable Diffusion 1, 2, XL and DeepFloyd IF"
            )


def _noise_labels(unet: dict[str, Any]) -> bool:
    return unet.get("class_embed_type") == "timestep" or bool(unet.get("num_class_embeds"))


def _latent_format(folder: Path, unet: dict[str, Any]) -> tuple[Any, bool]:
    """(latent format, whether it is pixels). A model is one of pixels when it has no VAE and 3 channels."""
    if not (folder / "vae" / "config.json").is_file():
        if int(unet.get("out_channels", 4)) in (3, 6):
            return PixelLatent(), True
        raise ValueError(
            "vae/config.json is missing, so the scale of the latents is unknown; copy that file into the folder (its "
            "weights are not needed)"
        )
    config = read_json(folder / "vae" / "config.json")
    if config.get("latents_mean") is not None:
        raise ValueError("vae/config.json scales each channel (latents_mean); load this model with the host's loaders")
    channels = int(config.get("latent_channels", 4))
    scale, shift = float(config.get("scaling_factor", 0.18215)), float(config.get("shift_factor") or 0.0)
    known = {(4, 0.18215, 0.0): host.LatentSD15, (4, 0.13025, 0.0): host.LatentSDXL}.get((channels, scale, shift))
    latent: Any = known() if known else FolderLatent(channels, scale, shift)
    latent.spacial_downscale_ratio = 2 ** (len(config.get("block_out_channels", [64])) - 1)
    return latent, False


def _noising(folder: Path) -> Tensor:
    for name in _NOISING:
        file = folder / name / "scheduler_config.json"
        if file.is_file():
            return read_schedule(file).alphas_cumprod
    raise ValueError(f"{_NOISING[0]}/scheduler_config.json is missing: the noise on the low-resolution picture")
