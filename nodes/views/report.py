"""What a rig sees, before anything is sampled: pictures and figures."""

from __future__ import annotations

import logging
from typing import Any

from torch import Tensor

from ...renderers.counts import RigSight
from ...renderers.scene import Scene
from ..declare import Node, Number, Socket, Whole
from ..widgets import SCENE
from .stitch import save_preview


def rig_report(scene: Scene) -> RigSight:
    """How many views see each place; of a mesh, how straight the best one looks. Holes are logged as a warning too."""
    found = scene.geometry.sight()
    if found.warning:
        logging.warning("RigReport: %s", found.warning)
    return found


def rig_picture(scene: Scene, size: int, turn: float) -> Tensor:
    """Where the views are, as a picture [H, W, 3]."""
    return scene.geometry.drawing(size, turn).clamp(0, 1)


@Node(
    "Rig Report",
    "views",
    inputs=SCENE,
    outputs={
        "views": Socket("INT").says("Number of views: model calls per step."),
        "coverage": Socket("IMAGE").says(
            "How many views see each place, dark to bright; black is a hole. Of a mesh two pictures, texture and "
            "object: how straight the best view looks at each place. Of splats a square, one pixel a splat."
        ),
        "text": Socket("STRING").says("The figures, one a line; the last warns of holes."),
    },
    search=["coverage", "holes"],
    output_node=True,
)
class RigReport:
    """Shows what the views see before anything is sampled: how many views each place has, and holes that none sees.
    Costs some milliseconds."""

    def report(self, space: Any, rig: Any) -> dict[str, Any]:
        scene = Scene(space, rig)
        found = rig_report(scene)
        shown = [save_preview(picture) for picture in found.pictures]
        result = (len(scene.view_places()), found.pictures, found.text)
        return {"ui": {"images": shown, "text": [found.text]}, "result": result}


@Node(
    "Rig Preview",
    "views",
    inputs=SCENE,
    optional={
        "size": Whole(768, 256, 4096, 8).says("Longer side of the picture, image pixels."),
        "turn": Number(0.0, -180.0, 180.0, 5.0).says(
            "Of objects: degrees to go further around, to the right as the camera moves. 0 looks from beside the front."
        ),
    },
    outputs={
        "image": Socket("IMAGE").says(
            "Around a mesh or splats the cameras, fainter where the object hides them; on a panorama the outlines of "
            "the views, on a plane its windows, brighter where they overlap; of an illusion its readings of a card."
        )
    },
    search=["cameras", "camera rig", "frustum", "show views", "windows", "layout of views"],
    output_node=True,
)
class RigPreview:
    """Draws where the views are, with their numbers, before anything is sampled. Costs one to a few seconds; nothing is
    averaged."""

    def draw(self, space: Any, rig: Any, size: int = 768, turn: float = 0.0) -> dict[str, Any]:
        picture = rig_picture(Scene(space, rig), size, turn)
        return {"ui": {"images": [save_preview(picture)]}, "result": (picture[None],)}
