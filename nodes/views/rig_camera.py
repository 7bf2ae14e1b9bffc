"""A rig's camera as the host's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...renderers.cameras.viewer import centred, in_world, to_load3d
from ...renderers.cameras.viewpoints import Orbit, Vector, Viewpoint
from ...renderers.mesh.space import MeshTexture
from ...renderers.splats.space import SplatColours
from ...renderers.splats.splats import IN_VIEWER


def rig_camera(
    rig: Any, number: int, space: Any = None, model_3d_info: Sequence[Mapping[str, Any]] | None = None
) -> tuple[dict[str, Any], int, int]:
    """(The rig's ``number``-th camera, from 1, as the host's LOAD3D_CAMERA; width and height of a picture that shows
    what the view shows, or holds it where the view lies beside the camera's axis).

    space: of the object, which says where it stands and how large it is. model_3d_info: where a viewer put it. Raises
    ValueError for rigs without cameras that stand somewhere, for a number that the rig does not have, and without a
    space where one is needed.
    """
    if not isinstance(rig, Orbit):
        raise ValueError(f"a rig of {getattr(rig, 'kind', type(rig).__name__)} has no such cameras; use OrbitRig's")
    if not 1 <= number <= len(rig.viewpoints):
        raise ValueError(f"there is no view {number}; this rig has views 1 to {len(rig.viewpoints)}")
    seen, middle = _in_viewer(rig, number - 1, space)
    placed = in_world(Viewpoint(middle), model_3d_info).position
    straight, height, width = centred(in_world(seen, model_3d_info), rig.height, rig.width)
    return to_load3d(straight, height, width, placed), width, height


def _in_viewer(rig: Orbit, index: int, space: Any) -> tuple[Viewpoint, Vector]:
    """(The camera, the object's middle) in the viewer's world."""
    if isinstance(space, MeshTexture):
        mesh = space.mesh
        return rig.in_scene(mesh.centre, mesh.radius)[index], mesh.centre
    if isinstance(space, SplatColours):
        splats = space.splats
        middle = Viewpoint(splats.centre).turned(IN_VIEWER).position
        return splats.cameras(rig)[index].turned(IN_VIEWER), middle
    if space is not None:
        kind = getattr(space, "kind", type(space).__name__)
        raise ValueError(f"a space of kind {kind} is no object; use MeshSpace's or SplatSpace's")
    if rig.units == "object":
        raise ValueError("the rig's cameras stand around an object; connect MeshSpace's or SplatSpace's space")
    return rig.viewpoints[index], (0.0, 0.0, 0.0)
