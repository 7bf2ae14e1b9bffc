"""What a rig sees, before anything is sampled.

What a rig sees of a space: pictures and figures for the node RigReport.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...renderers.coverage import coverage_lines, hole_warning, rig_coverage
from ...renderers.mesh.geometry import MeshGeometry
from ...renderers.scene import Scene
from ..declare import Node, Socket
from ..mesh.pictures import mesh_report
from ..widgets import SCENE
from .stitch import heat, save_preview, splat_picture

# Coarse counts are shown at about this many pixels.
_SHOWN = 1024


@dataclass(frozen=True)
class RigSight:
    """views: how many. pictures: float [n, H, W, 3] in [0, 1]; of a mesh two, texture and object, else one. text: the
    figures, one a line."""

    views: int
    pictures: Tensor
    text: str


def rig_report(scene: Scene) -> RigSight:
    """How many views see each place; of a mesh, how straight the best one looks. Holes are logged as a warning too."""
    views = len(scene.view_places())
    if isinstance(scene.geometry, MeshGeometry):
        return RigSight(views, *mesh_report(scene.geometry))
    found = rig_coverage(scene)
    if warning := hole_warning(found, scene.space.kind):
        logging.warning("RigReport: %s", warning)
    rows, columns = found.per_cell.shape
    enlarged = max(1, _SHOWN // max(rows, columns))
    if scene.space.kind == "splats":
        picture = splat_picture(found.per_cell[0])
    else:
        picture = heat(found.per_cell, rows * enlarged, columns * enlarged)
    return RigSight(views, picture[None], "\n".join(coverage_lines(scene, found)))


@Node(
    "Rig Report",
    "space",
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
        found = rig_report(Scene(space, rig))
        shown = [save_preview(picture) for picture in found.pictures]
        result = (found.views, found.pictures, found.text)
        return {"ui": {"images": shown, "text": [found.text]}, "result": result}
