"""What views of an object show around it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from ...renderers.cameras.backgrounds import PALETTE, Background
from ...renderers.cameras.viewpoints import Orbit
from ...renderers.colours import rgb_of
from ...renderers.geometry import Rig
from ..declare import Choice, Node, Number, Socket, Text
from ..engine.vae import vae_encode

POLICIES = ("own", "constant", "random")


@Node(
    "View Background",
    "views",
    inputs={
        "rig": Socket("VIEW_RIG").says("Cameras around an object, from OrbitRig."),
        "policy": Choice(POLICIES, default="random").says(
            "own: each view invents its background, as published. constant: one colour, which the prompt should name. "
            "random: another plain colour for each view at every step, so that none can leak into the object; later "
            "each keeps its last."
        ),
        "colour": Text("#808080").says("constant: the colour, as #rrggbb.").when(policy=("constant",)),
        "freeze_at": Number(0.4, 0.0, 1.0, 0.05, advanced=True)
        .says("random: fraction of the steps after which colours stay. At 0 each view has one colour from the start.")
        .when(policy=("random",)),
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


def rig_with_background(rig: Any, policy: str, colour: str, until: float, vae: Any) -> Orbit:
    """The rig with a background. colour: "#rrggbb", for ``constant``. Raises ValueError for rigs that have none, and
    without a VAE."""
    if not isinstance(rig, Orbit):
        raise ValueError(f"views of {rig.kind} have no background; use cameras around a mesh or splats (OrbitRig)")
    if policy == "own":
        return replace(rig, background=None)
    if policy not in POLICIES:
        raise ValueError(f"policy '{policy}' is unknown; use one of {', '.join(POLICIES)}")
    if vae is None:
        raise ValueError(f"background {policy} is encoded by the model's VAE; connect vae, or set policy to own")
    colours = PALETTE if policy == "random" else (rgb_of(colour),)
    encoded = [
        vae_encode(vae, torch.tensor(c).expand(1, rig.height, rig.width, 3).contiguous()).squeeze(2) for c in colours
    ]
    return replace(rig, background=Background(torch.cat(encoded), until if policy == "random" else 0.0))
