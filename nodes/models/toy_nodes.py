"""The small model that comes with the pack."""

from __future__ import annotations

from typing import Any

from ..declare import Node, Number, Socket
from .toy.model import toy_world


@Node(
    "Toy World Model",
    "loaders",
    inputs={
        "blueprint": Number(0.0, 0.0, 2.0, 0.05).says(
            "Strength of the LoRA that comes with it (blueprints: white lines on blue); 0 is without."
        ),
    },
    outputs={
        "MODEL": Socket("MODEL").says("Works on pixels, at 1 per cell; views of 64, to 96 pixels; cfg 2 to 4."),
        "CLIP": Socket("CLIP").says("Knows the words on the help page; others are left out, with a note in the log."),
        "VAE": Socket("VAE").says("Images to pixels and back, exactly."),
        "CONTROL_NET": Socket("CONTROL_NET").says("Depth: near is white, nothing is black; hints of any size."),
    },
    search=["checkpoint", "demo model", "controlnet", "small"],
)
class ToyWorldModel:
    """A checkpoint of 8 megabytes that comes with this pack, with its CLIP, VAE and depth ControlNet: it paints small
    objects, materials and landscapes from words, so that workflows with prompts, hints and LoRAs can be tried without a
    download. Swap it for a checkpoint of your own and set the view size to what that was trained on. On two cores
    eleven views of 64 pixels take about a tenth of a second a step."""

    def load(self, blueprint: float) -> tuple[Any, Any, Any, Any]:
        world = toy_world(blueprint)
        return world.model, world.clip, world.vae, world.controlnet
