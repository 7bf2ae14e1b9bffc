"""Pictures by the networks themselves, without a MODEL around them: for sheets and the probe while training runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import comfy.k_diffusion.sampling as k_diffusion
import torch
from torch import Tensor

from ...nodes.models.toy.networks import SCALE, TextNetwork, ToyControl, ToyUNet, noise_levels
from .jobs import residuals
from .words import WORDS


def paint(
    unet: ToyUNet,
    text: TextNetwork,
    prompts: Sequence[str],
    seed: int = 0,
    size: int = 64,
    steps: int = 14,
    cfg: float = 3.0,
    control: tuple[ToyControl, Tensor] | None = None,
) -> Tensor:
    """Pictures [N, 3, size, size] in 0..1 by DPM++ 2M on Karras' levels.

    control: a ControlNet and its hints [N, 3, h, w].
    """
    device = next(unet.parameters()).device
    levels = noise_levels().to(device)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        ids = torch.tensor([WORDS.encode(p) for p in [*prompts, *[""] * len(prompts)]], device=device)
        context = text(ids)

        def clean(x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
            both = torch.cat([x, x]) / float((sigma[0] ** 2 + 1) ** 0.5)
            t = levels.timestep(sigma).float().repeat(2)
            extra = None
            if control is not None:
                extra = residuals(control[0](both, control[1].repeat(2, 1, 1, 1), t, context, context[:, 0]))
            told, untold = unet(both, t, context, context[:, 0], extra).chunk(2)
            return untold + cfg * (told - untold)

        sigmas = k_diffusion.get_sigmas_karras(steps, 0.03, float(levels.sigma_max), device=device)
        x = torch.randn(len(prompts), 3, size, size, generator=generator).to(device) * sigmas[0]
        made = k_diffusion.sample_dpmpp_2m(clean, x, sigmas, disable=True)
    return (made / SCALE / 2 + 0.5).clamp(0, 1).cpu()
