"""Cameras that COLMAP found: cameras and images, as text or binary.

After the public description of its output format. A pose is camera from world, quaternion w, x, y, z and translation,
camera axes right, down and forward; pixels are counted from the top left corner.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..quaternions import turn_rows
from .shots import Shot, check_size, short_name, shot

# By number, as binary files name them: (name, how many parameters).
_MODELS = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12),
    ("FOV", 5),
    ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5),
    ("THIN_PRISM_FISHEYE", 12),
    ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
)
_COUNTS = dict(_MODELS)
# Perspective cameras, by whether they have two focal lengths; what is behind the principal point is distortion.
_TWO_FOCALS = {
    "SIMPLE_PINHOLE": False,
    "PINHOLE": True,
    "SIMPLE_RADIAL": False,
    "RADIAL": False,
    "OPENCV": True,
    "FULL_OPENCV": True,
}

# (model, width, height, parameters) by the camera's number; (name, quaternion and translation, camera's number).
_Lenses = dict[int, tuple[str, int, int, tuple[float, ...]]]
_Pose = tuple[str, tuple[float, ...], int]


def colmap_files(folder: Path) -> tuple[Path, Path] | None:
    """(cameras, images) of a folder that COLMAP wrote, or that holds one as sparse/0 or sparse; None when there are
    none."""
    for below in (folder, folder / "sparse" / "0", folder / "sparse"):
        for ending in ("bin", "txt"):
            pair = (below / f"cameras.{ending}", below / f"images.{ending}")
            if all(path.is_file() for path in pair):
                return pair
    return None


def read_colmap(cameras: Path, images: Path) -> tuple[tuple[Shot, ...], bool]:
    """(Cameras in the order of their pictures' names, whether lenses distort, which is not followed).

    Raises ValueError for damaged files, lenses that are no perspective cameras, and images of unknown cameras.
    """
    lenses = _checked(cameras, _binary_lenses if cameras.suffix == ".bin" else _text_lenses)
    poses: list[_Pose] = _checked(images, _binary_poses if images.suffix == ".bin" else _text_poses)
    if not poses:
        raise ValueError(f"file '{images.name}' holds no images; use a model in which COLMAP found cameras")
    used = {number for _, _, number in poses}
    for number, (model, *_) in lenses.items():
        # (a camera that took no picture does not matter)
        if number in used and model not in _TWO_FOCALS:
            raise ValueError(
                f"file '{cameras.name}' holds a camera of the model {model[:60]}; only perspective cameras are read "
                f"({', '.join(_TWO_FOCALS)}): undistort the pictures with COLMAP"
            )
    shots = tuple(_shot(pose, lenses, images.name) for pose in sorted(poses))
    taken = [lens for number, lens in lenses.items() if number in used]
    bent = any(any(values[4 if _TWO_FOCALS[model] else 3 :]) for model, _, _, values in taken)
    return shots, bent


class _Newer(Exception):
    """A message that is complete."""


def _checked(path: Path, read: Any) -> Any:
    try:
        return read(path)
    except _Newer as error:
        raise ValueError(str(error)) from None
    except (struct.error, IndexError, KeyError, ValueError, OverflowError, OSError):
        raise ValueError(
            f"file '{path.name}' is cut off, or no file that COLMAP wrote; export the model again"
        ) from None


def _shot(pose: _Pose, lenses: _Lenses, file: str) -> Shot:
    name, values, number = pose
    name = short_name(name)
    if number not in lenses:
        raise ValueError(
            f"file '{file}': image '{name}' names camera {number}, which is not there; export the model again"
        )
    model, width, height, parameters = lenses[number]
    if min(width, height) < 1:
        raise ValueError(
            f"file '{file}': image '{name}' has a camera of {width} x {height} pixels; export the model again"
        )
    try:
        check_size((width, height), name)
    except ValueError as error:
        raise ValueError(f"file '{file}': {error}") from None
    behind = 2 if _TWO_FOCALS[model] else 1
    length = math.sqrt(sum(v * v for v in values[:4]))
    if not 1e-12 < length < math.inf:
        raise ValueError(f"file '{file}': image '{name}' has a quaternion that is zero or no number; repair the file")
    w, x, y, z = (v / length for v in values[:4])
    rows = turn_rows(w, x, y, z)
    place = tuple(-sum(rows[i][axis] * values[4 + i] for i in range(3)) for axis in range(3))
    down = tuple(-v for v in rows[1])
    principal = (parameters[behind], parameters[behind + 1])
    try:
        return shot(name, place, rows[0], down, parameters[0], (width, height), principal)
    except ValueError as error:
        raise ValueError(f"file '{file}': {error}") from None


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield line


def _text_lenses(path: Path) -> _Lenses:
    lenses: _Lenses = {}
    for line in _lines(path):
        if words := line.split():
            values = tuple(float(w) for w in words[4:])
            if len(values) != _COUNTS.get(words[1], len(values)):
                raise ValueError(line)
            lenses[int(words[0])] = (words[1], int(words[2]), int(words[3]), values)
    return lenses


def _text_poses(path: Path) -> list[_Pose]:
    """Every image is two lines, the second one its points: it may be empty."""
    poses: list[_Pose] = []
    points = False
    for line in _lines(path):
        words = line.split(maxsplit=9)
        if points and (not words or _is_points(words)):
            points = False
        elif words:
            poses.append((words[9].strip(), tuple(float(w) for w in words[1:8]), int(words[8])))
            points = True
    return poses


def _is_points(words: list[str]) -> bool:
    """Whether a line (its first nine words and the rest) holds points, x y number again and again; some tools leave
    that line out, and the next image follows."""
    try:
        for word in (*words[:9], *words[-1].split(maxsplit=1)[:1], words[-1].rsplit(maxsplit=1)[-1]):
            float(word)
    except ValueError:
        return False
    return True


def _binary_lenses(path: Path) -> _Lenses:
    content, lenses = path.read_bytes(), _Lenses()
    (count,), at = struct.unpack_from("<Q", content), 8
    for _ in range(count):
        number, model, width, height = struct.unpack_from("<IiQQ", content, at)
        if not 0 <= model < len(_MODELS):
            # How long its entry is nobody knows: what follows cannot be read.
            raise _Newer(
                f"file '{path.name}' holds a camera of the model number {model}, which is newer than those known here "
                f"(0 to {len(_MODELS) - 1}); undistort the pictures with COLMAP"
            )
        name, values = _MODELS[model]
        lenses[number] = (name, width, height, struct.unpack_from(f"<{values}d", content, at + 24))
        at += 24 + 8 * values
    return lenses


def _binary_poses(path: Path) -> list[_Pose]:
    content, poses = path.read_bytes(), list[_Pose]()
    (count,), at = struct.unpack_from("<Q", content), 8
    for _ in range(count):
        _, *values, camera = struct.unpack_from("<I7dI", content, at)
        end = content.index(b"\0", at + 64)
        poses.append((content[at + 64 : end].decode(), tuple(values), camera))
        (points,) = struct.unpack_from("<Q", content, end + 1)
        at = end + 9 + 24 * points
        if at > len(content):
            raise ValueError(path.name)
    return poses
