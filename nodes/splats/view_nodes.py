"""Splats as they are seen: by the cameras of a rig, and turning."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.colours import BACKGROUNDS
from ...renderers.panorama.depth import RANGES
from ..declare import Choice, Node, Number, Socket, Whole
from ..host.splat_socket import splats_of
from ..widgets import MAX_SIDE, side
from .pictures import colours_of, splat_views, turned
from .widgets import CAMERAS, RULE, SPACE, SPLATS, UP

BACKGROUND = Choice(BACKGROUNDS).says("What shines through where there are no splats.")


@Node(
    "Splat Views",
    "splats",
    inputs={
        "space": SPACE,
        "rig": CAMERAS,
        "background": BACKGROUND,
        "range": Choice(RANGES, default="joint").says(
            "joint: white and black mean the same in all views. per view: every view uses the whole range, for more "
            "contrast."
        ),
    },
    optional={"mask": Socket("MASK").says("Splats that are meant, of SplatMask.")},
    outputs={
        "images": Socket("IMAGE").says("The present colours, one picture per view, in rig order."),
        "depth": Socket("IMAGE").says("Depth hints, near is white, for ControlNetApply."),
        "alpha": Socket("MASK").says("How much of a pixel is splats."),
        "masks": Socket("MASK").says("Where the splats of the mask are; without a mask, the same as alpha."),
    },
    search=["render", "depth", "controlnet", "3dgs"],
)
class SplatViews:
    """Splats as the cameras see them: pictures to start from, depth for a ControlNet, masks. Costs about half a second
    per view of 512 x 512 pixels and 100 thousand splats with numba, four times that without."""

    def render(
        self, space: Any, rig: Any, background: str, range: Any, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return splat_views(space, rig, background, range, mask)


@Node(
    "Splat Turntable",
    "splats",
    inputs={
        "splats": SPLATS,
        "frames": Whole(24, 1, 1000).says("Frames of one turn."),
        "width": side(384, 8, MAX_SIDE).says("Width of a frame, pixels."),
        "height": side(384, 8, MAX_SIDE).says("Height of a frame, pixels."),
        "elevation": Number(15.0, -90.0, 90.0, 5.0).says("Degrees the camera looks down by."),
        "start": Number(0.0, -360.0, 360.0, 5.0, advanced=True).says(
            "Azimuth of the first frame, degrees; 0 is the front."
        ),
        "fov": Number(40.0, 1.0, 150.0, 1.0, advanced=True).says("Horizontal field of view, degrees."),
        "distance": Number(0.0, 0.0, 100.0, 0.1, advanced=True).says(
            "Distance of the camera in radii of the scene. 0 = so that the scene fits."
        ),
        "up": UP,
        "rule": RULE.given(advanced=True),
        "background": BACKGROUND,
    },
    outputs={
        "frames": Socket("IMAGE").says("One picture per frame, the first from the front."),
        "alpha": Socket("MASK").says("How much of a pixel is splats."),
    },
    search=["preview", "render", "video", "3dgs"],
)
class SplatTurntable:
    """Frames of splats that turn once, to look at on every ComfyUI or to save as a film. Costs about a third of a
    second per frame of 512 x 512 pixels and 100 thousand splats with numba, four times that without."""

    def turn(self, splats: Any, up: Any, rule: Any, **view: Any) -> tuple[Tensor, Tensor]:
        space, _ = colours_of(splats_of(splats), up, rule, "auto")
        return turned(space, **view)
