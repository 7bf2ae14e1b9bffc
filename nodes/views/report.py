"""What a rig sees, before anything is sampled: pictures and figures."""

from __future__ import annotations

import logging
from typing import Any

from ...renderers.counts import RigSight
from ...renderers.scene import Scene
from ..host.errors import named
from ..sampling.sampler import SCENE
from .stitch import save_preview

# Coarse counts are shown at about this many pixels.
_SHOWN = 1024


def rig_report(scene: Scene) -> RigSight:
    """How many views see each place; of a mesh, how straight the best one looks. Holes are logged as a warning too."""
    found = scene.geometry.sight()
    if found.warning:
        logging.warning("RigReport: %s", found.warning)
    return found


class RigReport:
    CATEGORY = "SyncTweedies/space"
    DESCRIPTION = (
        "Shows what the views see before anything is sampled: how many views each place has, and holes that none sees. "
        "Costs some milliseconds."
    )
    RETURN_TYPES = ("INT", "IMAGE", "STRING")
    RETURN_NAMES = ("views", "coverage", "text")
    OUTPUT_TOOLTIPS = (
        "Number of views: model calls per step.",
        "How many views see each place, dark to bright; black is a hole. Of a mesh two pictures, texture and object: "
        "how straight the best view looks at each place. Of splats a square, one pixel a splat.",
        "The figures, one a line; the last warns of holes.",
    )
    FUNCTION = "report"
    OUTPUT_NODE = True
    SEARCH_ALIASES = ["coverage", "holes", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": dict(SCENE)}

    def report(self, space: Any, rig: Any) -> dict[str, Any]:
        with named("RigReport"):
            scene = Scene(space, rig)
            found = rig_report(scene)
            shown = [save_preview(picture) for picture in found.pictures]
            result = (len(scene.view_places()), found.pictures, found.text)
            return {"ui": {"images": shown, "text": [found.text]}, "result": result}


NODES = {"RigReport": RigReport}
NAMES = {"RigReport": "Rig Report"}
