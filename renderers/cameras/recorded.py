"""Cameras that were recorded with a scene, as a rig: transforms.json, cameras.json and COLMAP.

Cameras in JSON files.

transforms.json is what NeRF's Blender scenes have, with instant-ngp's and nerfstudio's names: ``transform_matrix`` is
world from camera, 4 x 4, camera axes right, up and back (OpenGL). The focal length is ``camera_angle_x``, or ``fl_x``
in pixels; both, the picture's size and the principal point stand at the top or with a frame.

cameras.json is what INRIA's trainer writes beside its splats: a list of ``position`` and ``rotation`` (world from
camera, 3 x 3, camera axes right, down and forward), ``fx`` in pixels, ``width`` and ``height``.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np

from .colmap import colmap_files, read_colmap
from .frames import in_trained_frame, trained_frame
from .shots import Shot, check_size, short_name, shot
from .viewpoints import Orbit

_LENSES = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")


def read_listed(path: Path) -> tuple[tuple[Shot, ...], bool]:
    """(Cameras in the file's order, whether lenses distort, which is not followed).

    Raises ValueError for files that are no such list of cameras.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(
            f"file '{path.name}' is nested too deeply for a list of cameras; use a transforms.json"
        ) from None
    except OSError as error:
        raise ValueError(f"file '{path.name}' cannot be read ({error.strerror}); copy it again") from None
    except ValueError as error:  # not JSON, not UTF-8, numbers of thousands of digits
        reason = short_name(error)
        raise ValueError(f"file '{path.name}' is no JSON ({reason}); use a transforms.json") from None
    shared = cast("dict[str, Any]", content) if isinstance(content, dict) else {}
    listed = cast("list[Any]", found) if isinstance(found := shared.get("frames", content), list) else []
    if not listed or not all(isinstance(f, dict) for f in listed):
        raise ValueError(f"file '{path.name}' holds no list of cameras; use a transforms.json or a COLMAP folder")
    # (null is a value that is not there)
    frames: list[dict[str, Any]] = [
        {k: v for k, v in {**shared, **frame}.items() if v is not None and k != "frames"} for frame in listed
    ]
    read = _transform if "frames" in shared else _trained
    try:
        shots = tuple(read(frame, number) for number, frame in enumerate(frames))
    except ValueError as error:
        raise ValueError(f"file '{path.name}': {error}") from None
    return shots, any(frame.get(k) for frame in frames for k in ("k1", "k2", "k3", "k4", "p1", "p2"))


def _trained(values: dict[str, Any], number: int) -> Shot:
    name = short_name(values.get("img_name", number))
    axes, place = _pose(values, "rotation", name), _pose(values, "position", name)
    if axes.shape != (3, 3) or place.shape != (3,):
        raise ValueError(f"camera '{name}' has no rotation of 3 x 3 and position of 3 numbers; repair the file")
    size = (int(_number(values, "width", name)), int(_number(values, "height", name)))
    if min(size) < 1:
        raise ValueError(f"camera '{name}' has a picture of {size[0]} x {size[1]}; add width and height")
    check_size(size, name)
    return shot(name, place, axes[:, 0], -axes[:, 1], _number(values, "fx", name), size)


def _pose(values: dict[str, Any], key: str, name: str) -> Any:
    try:
        return np.array(values[key], float)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError):
        raise ValueError(f"camera '{name}' has no {key} of numbers; repair the file") from None


def _transform(values: dict[str, Any], number: int) -> Shot:
    name = short_name(values.get("file_path", number))
    lens = short_name(values.get("camera_model", "OPENCV")).upper()
    if lens not in _LENSES or values.get("is_fisheye"):
        raise ValueError(
            f"camera '{name}' has the lens {'OPENCV_FISHEYE' if values.get('is_fisheye') else lens}; only perspective "
            "cameras are read: undistort the pictures"
        )
    pose = _pose(values, "transform_matrix", name)
    if pose.shape not in ((4, 4), (3, 4)):
        raise ValueError(f"camera '{name}' has a transform_matrix of {pose.shape}; it must be 4 x 4")
    if _mirrored(pose):
        raise ValueError(f"camera '{name}' is mirrored; camera axes are right, up and back (OpenGL): repair the file")
    wide, high = int(_number(values, "w", name)), int(_number(values, "h", name))
    size = (wide, high) if min(wide, high) > 0 else (0, 0)
    if max(wide, high) > 0:
        check_size((max(wide, 1), max(high, 1)), name)
    if _number(values, "fl_x", name) and wide > 0:
        focal = _number(values, "fl_x", name) / (1 if size[0] else wide)
    elif 0 < _number(values, "camera_angle_x", name) < math.pi:
        focal = (size[0] or 1) / (2 * math.tan(_number(values, "camera_angle_x", name) / 2))
    else:
        raise ValueError(f"camera '{name}' has neither camera_angle_x nor fl_x with w; add the field of view")
    principal = None
    if size[0] and "cx" in values and "cy" in values:
        principal = (_number(values, "cx", name), _number(values, "cy", name))
    return shot(name, pose[:3, 3], pose[:3, 0], pose[:3, 1], focal, size, principal)


def _mirrored(pose: Any) -> bool:
    (a, b, c), (d, e, f), (g, h, i) = pose[:3, :3].tolist()
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0


def _number(values: dict[str, Any], key: str, name: str) -> float:
    """A value of the file, 0 where it has none."""
    value = values.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"camera '{name}' has {key} '{short_name(value)}', no number; repair the file")
    return float(value)


# Sides of views are multiples of this, as models want them.
_STEP = 8
_TALLEST = 16384


def read_cameras(path: Path) -> tuple[tuple[Shot, ...], bool]:
    """The cameras of a transforms.json or cameras.json, of one of COLMAP's files, or of a folder that holds any
    -> (cameras, whether their lenses distort, which views do not follow). Where nerfstudio's
    dataparser_transforms.json lies beside them, they are in the coordinates it leads to (frames.py).

    Raises ValueError when there are none, and for files that are damaged or of other cameras.
    """
    frame = trained_frame(path)
    if path.is_file() and path.suffix.lower() == ".json":
        return _placed(read_listed(path), frame, path)
    if path.is_file() and path.suffix.lower() not in (".bin", ".txt"):
        raise ValueError(f"file '{path.name}' is no list of cameras; use a transforms.json or a COLMAP folder")
    folder = path if path.is_dir() else path.parent
    if (found := colmap_files(folder)) is not None:
        return _placed(read_colmap(*found), frame, None)
    listed = [*sorted(folder.glob("transforms*.json")), *folder.glob("cameras.json")]
    if path.is_dir() and listed:
        return _placed(read_listed(listed[0]), frame, listed[0])
    raise ValueError(
        f"'{path.name}' holds no cameras: no transforms.json, no cameras.json, no cameras and images of COLMAP "
        "(both .txt or both .bin)"
    )


def _placed(
    read: tuple[tuple[Shot, ...], bool], frame: Path | None, listed: Path | None
) -> tuple[tuple[Shot, ...], bool]:
    # (a trainer's cameras.json is in its splats' coordinates already)
    if frame is None or (listed is not None and listed.name == "cameras.json"):
        return read
    return in_trained_frame(read[0], frame, listed), read[1]


def chosen(shots: tuple[Shot, ...], every: int = 1, at_most: int = 0) -> tuple[Shot, ...]:
    """Every k-th camera, and of those at most so many, spread evenly over the list (0: all).

    Raises ValueError for a step below 1.
    """
    if every < 1 or at_most < 0:
        raise ValueError(f"every {every}-th camera, at most {at_most}: use 1 or more, and 0 for all")
    taken = shots[::every]
    if 0 < at_most < len(taken):
        taken = tuple(taken[i * len(taken) // at_most] for i in range(at_most))
    return taken


def camera_rig(
    shots: tuple[Shot, ...], width: int, height: int = 0, exponent: tuple[float, float] = (1.0, 1.0)
) -> Orbit:
    """Recorded cameras as a rig in the scene's coordinates. height 0: in the proportions of the first picture, a
    multiple of 8. Every view shows the whole width of its camera's picture."""
    if height < 1:
        wide, high = shots[0].size if shots[0].size[0] else (1, 1)
        height = max(_STEP, round(width * high / wide / _STEP) * _STEP)
        if height > _TALLEST:
            raise ValueError(
                f"views of {width} x {height} pixels, in the proportions of '{shots[0].name}' ({wide} x {high}), "
                "are too large; set a height, or repair the file"
            )
    return Orbit(tuple(s.viewpoint(width, height) for s in shots), width, height, "scene", exponent)
