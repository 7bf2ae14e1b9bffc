"""Views back to one picture, and how well they fit."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.scene import Scene
from ..host.errors import named
from ..sampling.sampler import SCENE, VIEW_PICTURES
from .stitch import decoded_views, report, save_preview, stitch


class StitchViews:
    CATEGORY = "SyncTweedies/output"
    DESCRIPTION = (
        "Joins views into the whole picture. Latents are decoded view by view, so memory does not grow with the "
        "picture; costs one VAE decode per view."
    )
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("image", "coverage")
    OUTPUT_TOOLTIPS = ("The whole picture, exactly the size of the space.", "1 where some view sees the picture.")
    FUNCTION = "stitch"
    SEARCH_ALIASES = ["untile", "merge tiles", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": dict(SCENE),
            "optional": {
                **VIEW_PICTURES,
                "images": (
                    "IMAGE",
                    {"tooltip": "View images in rig order, instead of latents (decoded or edited elsewhere)."},
                ),
                "cell": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 64,
                        "tooltip": "Image pixels per latent cell of the model that made the images: 8 for most, 1 for "
                        "ExemplarModel. 0 = from the latents, or 8. Only matters for odd sizes.",
                        "advanced": True,
                    },
                ),
            },
        }

    def stitch(
        self,
        space: Any,
        rig: Any,
        views: dict[str, Any] | None = None,
        vae: Any = None,
        images: Tensor | None = None,
        cell: int = 0,
    ) -> tuple[Tensor, Tensor]:
        with named("StitchViews"):
            scene = Scene(space, rig)
            if views is not None:
                cell = cell or scene.cell_of_views(tuple(views["samples"].shape))
            if images is not None:
                return stitch(scene, images, images.shape[0], cell or 8)
            if views is None or vae is None:
                raise ValueError("nothing to stitch; connect views with a vae, or images")
            return stitch(scene, decoded_views(scene, vae, views["samples"]), views["samples"].shape[0], cell)


class SyncReport:
    CATEGORY = "SyncTweedies/output"
    DESCRIPTION = (
        "Measures how well the views fit: seam ratio (1 = no seam), cross-view PSNR, coverage, fine detail and noise "
        "that averaging leaves. Costs some milliseconds."
    )
    RETURN_TYPES = ("STRING", "IMAGE", "STRING")
    RETURN_NAMES = ("text", "coverage", "json")
    OUTPUT_TOOLTIPS = (
        "The figures, one a line.",
        "How many views see each pixel, dark to bright; black is a hole.",
        "The figures as a JSON object, for scripts; null where there is nothing to measure.",
    )
    FUNCTION = "report"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {**SCENE, "views": ("LATENT", {"tooltip": "View latents in rig order, as sampled."})}}

    def report(self, space: Any, rig: Any, views: dict[str, Any]) -> dict[str, Any]:
        with named("SyncReport"):
            result = report(Scene(space, rig), views["samples"])
            shown = save_preview(result.coverage)
            return {
                "ui": {"images": [shown], "text": [result.text]},
                "result": (result.text, result.coverage[None], result.json),
            }


NODES = {"StitchViews": StitchViews, "SyncReport": SyncReport}
NAMES = {"StitchViews": "Stitch Views", "SyncReport": "Sync Report"}
