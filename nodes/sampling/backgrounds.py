"""What views of an object show around it."""

from __future__ import annotations

from typing import Any

from ...renderers.geometry import Rig
from ..declare import Choice, Node, Number, Socket, Text
from ..engine.backgrounds import POLICIES, rig_with_background


@Node(
    "View Background",
    "space",
    inputs={
        "rig": Socket("VIEW_RIG").says("Cameras around an object, from OrbitRig."),
        "policy": Choice(POLICIES, default="random").says(
            "own: each view invents its background, as published. constant: one colour, which the prompt should name. "
            "random: another plain colour for each view at every step, so that none can leak into the object; later "
            "each keeps its last."
        ),
        "colour": Text("#808080").says("constant: the colour, as #rrggbb."),
        "freeze_at": Number(0.4, 0.0, 1.0, 0.05).says(
            "random: fraction of the steps after which colours stay. At 0 each view has one colour from the start."
        ),
    },
    optional={"vae": Socket("VAE").says("The model's VAE; needed for constant and random.")},
    outputs={"rig": Socket("VIEW_RIG").says("The same cameras with this background. Connect to the sampler.")},
    search=["background colour", "mesh background", "silhouette"],
)
class ViewBackground:
    """Decides what views of a mesh or of splats show around the object while they are denoised, so that no view's own
    background creeps into the object's colours. Costs a VAE encode for each colour, once."""

    def build(self, rig: Rig, policy: str, colour: str, freeze_at: float, vae: Any = None) -> tuple[Rig]:
        return (rig_with_background(rig, policy, colour, freeze_at, vae),)
