"""Recorded cameras in the coordinates a scene was trained in: nerfstudio's dataparser_transforms.json.

nerfstudio turns, moves and scales what it trains on. A transforms.json says what was done before (``applied_transform``
A, saved from original, and ``applied_scale``), dataparser_transforms.json what it came to in all (``transform`` M and
``scale``, trained from original): x_trained = scale M x. Exported splats lie there, so cameras of a transforms.json
take M A^-1 and scale / applied_scale, and those of COLMAP, which are the original, M and scale.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..arrays import Array
from .shots import Shot

TRAINED = "dataparser_transforms.json"
_CROOKED = 1e-3


def trained_frame(cameras: Path) -> Path | None:
    """The file beside a file of cameras, or in their folder, that says where the scene was trained."""
    path = (cameras if cameras.is_dir() else cameras.parent) / TRAINED
    return path if path.is_file() else None


def in_trained_frame(shots: tuple[Shot, ...], path: Path, listed: Path | None) -> tuple[Shot, ...]:
    """Cameras in the coordinates that ``path`` leads to; listed: the transforms.json they come from, None for COLMAP's.

    Raises ValueError, with the file's name, for files that hold no such transform.
    """
    trained = _read(path)
    matrix, scale = _transform(trained, "transform", path), _scale(trained, "scale", path)
    if listed is not None:
        before = _read(listed)
        if "applied_transform" in before:
            matrix = matrix @ np.linalg.inv(_transform(before, "applied_transform", listed))
        scale /= _scale(before, "applied_scale", listed)
    turn, move = matrix[:3, :3], matrix[:3, 3]

    def turned(vector: Any) -> Any:
        return tuple((turn @ np.array(vector)).tolist())

    return tuple(
        replace(
            s,
            place=tuple((scale * (turn @ np.array(s.place) + move)).tolist()),
            right=turned(s.right),
            up=turned(s.up),
        )
        for s in shots
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ValueError(f"file '{path.name}' is no JSON of nerfstudio; copy it again, or remove it")
    return cast("dict[str, Any]", content)


def _transform(content: dict[str, Any], key: str, path: Path) -> Array:
    """A rotation and a translation [4, 4]."""
    try:
        rows: Array = np.array(content.get(key), float)
    except (TypeError, ValueError, OverflowError):
        rows = np.zeros(0)
    if rows.shape in ((3, 4), (4, 4)) and np.isfinite(rows).all():
        turn = rows[:3, :3]
        if np.abs(turn @ np.transpose(turn) - np.eye(3)).max() < _CROOKED and np.linalg.det(turn) > 0:
            return np.concatenate([rows[:3], [[0.0, 0.0, 0.0, 1.0]]])
    raise ValueError(
        f"file '{path.name}' holds no {key} that only turns and moves (3 x 4); copy it again, or remove it"
    )


def _scale(content: dict[str, Any], key: str, path: Path) -> float:
    value = content.get(key, 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e30:
        raise ValueError(f"file '{path.name}' has the {key} '{str(value)[:40]}'; it must be above 0")
    return float(value)
