"""The pack's small trained model, loaded through its node, and the host's own nodes around it. Import after hosting."""

from __future__ import annotations

import functools
from typing import Any

import torch
from helpers.model_files import folder_paths, run_host_node
from syncpack.nodes.models.toy.model import FOLDER, LORA
from syncpack.nodes.models.toy_nodes import ToyWorldModel
from torch import Tensor


@functools.cache
def toy() -> tuple[Any, Any, Any, Any]:
    """(MODEL, CLIP, VAE, CONTROL_NET)"""
    return ToyWorldModel().load(0.0)


@functools.cache
def said(words: str) -> Any:
    """A CONDITIONING"""
    return run_host_node("CLIPTextEncode", clip=toy()[1], text=words)[0]


def with_blueprint(strength: float) -> Any:
    """The MODEL behind the host's LoraLoader with the shipped LoRA."""
    folder_paths.add_model_folder_path("loras", str(FOLDER))
    model, clip, *_ = toy()
    return run_host_node(
        "LoraLoader", model=model, clip=clip, lora_name=LORA, strength_model=strength, strength_clip=strength
    )[0]


def with_depth(positive: Any, negative: Any, hints: Tensor, strength: float = 1.0, end: float = 1.0) -> Any:
    """(positive, negative) behind the host's ControlNetApplyAdvanced; hints IMAGE [N, h, w, 3]."""
    return run_host_node(
        "ControlNetApplyAdvanced",
        positive=positive,
        negative=negative,
        control_net=toy()[3],
        image=hints,
        strength=strength,
        start_percent=0.0,
        end_percent=end,
    )


def painted(
    positive: Any, negative: Any, seed: int = 1, steps: int = 8, cfg: float = 3.0, size: int = 64, model: Any = None
) -> Tensor:
    """What the host's own KSampler makes of it: IMAGE [1, size, size, 3]."""
    latent = {"samples": torch.zeros(1, 3, size, size)}
    given = {"model": toy()[0] if model is None else model, "seed": seed, "steps": steps, "cfg": cfg}
    (made,) = run_host_node(
        "KSampler",
        **given,
        sampler_name="dpmpp_2m",
        scheduler="karras",
        positive=positive,
        negative=negative,
        latent_image=latent,
        denoise=1.0,
    )
    return run_host_node("VAEDecode", vae=toy()[2], samples=made)[0]
