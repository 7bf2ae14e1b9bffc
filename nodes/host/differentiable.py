"""Networks of the host that gradients flow through: twins, for the host's own weights were made in inference mode."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import comfy.utils
import torch
import torch.nn.functional as F
from torch import Tensor

from .files import model_folders

# What networks call their blocks, U-Nets aside.
_BLOCKS = ("double_blocks", "joint_blocks", "transformer_blocks", "blocks", "layers")

# How pictures are prepared for CLIP (Radford et al. 2021), where a CLIP_VISION does not say.
_CLIP_SIZE = 224
_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def twin(module: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """A copy of a network on a device, with ordinary weights that stay as they are."""
    with torch.inference_mode(False), torch.no_grad():
        made = copy.deepcopy(module)
        for owner in made.modules():
            for name, value in list(owner._parameters.items()):
                if value is not None:
                    owner._parameters[name] = torch.nn.Parameter(value.detach().clone().to(device), False)
            for name, value in list(owner._buffers.items()):
                if value is not None:
                    owner._buffers[name] = value.detach().clone().to(device)
        return keep_what_norms_saw(made).eval()


def keep_what_norms_saw(network: torch.nn.Module) -> torch.nn.Module:
    """The network itself, made fit for gradients: the host adds in place to what a norm was given, after the norm has
    kept it for the way back."""
    for part in network.modules():
        if isinstance(part, torch.nn.LayerNorm | torch.nn.GroupNorm):
            part.register_forward_pre_hook(_copied)
    return network


def _copied(_: torch.nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (given[0].clone(), *given[1:])


@contextmanager
def with_network(model: Any, network: torch.nn.Module) -> Generator[None]:
    """A model of the host (BaseModel) with another network inside."""
    own = model.diffusion_model
    model.diffusion_model = network
    try:
        yield
    finally:
        model.diffusion_model = own


def differentiable_decoder(vae: Any, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Latents as a VAE takes them [N, C, h, w] -> pictures [N, 3, H, W], about -1..1, with a gradient where the VAE has
    a network of its own, or is written in torch. Raises ValueError for a VAE without weights."""
    network: Any = getattr(vae, "first_stage_model", vae)
    if network is None:
        raise ValueError("the vae of coherence holds no weights (the checkpoint brought none); connect a VAE Loader")
    frames = getattr(vae, "latent_dim", 2) == 3
    if network is vae:
        return lambda latent: vae.decode(latent.unsqueeze(2) if frames else latent).movedim(-1, 1) * 2 - 1
    made: Any = twin(network, device)
    kind: torch.dtype = getattr(vae, "vae_dtype", torch.float32)

    def decode(latent: Tensor) -> Tensor:
        picture = made.decode((latent.unsqueeze(2) if frames else latent).to(kind))
        return (picture[:, :, 0] if picture.ndim == 5 else picture).float()

    return decode


def hidden_block(network: torch.nn.Module) -> torch.nn.Module:
    """A block in the first half of a network (U-Net or transformer), whose states tell what is seen. Raises ValueError
    for a network of another build."""
    for name, part in (("input_blocks", 2 / 3), *((name, 1 / 3) for name in _BLOCKS)):
        blocks = getattr(network, name, None)
        if isinstance(blocks, torch.nn.ModuleList) and len(blocks):
            block = blocks[int(part * len(blocks))]
            # (the host's U-Nets call the layers of a block, not the block)
            return block[-1] if isinstance(block, torch.nn.Sequential) else block
    raise ValueError("nobody knows where this model's network keeps its blocks; use features latent")


def clip_tokens(clip_vision: Any, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Pictures [N, 3, H, W] in -1..1 -> the tokens of a middle block of a CLIP vision model [N, T, C], with a gradient.
    Raises ValueError for a vision model of another kind."""
    model: Any = getattr(clip_vision, "model", None)
    layers: Any = getattr(getattr(getattr(model, "vision_model", None), "encoder", None), "layers", None)
    if layers is None:
        raise ValueError(
            "the clip_vision of coherence is no CLIP or SigLIP vision model; load one with CLIPVisionLoader"
        )
    made: Any = twin(model, device)
    block, size = max(0, len(layers) // 3 - 1), int(getattr(clip_vision, "image_size", _CLIP_SIZE))
    mean, std = (
        torch.tensor(getattr(clip_vision, name, usual)).reshape(1, 3, 1, 1)
        for name, usual in (("image_mean", _CLIP_MEAN), ("image_std", _CLIP_STD))
    )

    def tokens(picture: Tensor) -> Tensor:
        sized = F.interpolate(picture, size=(size, size), mode="bicubic", antialias=True)
        pixels = ((sized + 1) / 2).clamp(0, 1)
        ready = (pixels - mean.to(pixels)) / std.to(pixels)
        return made(pixel_values=ready, intermediate_output=block)[1][:, 1:].float()

    return tokens


def taesd_decoder(latent_format: Any, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Latents on the model's own scale -> pictures in -1..1, by the small decoder of models/vae_approx, with a
    gradient. Raises ValueError where the file is missing, and for a latent format that has none."""
    name: str | None = getattr(latent_format, "taesd_decoder_name", None)
    if not name:
        raise ValueError("there is no TAESD for this model's latents; use features latent, or vae with the model's VAE")
    files = [
        os.path.join(folder, file)
        for folder in model_folders("vae_approx")
        if os.path.isdir(folder)
        for file in sorted(os.listdir(folder))
        if file.startswith(name)
    ]
    if not files:
        raise ValueError(
            f"models/vae_approx holds no {name}.safetensors (or .pth); put it there, or use features latent"
        )
    from comfy.taesd.taesd import TAESD

    network: Any = TAESD
    # (releases that know other latents than four channels take their number)
    more = () if latent_format.latent_channels == 4 else (latent_format.latent_channels,)
    with torch.inference_mode(False):
        made: Any = network(None, None, *more)
        made.taesd_decoder.load_state_dict(comfy.utils.load_torch_file(files[0], safe_load=True))
    made = twin(made, device)
    return lambda latent: made.decode(latent)
