"""The canonical space and the rig that looks at it."""

from __future__ import annotations

from typing import Any

from ..renderers.plane import TAPERS, Plane, Windows
from ..renderers.scene import CanonicalSpace as Space
from ..renderers.scene import ViewRig as Rig
from .errors import named

MAX_SIDE = 16384


class CanonicalSpace:
    CATEGORY = "SyncTweedies/space"
    DESCRIPTION = "The picture that all views share. Costs nothing: it only names the kind and the size."
    RETURN_TYPES = ("CANONICAL_SPACE",)
    RETURN_NAMES = ("space",)
    OUTPUT_TOOLTIPS = ("Connect to a sampler, and to the nodes that stitch or report.",)
    FUNCTION = "build"
    SEARCH_ALIASES = ["canvas", "wide image", "tileable", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        side = {"min": 1, "max": MAX_SIDE, "step": 8}
        return {
            "required": {
                "kind": (["plane"], {"tooltip": "plane: a flat image of any size."}),
                "width": ("INT", {"default": 1536, "tooltip": "Width of the whole picture, image pixels.", **side}),
                "height": ("INT", {"default": 512, "tooltip": "Height of the whole picture, image pixels.", **side}),
                "wrap_x": (
                    "BOOLEAN",
                    {"default": False, "tooltip": "Left and right edge meet: the picture tiles horizontally."},
                ),
                "wrap_y": (
                    "BOOLEAN",
                    {"default": False, "tooltip": "Top and bottom edge meet: the picture tiles vertically."},
                ),
            }
        }

    def build(self, kind: str, width: int, height: int, wrap_x: bool, wrap_y: bool) -> tuple[Space]:
        with named("CanonicalSpace"):
            return (Plane(width, height, wrap_x, wrap_y),)


class ViewRig:
    CATEGORY = "SyncTweedies/space"
    DESCRIPTION = (
        "The views that the model denoises together. More overlap joins them better and costs one model call per view."
    )
    RETURN_TYPES = ("VIEW_RIG",)
    RETURN_NAMES = ("rig",)
    OUTPUT_TOOLTIPS = ("Connect together with a CANONICAL_SPACE.",)
    FUNCTION = "build"
    SEARCH_ALIASES = ["tiles", "windows", "cameras", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "kind": (["windows"], {"tooltip": "windows: rectangles of a plane, in reading order."}),
                "width": (
                    "INT",
                    {
                        "default": 512,
                        "min": 1,
                        "max": MAX_SIDE,
                        "step": 8,
                        "tooltip": "Width of a view, image pixels. Use the size the model was trained on.",
                    },
                ),
                "height": (
                    "INT",
                    {
                        "default": 512,
                        "min": 1,
                        "max": MAX_SIDE,
                        "step": 8,
                        "tooltip": "Height of a view, image pixels.",
                    },
                ),
                "spacing": (
                    ["stride", "overlap"],
                    {
                        "tooltip": "What 'pixels' means: stride = the distance from one window to the next, "
                        "overlap = how much neighbours share."
                    },
                ),
                "pixels": (
                    "INT",
                    {
                        "default": 128,
                        "min": 0,
                        "max": MAX_SIDE,
                        "step": 8,
                        "tooltip": "Stride or overlap in image pixels, both directions. A last window is added where "
                        "the canvas would stick out.",
                    },
                ),
                "weights": (
                    list(TAPERS),
                    {
                        "tooltip": "How much a window's pixel counts where windows overlap. hann and triangle fade "
                        "towards the window's border and leave no seam; flat is the reference's.",
                    },
                ),
            }
        }

    def build(self, kind: str, width: int, height: int, spacing: str, pixels: int, weights: str) -> tuple[Rig]:
        with named("ViewRig"):
            x, y = (pixels, pixels) if spacing == "stride" else (width - pixels, height - pixels)
            if spacing == "overlap" and min(x, y) < 1:
                raise ValueError(f"overlap {pixels} is the whole window of {width} x {height}; use less than its sides")
            return (Windows(width, height, x, y, weights),)  # pyright: ignore[reportArgumentType]


NODES = {"CanonicalSpace": CanonicalSpace, "ViewRig": ViewRig}
NAMES = {"CanonicalSpace": "Canonical Space", "ViewRig": "View Rig"}
