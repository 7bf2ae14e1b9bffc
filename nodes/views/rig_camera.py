"""A rig's camera as the host's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...renderers.cameras.viewer import centred, in_world, to_load3d
from ...renderers.cameras.viewpoints import Orbit, Vector, Viewpoint
from ...renderers.geometry import object_space


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
    cameras, middle = _in_viewer(rig, space)
    placed = in_world(Viewpoint(middle), model_3d_info).position
    straight, height, width = centred(in_world(cameras[number - 1], model_3d_info), rig.height, rig.width)
    return to_load3d(straight, height, width, placed), width, height


def _in_viewer(rig: Orbit, space: Any) -> tuple[tuple[Viewpoint, ...], Vector]:
    """(The cameras, the object's middle) in the viewer's world."""
    if space is not None:
        return object_space(space).in_viewer(rig)
    if rig.units == "object":
        raise ValueError("the rig's cameras stand around an object; connect MeshSpace's or SplatSpace's space")
    return rig.viewpoints, (0.0, 0.0, 0.0)
