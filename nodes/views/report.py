"""What a rig sees, before anything is sampled: pictures and figures."""

from __future__ import annotations

import logging
from typing import Any

from ...renderers.counts import RigSight
from ...renderers.scene import Scene
from ..declare import Node, Socket
from ..widgets import SCENE
from .stitch import save_preview


def rig_report(scene: Scene) -> RigSight:
    """How many views see each place; of a mesh, how straight the best one looks. Holes are logged as a warning too."""
    found = scene.geometry.sight()
    if found.warning:
        logging.warning("RigReport: %s", found.warning)
    return found


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
