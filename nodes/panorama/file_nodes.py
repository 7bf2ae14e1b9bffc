"""Panoramas and files: depth of a sphere in, a photo sphere out."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.panorama.depth import MEANINGS, RANGES
from ..declare import Choice, Node, Number, Socket, Text, Whole
from ..files import input_state
from ..links import said
from ..saving import check_prefix, workflow_of
from ..widgets import FILE_PREFIX, WORKFLOW
from .nodes import CAMERAS
from .pictures import PANORAMA_FORMATS, depth_views, save_panoramas


@Node(
    "Panorama Depth Views",
    "panorama",
    inputs={
        "rig": CAMERAS,
        "values": Choice(MEANINGS, default="inverse").says(
            "What the values are. distance: along the ray, any unit. inverse: one over it, near is bright, as depth "
            "estimators give it."
        ),
        "range": Choice(RANGES, default="joint").says(
            "joint: white and black mean the same in all views, so overlaps agree. per view: every view uses the "
            "whole range, for more contrast."
        ),
        "file": Text().says(
            "Name of a depth file in ComfyUI's input folder: .png or .tif in 16-bit grey, .npy, .exr, .dpt. "
            "towers_depth.npy comes with the pack."
        ),
    },
    optional={"image": Socket("IMAGE").says("The depth as a grey panorama, instead of a file.")},
    outputs={
        "hints": Socket("IMAGE").says("One hint per view, in rig order, for ControlNetApply."),
        "valid": Socket("MASK").says("1 where the depth is known; elsewhere the hint is black."),
    },
    search=["controlnet", "360 depth", "panorama depth", "depth map"],
)
class PanoramaDepthViews:
    """Depth of a whole sphere as one hint per view for a depth ControlNet: near is white, far is black, and depth is
    measured as a camera does. Costs some milliseconds per view."""

    @classmethod
    def IS_CHANGED(cls, file: str | None = "", **_: Any) -> str:
        return input_state(file or "")

    def build(self, rig: Any, values: Any, range: Any, file: str, image: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return depth_views(rig, file, image, values, range)


@Node(
    "Save Panorama",
    "panorama",
    inputs={
        "image": Socket("IMAGE").says("Equirectangular panoramas, or a strip of one around its middle."),
        "filename_prefix": FILE_PREFIX.given(default="SyncTweedies/panorama"),
        "quality": Whole(95, 1, 100).says("Quality of a JPEG file."),
        "full_width": Whole(0, 0, 65536, advanced=True).says(
            "Pixels that 360 degrees would have, when the image shows only a part around the middle. 0 = the image's "
            "own width."
        ),
        "heading": Number(0.0, -360.0, 360.0, 1.0, advanced=True).says(
            "Azimuth that a viewer first looks at, degrees; 0 is the middle of the panorama."
        ),
    },
    optional={
        "format": Choice(PANORAMA_FORMATS, default="jpg").says(
            "jpg: what viewers of spheres know. png: without loss; dragged onto the page it opens its workflow, which "
            "of JPEG files ComfyUI does not read."
        )
    },
    hidden=WORKFLOW,
    outputs={"IMAGE": Socket("IMAGE").says("The panorama, unchanged.")},
    search=["360", "photo sphere", "gpano", "xmp"],
    output_node=True,
)
class SavePanorama:
    """Saves a panorama as a JPEG or PNG file that photo viewers and web sites open as a sphere (GPano metadata), with
    the workflow in it. Costs what saving a picture costs."""

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
        origin = workflow_of(prompt, extra_pnginfo)
        shown = save_panoramas(image, filename_prefix, quality, full_width, heading, format, origin)
        return {"ui": {"images": shown}, "result": (image,)}
