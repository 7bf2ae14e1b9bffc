"""Inputs that several rooms share."""

# pyright: strict
from __future__ import annotations

from collections.abc import Mapping

from .declare import Hidden, Inputs, Socket, Text, Whole

MAX_SIDE = 16384

SCENE: Inputs = {
    "space": Socket("CANONICAL_SPACE").says("The picture that the views share."),
    "rig": Socket("VIEW_RIG").says("The views."),
}
# Views as pictures: decoded here, or images made elsewhere.
VIEW_PICTURES: Inputs = {
    "views": Socket("LATENT").says("View latents in rig order; needs the VAE."),
    "vae": Socket("VAE").says("Decodes the view latents."),
    "images": Socket("IMAGE").says(
        "View images in rig order, instead of latents, at any resolution of the views' shape."
    ),
}
SEED = Whole(0, 0, 2**64 - 1, after_generate=True).says("Seed of the canonical noise.")
# Words for a text encoder.
PROMPT = Text(multiline=True, dynamic=True)
FILE_PREFIX = Text().says("Folder and name in ComfyUI's output folder.")
# The workflow, for nodes that write it into what they save: names under which it reaches them.
WORKFLOW: Mapping[str, Hidden] = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}

# A file from another node: the last inputs of the nodes that load files.
GIVEN_PATH = Socket("STRING").says(
    "Instead of the list: a file's path from another node (mesh_path of Load 3D, file of Save Textured Mesh), in "
    "ComfyUI's input, output or temp folder."
)


def side(default: int, low: int = 16, high: int = 8192) -> Whole:
    """A width or height in pixels."""
    return Whole(default, low, high, 8)
