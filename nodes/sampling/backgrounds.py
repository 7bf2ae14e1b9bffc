"""What views of an object show around it."""

from __future__ import annotations

from typing import Any

from ...renderers.geometry import Rig
from ..engine.backgrounds import POLICIES, rig_with_background
from ..host.errors import named


class ViewBackground:
    CATEGORY = "SyncTweedies/space"
    DESCRIPTION = (
        "Decides what views of a mesh or of splats show around the object while they are denoised, so that no view's "
        "own background creeps into the object's colours. Costs a VAE encode for each colour, once."
    )
    RETURN_TYPES = ("VIEW_RIG",)
    RETURN_NAMES = ("rig",)
    OUTPUT_TOOLTIPS = ("The same cameras with this background. Connect to the sampler.",)
    FUNCTION = "build"
    SEARCH_ALIASES = ["background colour", "mesh background", "silhouette", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "rig": ("VIEW_RIG", {"tooltip": "Cameras around an object, from OrbitRig."}),
                "policy": (
                    list(POLICIES),
                    {
                        "default": "random",
                        "tooltip": "own: each view invents its background, as published. constant: one colour, which "
                        "the prompt should name. random: another plain colour for each view at every step, so that "
                        "none can leak into the object; later each keeps its last.",
                    },
                ),
                "colour": ("STRING", {"default": "#808080", "tooltip": "constant: the colour, as #rrggbb."}),
                "freeze_at": (
                    "FLOAT",
                    {
                        "default": 0.4,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.05,
                        "tooltip": "random: fraction of the steps after which colours stay. At 0 each view has one "
                        "colour from the start.",
                    },
                ),
            },
            "optional": {
                "vae": ("VAE", {"tooltip": "The model's VAE; needed for constant and random."}),
            },
        }

    def build(self, rig: Rig, policy: str, colour: str, freeze_at: float, vae: Any = None) -> tuple[Rig]:
        with named("ViewBackground"):
            return (rig_with_background(rig, policy, colour, freeze_at, vae),)


NODES = {"ViewBackground": ViewBackground}
NAMES = {"ViewBackground": "View Background"}
