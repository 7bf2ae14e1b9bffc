"""A model made of a few pictures."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.typed import split_at_commas
from ...sync_core.exemplar.prior import ExemplarConfig
from ..files import load_picture, shipped_pictures
from ..host.errors import named
from .exemplar import exemplar_model


class SyncTweediesExemplarPicture:
    CATEGORY = "SyncTweedies/loaders"
    DESCRIPTION = "One of the pictures that come with this pack, to try ExemplarModel without a file of your own."
    RETURN_TYPES = ("IMAGE", "STRING")
    RETURN_NAMES = ("image", "name")
    OUTPUT_TOOLTIPS = ("192 x 192 pixels, tileable.", "Its name in words, for ExemplarModel and for prompts.")
    FUNCTION = "load"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"picture": (list(shipped_pictures()), {"tooltip": "Which material."})}}

    def load(self, picture: str) -> tuple[Tensor, str]:
        with named("SyncTweediesExemplarPicture"):
            return load_picture(picture), picture.replace("_", " ")


class ExemplarModel:
    CATEGORY = "SyncTweedies/loaders"
    DESCRIPTION = (
        "A model without a checkpoint: it paints with the material of your pictures (a wall, a meadow, a sky), exactly "
        "denoised from their patches. Works on pixels, on any CPU: 512 x 128 pixels take about two seconds a step on "
        "two cores."
    )
    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    OUTPUT_TOOLTIPS = (
        "Samples like any EPS model, at 1 pixel per cell; use views of 64 to 128 pixels and cfg 1.",
        "Prompts choose exemplars by their names; any other prompt means all of them.",
        "Images to pixels and back, exactly.",
    )
    FUNCTION = "build"
    SEARCH_ALIASES = ["texture synthesis", "patch", "training free", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        more = {"tooltip": "Another exemplar (or a batch of them), any size from 32 to 512 pixels."}
        return {
            "required": {
                "image": (
                    "IMAGE",
                    {"tooltip": "The exemplar: 64 to 512 pixels of one material. Each image of a batch is one class."},
                ),
                "names": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Names of the exemplars, comma separated, in order; prompts choose by them. "
                        "Empty: exemplar 1, exemplar 2 ...",
                    },
                ),
                "periodic": (
                    "BOOLEAN",
                    {"default": True, "tooltip": "The exemplars tile: their patches may cross the border."},
                ),
            },
            "optional": {"image_2": ("IMAGE", more), "image_3": ("IMAGE", more), "image_4": ("IMAGE", more)},
        }

    def build(
        self,
        image: Tensor,
        names: str,
        periodic: bool,
        image_2: Tensor | None = None,
        image_3: Tensor | None = None,
        image_4: Tensor | None = None,
    ) -> tuple[Any, Any, Any]:
        with named("ExemplarModel"):
            images = [one for batch in (image, image_2, image_3, image_4) if batch is not None for one in batch]
            given = split_at_commas(names)
            labels = given or [f"exemplar {i + 1}" for i in range(len(images))]
            return exemplar_model(images, labels, ExemplarConfig(periodic=periodic))


NODES = {"ExemplarModel": ExemplarModel, "SyncTweediesExemplarPicture": SyncTweediesExemplarPicture}
NAMES = {"ExemplarModel": "Exemplar Model", "SyncTweediesExemplarPicture": "SyncTweedies Exemplar Picture"}
