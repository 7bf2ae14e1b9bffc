"""Features of a CLIP model's two halves, in the space they share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def text_features(clip: Any, text: str) -> Tensor:
    """float [D]: a prompt in the space that pictures share. Raises ValueError for a text encoder without it."""
    encoder = clip.cond_stage_model
    _, pooled = clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)
    if pooled is None:
        raise ValueError("clip gives no sentence feature (it is no CLIP text encoder); load one with CLIPLoader")
    width = pooled.shape[-1]
    projections = [
        module.weight
        for name, module in encoder.named_modules()
        if name.endswith("text_projection") and module.weight.shape[0] == width
    ]
    # The host puts an identity where a file has no projection, as in checkpoints of Stable Diffusion 1.
    if not any(not torch.equal(w.float().cpu(), torch.eye(*w.shape)) for w in projections):
        raise ValueError(
            "clip has no text projection, so its prompts cannot be compared with pictures (Stable Diffusion 1 leaves "
            "it out); load a whole CLIP text encoder with CLIPLoader"
        )
    return pooled.reshape(-1, width)[0].float().cpu()


def image_features(clip_vision: Any, images: Tensor) -> Tensor:
    """float [N, D]: pictures [N, H, W, 3] in [0, 1] in the space that prompts share."""
    return clip_vision.encode_image(images)["image_embeds"].float().cpu()
