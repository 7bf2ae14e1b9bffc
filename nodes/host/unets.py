"""The host's own U-Net and ControlNet as classes, for networks of sizes that it does not look for in files."""

from __future__ import annotations

from typing import Any

import comfy.cldm.cldm
import comfy.controlnet
import comfy.ldm.modules.diffusionmodules.openaimodel as openaimodel
import comfy.lora
import comfy.model_management
import comfy.ops
import comfy.sd
import comfy.utils
import torch

from .memory import load_device

UNetModel: Any = openaimodel.UNetModel
ControlNetwork: Any = comfy.cldm.cldm.ControlNet
# Layers without casts, in which blocks of either network can be wired.
Operations: Any = comfy.ops.disable_weight_init
TimestepSequential: Any = openaimodel.TimestepEmbedSequential
# What a U-Net computes, inside the wrappers that newer hosts put around its ``forward``.
unet_inside: Any = getattr(UNetModel, "_forward", UNetModel.forward)


def control_net(network: torch.nn.Module, pixels_per_cell: int) -> Any:
    """A CONTROL_NET around a network that is called as ``ControlNetwork`` is; its hints are images."""
    made: Any = comfy.controlnet.ControlNet(network, load_device=load_device())  # pyright: ignore[reportArgumentType]
    made.compression_ratio = pixels_per_cell
    return made


def with_lora(model: Any, clip: Any, file: str, strength: float) -> tuple[Any, Any]:
    """What LoraLoader does: copies of MODEL and CLIP that carry the LoRA of a file."""
    lora = comfy.utils.load_torch_file(file, safe_load=True)
    model, clip = comfy.sd.load_lora_for_models(model, clip, lora, strength, strength)
    return model, clip
