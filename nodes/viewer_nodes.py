"""Looking around in what was made."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .errors import named
from .viewer import save_panoramas


class SyncTweediesPreview360:
    CATEGORY = "SyncTweedies/output"
    DESCRIPTION = (
        "Shows a panorama as the sphere it is: drag to look around, scroll to zoom, save the view. Costs writing one "
        "PNG a picture to the temp folder."
    )
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("image",)
    OUTPUT_TOOLTIPS = ("The panorama, unchanged.",)
    FUNCTION = "show"
    OUTPUT_NODE = True
    SEARCH_ALIASES = ["panorama viewer", "360", "equirectangular", "sphere", "vr", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": (
                    "IMAGE",
                    {"tooltip": "Equirectangular panorama of the whole sphere, twice as wide as high; or a batch."},
                )
            }
        }

    def show(self, image: Tensor) -> dict[str, Any]:
        with named("SyncTweediesPreview360"):
            # Not under "images": the front end would draw the flat picture into the node as well.
            return {"ui": {"panoramas": save_panoramas(image)}, "result": (image,)}


NODES = {"SyncTweediesPreview360": SyncTweediesPreview360}
NAMES = {"SyncTweediesPreview360": "Preview 360"}
