"""Hints for ControlNets, as the host attaches them to prompts."""

# pyright: strict
from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor

Conditioning = list[Any]


def with_hint(
    prompts: tuple[Conditioning, Conditioning],
    control_net: Any,
    images: Tensor,
    strength: float,
    span: tuple[float, float],
    vae: Any = None,
) -> tuple[Conditioning, Conditioning]:
    """The prompts, (positive, negative), with a ControlNet that looks at images [N, h, w, 3] in the part ``span`` of
    the run (fractions of it); ControlNets that are attached already stay. vae: for those that look at latents."""
    hint = images.movedim(-1, 1)
    # Releases of 2024 know no ControlNets that look at latents.
    more = {"vae": vae} if "vae" in inspect.signature(control_net.set_cond_hint).parameters else {}
    made: dict[int, Any] = {}

    def hinted(before: Any) -> Any:
        if id(before) not in made:
            made[id(before)] = control_net.copy().set_cond_hint(hint, strength, span, **more)
            made[id(before)].set_previous_controlnet(before)
        return made[id(before)]

    def attached(prompt: Conditioning) -> Conditioning:
        return [
            [text, {**values, "control": hinted(values.get("control")), "control_apply_to_uncond": False}]
            for text, values in prompt
        ]

    return attached(prompts[0]), attached(prompts[1])
