"""What a rig sees, before anything is sampled."""

from __future__ import annotations

import logging
from typing import Any

from ..renderers.coverage import coverage_lines, hole_warning, rig_coverage
from ..renderers.mesh.mesh_scene import MeshGeometry
from ..renderers.scene import Scene
from .errors import named
from .mesh_pictures import mesh_report
from .sampling_nodes import SCENE
from .stitch import heat, save_preview, splat_picture

# Coarse counts are shown at about this many pixels.
_SHOWN = 1024


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
            if isinstance(scene.geometry, MeshGeometry):
                pictures, text = mesh_report(scene.geometry)
                shown = [save_preview(picture) for picture in pictures]
                result = (len(scene.view_places()), pictures, text)
                return {"ui": {"images": shown, "text": [text]}, "result": result}
            found = rig_coverage(scene)
            text = "\n".join(coverage_lines(scene, found))
            if warning := hole_warning(found, space.kind):
                logging.warning("RigReport: %s", warning)
            rows, columns = found.per_cell.shape
            enlarged = max(1, _SHOWN // max(rows, columns))
            if space.kind == "splats":
                picture = splat_picture(found.per_cell[0])
            else:
                picture = heat(found.per_cell, rows * enlarged, columns * enlarged)
            shown = save_preview(picture)
            result = (len(scene.view_places()), picture[None], text)
            return {"ui": {"images": [shown], "text": [text]}, "result": result}


NODES = {"RigReport": RigReport}
NAMES = {"RigReport": "Rig Report"}
