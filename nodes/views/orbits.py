"""What the widgets of OrbitRig mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...renderers.cameras.framing import ASPECTS, FRAMINGS, filled, fitted_size, tight
from ...renderers.cameras.lookouts import elevations_of
from ...renderers.cameras.orbits import Lens, custom, orbit, orbit_sphere
from ...renderers.cameras.viewer import fits_models, from_load3d, in_model, in_viewer
from ...renderers.cameras.viewpoints import Orbit, Units, Viewpoint
from ...renderers.geometry import ObjectSpace, object_space
from .. import host

ORBIT_KINDS = ("orbit", "orbit_sphere", "coverage", "custom", "camera")
PROJECTIONS = ("perspective", "orthographic")
EXAMPLE_ORBIT = "# azimuth elevation [distance [fov]], degrees\n0 0\n90 0\n180 0\n-90 0\n0 60\n180 -40 2.5"


@dataclass(frozen=True)
class OrbitWishes:
    """The widgets, with their defaults: the reference's ten cameras. Angles in degrees, lengths in object units."""

    kind: str = "orbit"
    width: int = 512
    height: int = 512
    fov: float = 60.0
    distance: float = 2.0
    projection: str = "perspective"
    azimuth_step: float = 45.0
    elevations: str = "0"
    top_cameras: bool = True
    views: int = 12
    target: float = 0.98
    cameras: str = EXAMPLE_ORBIT
    front: float = 0.0
    framing: str = "reference"
    margin: float = 0.03
    aspect: str = "as given"
    exponent: float = 1.0
    exponent_end: float = 1.0


def orbit_rig(
    wishes: OrbitWishes,
    space: Any = None,
    camera: Mapping[str, Any] | None = None,
    model_3d_info: Sequence[Mapping[str, Any]] | None = None,
) -> tuple[Orbit, str]:
    """(rig, a report of some lines). space: the mesh's or the splats', for what depends on its shape. camera: of the
    host's 3D viewer. model_3d_info: where that viewer put the model.

    Raises ValueError for values that make no rig, and without a space where one is needed.
    """
    for name, value, known in (
        ("kind", wishes.kind, ORBIT_KINDS),
        ("projection", wishes.projection, PROJECTIONS),
        ("framing", wishes.framing, FRAMINGS),
        ("aspect", wishes.aspect, ASPECTS),
    ):
        if value not in known:
            raise ValueError(f"{name} '{value}' is unknown; use one of {', '.join(known)}")
    shape = _object_space(wishes, space)
    points = None if shape is None else shape.points()
    height, width = wishes.height, wishes.width
    viewpoints, lines = _viewpoints(wishes, shape)
    units: Units = "object"
    if camera is not None:
        seen, units = _viewers_camera(camera, model_3d_info, height, width, shape, points)
        if units != "object" and viewpoints:
            raise ValueError("the viewer's camera stands where the file has it; connect the space, or use kind camera")
        viewpoints = (*viewpoints, seen)
        lines += _other_shape(camera, height, width)
    if not viewpoints:
        raise ValueError("kind camera needs a camera; connect that of Load 3D or Preview 3D")
    if shape is not None:
        shape.check_outside(viewpoints)
    if wishes.framing == "tight":
        assert points is not None
        if wishes.aspect == "fitted":
            height, width = fitted_size(viewpoints, points, height, width)
            lines.append(f"fitted views have {width} x {height} pixels")
        viewpoints = tuple(tight(v, points, height, width, wishes.margin) for v in viewpoints)
    # (among splats a camera may stand: only a tight frame needs all of them in front of it)
    if shape is not None and points is not None and (shape.solid or wishes.framing == "tight"):
        lines.append(_frames(viewpoints, points, height, width))
    exponent = (wishes.exponent, wishes.exponent_end)
    rig = Orbit(viewpoints, width, height, units, exponent=exponent, front=math.radians(wishes.front))
    return rig, "\n".join([f"{len(viewpoints)} views of {width} x {height}", *lines])


def _viewers_camera(
    camera: Mapping[str, Any],
    placed: Sequence[Mapping[str, Any]] | None,
    height: int,
    width: int,
    shape: ObjectSpace | None,
    points: Tensor | None,
) -> tuple[Viewpoint, Units]:
    """A camera of the host's 3D viewer, and what it is given in: object units, where they are known."""
    if placed is None and fits_models(camera) and not host.HAS_MODEL_INFO:
        extent = None if points is None else tuple((points.amax(0) - points.amin(0)).tolist())
        return from_load3d(camera, height, width, extent), "object"  # pyright: ignore[reportArgumentType]
    seen = in_model(in_viewer(camera, height, width), placed)
    if shape is None:
        return seen, "viewer"
    return shape.from_viewer(seen), "object"


def _other_shape(camera: Mapping[str, Any], height: int, width: int) -> list[str]:
    """A line where views have another shape than the viewer's picture."""
    aspect = camera.get("aspect")
    if not isinstance(aspect, int | float) or abs(aspect * height / width - 1) < 0.01:
        return []
    return [
        f"the viewer is {aspect:.2f} times as wide as high, views {width / height:.2f}: they are as high as it shows"
    ]


def _viewpoints(wishes: OrbitWishes, space: ObjectSpace | None) -> tuple[tuple[Viewpoint, ...], list[str]]:
    """The rig's own cameras, none for kind camera, and what to tell of how they were found."""
    lens = Lens(wishes.fov, wishes.distance, wishes.projection == "orthographic")
    front, lines = wishes.front, list[str]()
    if wishes.kind == "orbit":
        tops = ((front, 30.0), (front + 180, 30.0)) if wishes.top_cameras else ()
        found = orbit(lens, wishes.azimuth_step, elevations_of(wishes.elevations), tops, front)
    elif wishes.kind == "orbit_sphere":
        found = orbit_sphere(wishes.views, lens, front)
    elif wishes.kind == "custom":
        found = custom(wishes.cameras, lens, front)
    elif wishes.kind == "coverage":
        assert space is not None
        found, reached = space.coverage_rig(lens, wishes.target, wishes.views, front)
        lines.append(reached.text)
    else:
        return (), []
    return tuple(_across_the_shorter_side(v, wishes.height, wishes.width) for v in found), lines


def _across_the_shorter_side(viewpoint: Viewpoint, height: int, width: int) -> Viewpoint:
    """fov is meant across the shorter side, so that an object is not cut off in wide views."""
    wider = max(1.0, width / height)
    if viewpoint.span is not None:
        return replace(viewpoint, span=viewpoint.span * wider)
    return replace(viewpoint, fov=2 * math.atan(math.tan(viewpoint.fov / 2) * wider))


def _object_space(wishes: OrbitWishes, space: Any) -> ObjectSpace | None:
    needs = (wishes.kind == "coverage", "kind coverage"), (wishes.framing == "tight", "framing tight")
    if wishes.aspect == "fitted" and wishes.framing != "tight":
        raise ValueError("aspect fitted shapes tight frames; set framing to tight, or aspect to as given")
    if space is None:
        for needed, what in needs:
            if needed:
                raise ValueError(f"{what} depends on the object's shape; connect MeshSpace's space, or SplatSpace's")
        return None
    return object_space(space)


def _frames(viewpoints: tuple[Viewpoint, ...], points: Tensor, height: int, width: int) -> str:
    shares = [filled(v, points, height, width) for v in viewpoints]
    return f"the object's frame takes {100 * sum(shares) / len(shares):.0f} % of the views' pixels"
