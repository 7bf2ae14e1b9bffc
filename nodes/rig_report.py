"""What a rig sees of a space: pictures and figures for the node RigReport."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from torch import Tensor

from ..renderers.coverage import coverage_lines, hole_warning, rig_coverage
from ..renderers.mesh.mesh_scene import MeshGeometry
from ..renderers.scene import Scene
from .mesh_pictures import mesh_report
from .stitch import heat, splat_picture

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
