"""Splats as they are seen: by the cameras of a rig, and turning."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.colours import BACKGROUNDS
from ...renderers.panorama.depth import RANGES
from ..host.errors import named
from ..host.splat_socket import splats_of
from ..views.spaces import MAX_SIDE
from .file_nodes import SPLATS
from .nodes import CAMERAS, RULE, SCENE, SPACE, UP
from .pictures import colours_of, splat_views, turned

BACKGROUND = (list(BACKGROUNDS), {"tooltip": "What shines through where there are no splats."})


class SplatViews:
    CATEGORY = SPLATS
    DESCRIPTION = (
        "Splats as the cameras see them: pictures to start from, depth for a ControlNet, masks. Costs about half a "
        "second per view of 512 x 512 pixels and 100 thousand splats with numba, four times that without."
    )
    RETURN_TYPES = ("IMAGE", "IMAGE", "MASK", "MASK")
    RETURN_NAMES = ("images", "depth", "alpha", "masks")
    OUTPUT_TOOLTIPS = (
        "The present colours, one picture per view, in rig order.",
        "Depth hints, near is white, for ControlNetApply.",
        "How much of a pixel is splats.",
        "Where the splats of the mask are; without a mask, the same as alpha.",
    )
    FUNCTION = "render"
    SEARCH_ALIASES = ["render", "depth", "controlnet", "3dgs", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        span = (
            "joint: white and black mean the same in all views. per view: every view uses the whole range, for more "
            "contrast."
        )
        return {
            "required": {
                "space": SPACE,
                "rig": CAMERAS,
                "background": BACKGROUND,
                "range": (list(RANGES), {"default": "joint", "tooltip": span}),
            },
            "optional": {"mask": ("MASK", {"tooltip": "Splats that are meant, of SplatMask."})},
        }

    def render(
        self, space: Any, rig: Any, background: str, range: Any, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        with named("SplatViews"):
            return splat_views(space, rig, background, range, mask)


class SplatTurntable:
    CATEGORY = SPLATS
    DESCRIPTION = (
        "Frames of splats that turn once, to look at on every ComfyUI or to save as a film. Costs about a third of a "
        "second per frame of 512 x 512 pixels and 100 thousand splats with numba, four times that without."
    )
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("frames", "alpha")
    OUTPUT_TOOLTIPS = ("One picture per frame, the first from the front.", "How much of a pixel is splats.")
    FUNCTION = "turn"
    SEARCH_ALIASES = ["preview", "render", "video", "3dgs", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        side = {"default": 384, "min": 8, "max": MAX_SIDE, "step": 8}
        degrees = {"default": 0.0, "min": -360.0, "max": 360.0, "step": 5.0}
        return {
            "required": {
                "splats": SCENE,
                "frames": ("INT", {"default": 24, "min": 1, "max": 1000, "tooltip": "Frames of one turn."}),
                "width": ("INT", {**side, "tooltip": "Width of a frame, pixels."}),
                "height": ("INT", {**side, "tooltip": "Height of a frame, pixels."}),
                "elevation": (
                    "FLOAT",
                    {**degrees, "default": 15.0, "min": -90.0, "max": 90.0,
                     "tooltip": "Degrees the camera looks down by."},
                ),
                "start": ("FLOAT", {**degrees, "tooltip": "Azimuth of the first frame, degrees; 0 is the front."}),
                "fov": (
                    "FLOAT",
                    {"default": 40.0, "min": 1.0, "max": 150.0, "step": 1.0,
                     "tooltip": "Horizontal field of view, degrees."},
                ),
                "distance": (
                    "FLOAT",
                    {"default": 0.0, "min": 0.0, "max": 100.0, "step": 0.1,
                     "tooltip": "Distance of the camera in radii of the scene. 0 = so that the scene fits."},
                ),
                "up": UP,
                "rule": RULE,
                "background": BACKGROUND,
            }
        }  # fmt: skip

    def turn(self, splats: Any, up: Any, rule: Any, **view: Any) -> tuple[Tensor, Tensor]:
        with named("SplatTurntable"):
            space, _ = colours_of(splats_of(splats), up, rule, "auto")
            return turned(space, **view)


NODES = {"SplatViews": SplatViews, "SplatTurntable": SplatTurntable}
NAMES = {"SplatViews": "Splat Views", "SplatTurntable": "Splat Turntable"}
