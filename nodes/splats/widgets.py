"""Inputs that several nodes of splats share."""

# pyright: strict
from __future__ import annotations

from ...renderers.splats.splats import UPS
from ...renderers.splats.weights.project import RULES
from ..declare import Choice, Socket

SPLATS = Socket("SPLAT").says("A scene of splats.")
SPACE = Socket("CANONICAL_SPACE").says("The splats, of SplatSpace.")
CAMERAS = Socket("VIEW_RIG").says("The cameras, of OrbitRig or CameraFileRig.")
UP = Choice(UPS, default="-y").says(
    "Where the scene's up points, which files do not say: -y for most scenes from photographs, +z from Blender, +y as "
    "meshes have it."
)
RULE = Choice(RULES).says(
    "How splats smaller than a pixel are drawn: antialiased as they should look, classic as INRIA's trainer draws "
    "them (use it for its scenes)."
)
