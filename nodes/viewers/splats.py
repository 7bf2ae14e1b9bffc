"""Splats for the viewer in the graph: written as a .splat file where the front end can fetch it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...renderers.drawing.outlines import for_viewer
from ...renderers.splats.drawn import splat_outlines
from ...renderers.splats.files.load_save import scene_bytes
from ...renderers.splats.splats import Splats, Up
from ...renderers.splats.weights.project import Rule
from ..saving import save_files


def preview_splats(splats: Splats, up: Up, rule: Rule, rig: Any = None) -> dict[str, Any]:
    """Write splats to the host's temp folder -> what the front end shows: the file, how the scene lies in it, and the
    cameras of a rig.

    Raises ValueError as ``splat_outlines``.
    """
    splats = replace(splats, up=up)
    outlines = {} if rig is None else {"rig": for_viewer(splat_outlines(splats, rig))}
    data = scene_bytes(splats, "splat")
    (file,) = save_files("synctweedies_splats", lambda stem: {f"{stem}.splat": data}, "temp")
    scene = {
        "file": file,
        "axes": [list(axis) for axis in splats.axes],
        "centre": list(splats.centre),
        "radius": splats.radius,
        "sharp": rule == "antialiased",
    }
    return {"splats": [scene], **outlines}
