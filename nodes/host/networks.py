"""What it takes to make a MODEL, CLIP or VAE of the host from a network it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.model_sampling
import comfy.ops
import comfy.supported_models_base
import torch
from torch import Tensor

from .memory import load_device
from .wrappers import patcher_extension


class X0Sampling(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS):
    """Discrete noise levels of a network whose output is the clean estimate itself."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        return model_output


def network_dtypes(parameters: int) -> tuple[torch.dtype, torch.dtype | None]:
    """(type of the weights, type to compute in or None for the same) that the host chooses for a network.

    Half precision where it would choose 8 bits, which only its own networks can be stored in.
    """
    weights = comfy.model_management.unet_dtype(model_params=parameters)
    weights = torch.float16 if weights.itemsize < 2 else weights
    return weights, comfy.model_management.unet_manual_cast(weights, load_device())


def use_cast_layers(module: torch.nn.Module, cast: bool) -> None:
    """Turn torch's own layers inside ``module`` into the host's, in place and with the same weights.

    The host can then keep part of the weights off the device and, with ``cast``, compute in another type than they
    are stored in. Layers of other classes stay as they are.
    """
    ops = comfy.ops.manual_cast if cast else comfy.ops.disable_weight_init
    known: dict[type, Any] = {}
    for name in ("Linear", "Conv2d", "GroupNorm", "LayerNorm"):
        for source in (torch.nn, comfy.ops.manual_cast, comfy.ops.disable_weight_init):
            known[getattr(source, name)] = getattr(ops, name)
    for layer in module.modules():
        layer.__class__ = known.get(type(layer), type(layer))


def run_network(
    call: Callable[..., Tensor], network: Any, options: dict[str, Any], *inputs: Any, **conds: Any
) -> Tensor:
    """Call a network through the wrappers that the host lets users put around it, where it has them."""
    if patcher_extension is None:
        return call(*inputs, **conds)
    wrappers = patcher_extension.get_all_wrappers(patcher_extension.WrappersMP.DIFFUSION_MODEL, options)
    return patcher_extension.WrapperExecutor.new_class_executor(call, network, wrappers).execute(*inputs, **conds)


def vae(state: dict[str, Tensor], config: dict[str, Any] | None) -> Any:
    """The host's VAE from a state dict; ``config`` (its AutoencoderKL's arguments) where the size is not the usual."""
    from comfy import sd

    return sd.VAE(sd=state, config=None if config is None else {"params": config})


def clip(tokenizer: Callable[..., Any], encoder: Callable[..., Any]) -> Any:
    """The host's CLIP around a tokenizer and a text encoder that follow its protocol (both given as factories)."""
    from comfy import sd

    target: Any = comfy.supported_models_base.ClipTarget(tokenizer, encoder)
    return sd.CLIP(target)


def weighted_parts(text: str) -> list[tuple[str, float]]:
    """A prompt cut where the host's '(words:1.2)' notation changes the weight."""
    from comfy import sd1_clip

    parts: Any = sd1_clip.token_weights(sd1_clip.escape_important(text), 1.0)
    return [(sd1_clip.unescape_important(part), weight) for part, weight in parts]


def text_device() -> torch.device:
    return comfy.model_management.text_encoder_device()


def text_dtype(device: torch.device) -> torch.dtype:
    """Float32 on a CPU, which is slow in half precision; else what the host chooses."""
    return torch.float32 if device.type == "cpu" else comfy.model_management.text_encoder_dtype(device)


def text_encoder(clip: Any) -> Callable[[str], list[list[Any]]]:
    """Text -> CONDITIONING, as CLIPTextEncode does it. Raises ValueError when there is no CLIP."""
    if clip is None:
        raise ValueError("clip is None: the checkpoint holds no text encoder; load one with CLIPLoader")

    def encode(text: str) -> list[list[Any]]:
        tokens = clip.tokenize(text)
        if hasattr(clip, "encode_from_tokens_scheduled"):
            return clip.encode_from_tokens_scheduled(tokens)
        encoded, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
        return [[encoded, {"pooled_output": pooled}]]

    return encode
