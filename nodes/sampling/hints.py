"""A ControlNet that may be left out."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..declare import Node, Number, Socket
from ..engine.controlnets import with_hint


@Node(
    "ControlNet if Connected",
    "conditioning",
    inputs={
        "positive": Socket("CONDITIONING").says("The prompt."),
        "negative": Socket("CONDITIONING").says("The negative prompt."),
        "strength": Number(1.0, 0.0, 10.0).says("How strongly the hint is followed; 0 leaves the ControlNet out."),
        "start_percent": Number(0.0, 0.0, 1.0, 0.001).says("Where it begins, as a fraction of the run."),
        "end_percent": Number(1.0, 0.0, 1.0, 0.001).says("Where it ends, as a fraction of the run."),
    },
    optional={
        "control_net": Socket("CONTROL_NET").says("Of the model's family. Without it the prompts pass as they are."),
        "image": Socket("IMAGE").says("Its hint: one image, or one for each view in rig order."),
        "vae": Socket("VAE").says("For ControlNets that look at latents (SD 3, Flux, Qwen)."),
    },
    outputs={
        "positive": Socket("CONDITIONING").says("The prompt, with the hint where there is one."),
        "negative": Socket("CONDITIONING").says("The negative prompt, with the hint where there is one."),
    },
    search=["apply controlnet", "optional controlnet", "depth hint"],
)
class SyncTweediesControlNet:
    """Applies a ControlNet when one is connected, and passes the prompts on when none is: for workflows and blueprints
    that do without. Costs nothing itself."""

    def apply(
        self,
        positive: Any,
        negative: Any,
        strength: float,
        start_percent: float,
        end_percent: float,
        control_net: Any = None,
        image: Tensor | None = None,
        vae: Any = None,
    ) -> tuple[Any, Any]:
        if control_net is None or strength == 0:
            return positive, negative
        if image is None:
            raise ValueError("a ControlNet without a hint image; connect image, or disconnect control_net")
        return with_hint((positive, negative), control_net, image, strength, (start_percent, end_percent), vae)
