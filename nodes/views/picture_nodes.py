"""Pictures for the views, cut from one picture of the whole."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.scene import Scene
from ..host.errors import named
from ..sampling.sampler import SCENE
from .pictures import view_images


class SyncTweediesViewImages:
    CATEGORY = "SyncTweedies/conditioning"
    DESCRIPTION = (
        "Cuts one picture of the whole (a depth map, edges, a mask) into one picture per view: the hints for "
        "ControlNetApplyAdvanced, which then gives every view its own. Costs some milliseconds."
    )
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("images", "masks")
    OUTPUT_TOOLTIPS = ("One image per view, in rig order.", "One mask per view, in rig order; 1 where none is given.")
    FUNCTION = "cut"
    SEARCH_ALIASES = ["tile image", "split image", "controlnet hints per view", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": dict(SCENE),
            "optional": {
                "image": ("IMAGE", {"tooltip": "The whole picture; scaled to the size of the space where it differs."}),
                "mask": ("MASK", {"tooltip": "A mask over the whole picture."}),
                "cell": (
                    "INT",
                    {
                        "default": 8,
                        "min": 1,
                        "max": 64,
                        "tooltip": "Image pixels per latent cell of the model that gets the hints: 8 for most, 1 for "
                        "ExemplarModel. Only matters for odd sizes.",
                        "advanced": True,
                    },
                ),
            },
        }

    def cut(
        self, space: Any, rig: Any, image: Tensor | None = None, mask: Tensor | None = None, cell: int = 8
    ) -> tuple[Tensor, Tensor]:
        with named("SyncTweediesViewImages"):
            return view_images(Scene(space, rig), image, mask, cell)


NODES = {"SyncTweediesViewImages": SyncTweediesViewImages}
NAMES = {"SyncTweediesViewImages": "SyncTweedies View Images"}
