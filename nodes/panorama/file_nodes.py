"""Panoramas and files: depth of a sphere in, a photo sphere out."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.panorama.depth import MEANINGS, RANGES
from ..files import input_file, state_of
from ..host.errors import named
from ..links import said
from ..saving import HIDDEN, check_prefix, workflow_of
from .nodes import CAMERAS, PANORAMA
from .pictures import PANORAMA_FORMATS, depth_views, save_panoramas


class PanoramaDepthViews:
    CATEGORY = PANORAMA
    DESCRIPTION = (
        "Depth of a whole sphere as one hint per view for a depth ControlNet: near is white, far is black, and depth "
        "is measured as a camera does. Costs some milliseconds per view."
    )
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("hints", "valid")
    OUTPUT_TOOLTIPS = (
        "One hint per view, in rig order, for ControlNetApply.",
        "1 where the depth is known; elsewhere the hint is black.",
    )
    FUNCTION = "build"
    SEARCH_ALIASES = ["controlnet", "360 depth", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "rig": CAMERAS,
                "values": (
                    list(MEANINGS),
                    {
                        "default": "inverse",
                        "tooltip": "What the values are. distance: along the ray, any unit. inverse: one over it, near "
                        "is bright, as depth estimators give it.",
                    },
                ),
                "range": (
                    list(RANGES),
                    {
                        "default": "joint",
                        "tooltip": "joint: white and black mean the same in all views, so overlaps agree. per view: "
                        "every view uses the whole range, for more contrast.",
                    },
                ),
                "file": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Name of a depth file in ComfyUI's input folder: .png or .tif in 16-bit grey, .npy, "
                        ".exr, .dpt.",
                    },
                ),
            },
            "optional": {"image": ("IMAGE", {"tooltip": "The depth as a grey panorama, instead of a file."})},
        }

    @classmethod
    def IS_CHANGED(cls, file: str | None = "", **_: Any) -> str:
        """The file may change under the same name."""
        try:
            return f"{file} {state_of(input_file(file or ''))}"
        except (OSError, ValueError):
            return file or ""

    def build(self, rig: Any, values: Any, range: Any, file: str, image: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with named("PanoramaDepthViews"):
            return depth_views(rig, file, image, values, range)


class SavePanorama:
    CATEGORY = PANORAMA
    DESCRIPTION = (
        "Saves a panorama as a JPEG or PNG file that photo viewers and web sites open as a sphere (GPano metadata), "
        "with the workflow in it. Costs what saving a picture costs."
    )
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("The panorama, unchanged.",)
    FUNCTION = "save"
    OUTPUT_NODE = True
    SEARCH_ALIASES = ["360", "photo sphere", "gpano", "xmp", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": ("IMAGE", {"tooltip": "Equirectangular panoramas, or a strip of one around its middle."}),
                "filename_prefix": (
                    "STRING",
                    {"default": "SyncTweedies/panorama", "tooltip": "Folder and name in ComfyUI's output folder."},
                ),
                "quality": ("INT", {"default": 95, "min": 1, "max": 100, "tooltip": "Quality of a JPEG file."}),
                "full_width": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 65536,
                        "tooltip": "Pixels that 360 degrees would have, when the image shows only a part around the "
                        "middle. 0 = the image's own width.",
                    },
                ),
                "heading": (
                    "FLOAT",
                    {
                        "default": 0.0,
                        "min": -360.0,
                        "max": 360.0,
                        "step": 1.0,
                        "tooltip": "Azimuth that a viewer first looks at, degrees; 0 is the middle of the panorama.",
                    },
                ),
            },
            "optional": {
                "format": (
                    list(PANORAMA_FORMATS),
                    {
                        "default": "jpg",
                        "tooltip": "jpg: what viewers of spheres know. png: without loss; dragged onto the page it "
                        "opens its workflow, which of JPEG files ComfyUI does not read.",
                    },
                )
            },
            "hidden": HIDDEN,
        }

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: str | None = None) -> bool | str:
        return said(check_prefix, filename_prefix)

    def save(
        self,
        image: Tensor,
        filename_prefix: str,
        quality: int,
        full_width: int,
        heading: float,
        format: str = "jpg",
        prompt: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        with named("SavePanorama"):
            origin = workflow_of(prompt, extra_pnginfo)
            shown = save_panoramas(image, filename_prefix, quality, full_width, heading, format, origin)
            return {"ui": {"images": shown}, "result": (image,)}


NODES = {"PanoramaDepthViews": PanoramaDepthViews, "SavePanorama": SavePanorama}
NAMES = {"PanoramaDepthViews": "Panorama Depth Views", "SavePanorama": "Save Panorama"}
