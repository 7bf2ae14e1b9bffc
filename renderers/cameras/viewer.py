"""Cameras of the host's 3D viewer (LOAD3D_CAMERA), read and written.

The viewer's world is right-handed, +Y up, its camera looks down its own -Z (three.js): position, target, zoom,
cameraType; newer viewers add quaternion, fov (degrees, from top to bottom), aspect and frustum (orthographic: what is
seen at zoom 1). Viewers without the quaternion show every model scaled to a longest side of 5, standing on y = 0 in the
middle; those with it leave models where their files put them, and say what a user did to them (LOAD3D_MODEL_INFO).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from ..arrays import cross, floats, norm, triple
from ..quaternions import turn_rows
from .viewpoints import Vector, Viewpoint

# What a viewer that fits models makes of their longest side; an orthographic camera of zoom 1 shows a height of twice
# that unless it says otherwise.
_VIEWER_SIDE = 5.0
# From top to bottom, when the camera does not say it (the default of the host's own camera node), degrees.
_VIEWER_FOV = 35.0
# By what a model's three scales may differ.
_EVEN = 1e-4


def fits_models(camera: Mapping[str, Any]) -> bool:
    """Whether a camera comes from a viewer that scales models and stands them on the ground."""
    return camera.get("quaternion") is None


def in_viewer(camera: Mapping[str, Any], height: int, width: int) -> Viewpoint:
    """A viewer's camera for views of ``width`` x ``height``, in the viewer's world. Views show as much from top to
    bottom as the viewer does; a zoom narrows that, as in three.js.

    Raises ValueError for a camera without position, or one that stands on its target.
    """
    place, target = _vector(camera, "position"), _vector(camera, "target", (0.0, 0.0, 0.0))
    right, up = _frame(camera, place, target)
    zoom = _number(camera, "zoom", 1.0)
    if not zoom > 0:
        raise ValueError(f"the camera's zoom is {zoom:g}; it must be above 0")
    half = math.tan(math.radians(_number(camera, "fov", _VIEWER_FOV)) / 2) / zoom
    span = None
    if str(camera.get("cameraType")).lower().startswith("ortho"):
        away = math.dist(place, target)
        span = _flat_height(camera, half * zoom, away) / zoom * width / height
    return Viewpoint(place, right, up, 2 * math.atan(half * width / height), span)


def _flat_height(camera: Mapping[str, Any], half: float, away: float) -> float:
    """What an orthographic camera of zoom 1 shows from top to bottom."""
    frustum = _mapping(camera.get("frustum"))
    if frustum is not None:
        high = _number(frustum, "top", 0.0) - _number(frustum, "bottom", 0.0)
        if not high > 0:
            raise ValueError(f"the camera's frustum is {high:g} high; it must be above 0")
        return high
    # (a node of the host that makes cameras knows no frustum: as much as in perspective, at the target)
    said = camera.get("quaternion") is not None and camera.get("fov") and away > 0
    return 2 * half * away if said else 2 * _VIEWER_SIDE


def from_load3d(camera: Mapping[str, Any], height: int, width: int, extent: Vector | None = None) -> Viewpoint:
    """The camera of a viewer that fits models, in object units.

    extent: sides of the object's bounding box in object units; with it the camera stands where it stood in the viewer.
    Without it, the camera's target is taken for the object's middle and half the longest side for its radius. Raises
    ValueError as ``in_viewer``.
    """
    seen = in_viewer(camera, height, width)
    if extent is None:
        return seen.from_scene(_vector(camera, "target", (0.0, 0.0, 0.0)), _VIEWER_SIDE / 2)
    scale = _VIEWER_SIDE / max(extent)
    return seen.from_scene((0.0, extent[1] * scale / 2, 0.0), scale)


def in_model(viewpoint: Viewpoint, placed: Sequence[Mapping[str, Any]] | None) -> Viewpoint:
    """A camera of the viewer's world in the coordinates that a model has when the viewer does nothing to it.

    placed: LOAD3D_MODEL_INFO, of which the first counts; None or empty where nothing was done. Raises ValueError for a
    model that is scaled unevenly.
    """
    if not placed:
        return viewpoint
    where, turn, scale = _placement(placed[0])
    moved = replace(viewpoint, position=tuple(p - w for p, w in zip(viewpoint.position, where, strict=True)))
    return moved.turned(_rows(turn)).from_scene((0.0, 0.0, 0.0), scale)


def in_world(viewpoint: Viewpoint, placed: Sequence[Mapping[str, Any]] | None) -> Viewpoint:
    """The inverse of ``in_model``."""
    if not placed:
        return viewpoint
    where, turn, scale = _placement(placed[0])
    turned = viewpoint.in_scene((0.0, 0.0, 0.0), scale).turned(_rows(turn.T))
    return replace(turned, position=tuple(p + w for p, w in zip(turned.position, where, strict=True)))


def centred(viewpoint: Viewpoint, height: int, width: int) -> tuple[Viewpoint, int, int]:
    """(A camera that looks at the middle of its view, height and width of that): its view holds the given one, at the
    same scale. The host's cameras cannot look past the middle."""
    across, upwards = viewpoint.shift
    high, wide = math.ceil(height * (1 + abs(upwards))), math.ceil(width * (1 + abs(across)))
    half, _ = viewpoint.half_size(height, width)
    half *= wide / width
    span = None if viewpoint.span is None else 2 * half
    fov = viewpoint.fov if span else 2 * math.atan(half)
    return replace(viewpoint, fov=fov, span=span, shift=(0.0, 0.0)), high, wide


def to_load3d(viewpoint: Viewpoint, height: int, width: int, middle: Vector) -> dict[str, Any]:
    """A camera of the viewer's world, ``centred``, for views of ``width`` x ``height``, as the host's nodes and viewer
    take it. middle: of the object; the viewer turns around a place on the camera's axis that is as far away."""
    back = viewpoint.backward
    away = sum((p - m) * b for p, m, b in zip(viewpoint.position, middle, back, strict=True))
    away = away if away > 1e-6 else max(math.dist(viewpoint.position, middle), 1.0)
    half, high = viewpoint.half_size(height, width)
    camera: dict[str, Any] = {
        "position": _xyz(viewpoint.position),
        "target": _xyz([p - away * b for p, b in zip(viewpoint.position, back, strict=True)]),
        "quaternion": dict(zip("xyzw", _quaternion(viewpoint.rotation), strict=True)),
        "zoom": 1.0,
        "cameraType": "perspective",
        "fov": math.degrees(2 * math.atan(high)),
        "aspect": width / height,
    }
    if viewpoint.span is not None:
        # The viewer's frustum is 10 high, and Render Splat's what a perspective camera sees at its target: both agree.
        side = _VIEWER_SIDE
        frustum = {"left": -side * half / high, "right": side * half / high, "top": side, "bottom": -side}
        fov = math.degrees(2 * math.atan(side / away))
        camera |= {"cameraType": "orthographic", "zoom": side / high, "fov": fov, "frustum": frustum}
    return camera


def _placement(model: Mapping[str, Any]) -> tuple[Vector, Tensor, float]:
    """(Position, rotation float64 [3, 3], scale) of a model in the viewer."""
    scales = _vector(model, "scale", (1.0, 1.0, 1.0), "model")
    scale = scales[0]
    if not scale > 0 or max(abs(s - scale) for s in scales) > _EVEN * scale:
        shown = ", ".join(f"{s:g}" for s in scales)
        raise ValueError(
            f"the model is scaled by {shown} in the viewer; a camera needs one scale above 0 for all sides"
        )
    turn = model.get("quaternion")
    turned = torch.eye(3, dtype=torch.float64) if turn is None else _turn(turn, "model")
    return _vector(model, "position", (0.0, 0.0, 0.0), "model"), turned, scale


def _number(camera: Mapping[str, Any], name: str, missing: float) -> float:
    value = camera.get(name)
    try:
        return float(value) if value else missing
    except (TypeError, ValueError):
        raise ValueError(f"the camera's {name} is {value!r}, not a number; connect a 3D viewer's camera") from None


def _vector(camera: Mapping[str, Any], name: str, missing: Vector | None = None, whose: str = "camera") -> Vector:
    value: Any = camera.get(name, missing)
    if (by_axis := _mapping(value)) is not None:
        value = [by_axis.get(axis) for axis in "xyz"]
    try:
        x, y, z = (float(v) for v in value)
    except (TypeError, ValueError):
        raise ValueError(
            f"the {whose}'s {name} is {value!r}, not three numbers; connect a 3D viewer's {whose}"
        ) from None
    return x, y, z


def _frame(camera: Mapping[str, Any], place: Vector, target: Vector) -> tuple[Vector, Vector]:
    """(right, up) of a viewer's camera: from its quaternion where it has one, else it looks at its target."""
    turn = camera.get("quaternion")
    if turn is not None:
        right, up, _ = _rows(_turn(turn, "camera").T)
        return right, up
    back = torch.tensor(place, dtype=torch.float64) - torch.tensor(target, dtype=torch.float64)
    if not float(norm(back)) > 0:
        raise ValueError("the camera stands on its target; move it away")
    return _upright(back / norm(back))


def _turn(turn: Any, whose: str) -> Tensor:
    """float64 [3, 3]: what a quaternion turns by; columns are where X, Y and Z go."""
    by_axis = _mapping(turn)
    try:
        x, y, z, w = (float(v) for v in (turn if by_axis is None else [by_axis[a] for a in "xyzw"]))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"the {whose}'s quaternion is {turn!r}, not x, y, z and w") from None
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if not length > 0:
        raise ValueError(f"the {whose}'s quaternion is 0; it turns nothing")
    return torch.tensor(turn_rows(w / length, x / length, y / length, z / length), dtype=torch.float64)


def _quaternion(turn: Tensor) -> tuple[float, float, float, float]:
    """(x, y, z, w) of a rotation [3, 3]: the eigenvector of Bar-Itzhack's matrix to its largest eigenvalue, which is
    right for every angle."""
    (a, b, c), (d, e, f), (g, h, i) = _rows(turn.double())
    rows = [
        [a - e - i, d + b, g + c, h - f],
        [d + b, e - a - i, h + f, c - g],
        [g + c, h + f, i - a - e, d - b],
        [h - f, c - g, d - b, a + e + i],
    ]
    _, vectors = cast("tuple[Tensor, Tensor]", torch.linalg.eigh(torch.tensor(rows, dtype=torch.float64)))  # pyright: ignore[reportUnknownMemberType]
    x, y, z, w = floats(vectors[:, -1])
    return (-x, -y, -z, -w) if w < 0 else (x, y, z, w)


def _rows(matrix: Tensor) -> tuple[Vector, Vector, Vector]:
    return triple(matrix[0]), triple(matrix[1]), triple(matrix[2])


def _mapping(value: Any) -> Mapping[str, Any] | None:
    """What names its values; None for anything else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None


def _xyz(values: Sequence[float]) -> dict[str, float]:
    return dict(zip("xyz", values, strict=True))


def _upright(back: Tensor) -> tuple[Vector, Vector]:
    """(right, up) of a camera with the unit vector ``back`` and +Y up; straight above or below as at azimuth 0."""
    right = cross(torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), back)
    if float(norm(right)) < 1e-9:
        right = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    right = right / norm(right)
    return triple(right), triple(cross(back, right))
