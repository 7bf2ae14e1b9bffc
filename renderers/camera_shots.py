"""One recorded camera: what the files of cameras are read into."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .viewpoints import Vector, Viewpoint

# How far from a right angle, and from unit length, the axes of a camera may be by rounding in a file.
_CROOKED = 1e-2


@dataclass(frozen=True)
class Shot:
    """A camera that took a picture. The picture's size is in its own pixels, 0 x 0 where the file does not say it;
    focal, and the principal point (cx, cy) from the top left corner, are in the same pixels; without a size, focal is
    in widths of the picture.

    place, right, up: in the scene's coordinates, right-handed, unit.
    """

    name: str
    place: Vector
    right: Vector
    up: Vector
    focal: float
    size: tuple[int, int] = (0, 0)
    principal: tuple[float, float] | None = None

    def viewpoint(self, width: int, height: int) -> Viewpoint:
        """As a camera of views of width x height: the picture's whole width is seen, and rows as many as fit square
        pixels; what the lens distorts is not."""
        wide, high = self.size if self.size[0] else (1, height / width)
        cx, cy = self.principal or (wide / 2, high / 2)
        shift = (2 * cx / wide - 1, (high - 2 * cy) / (wide * height / width))
        return Viewpoint(self.place, self.right, self.up, 2 * math.atan(wide / (2 * self.focal)), shift=shift)


def shot(
    name: str,
    place: Any,
    right: Any,
    up: Any,
    focal: float,
    size: tuple[int, int] = (0, 0),
    principal: tuple[float, float] | None = None,
) -> Shot:
    """A checked camera; axes become unit and square to each other.

    Raises ValueError, naming the camera, for values that are no numbers or no camera's.
    """
    place, right, up = (np.asarray(v, float) for v in (place, right, up))
    if not all(np.isfinite(v).all() for v in (place, right, up)):
        raise ValueError(f"camera '{name}' has a pose that holds no numbers (NaN or infinite); repair the file")
    if not 0 < focal < math.inf or min(size) < 0:
        raise ValueError(f"camera '{name}' has the focal length {focal:g}; it must be above 0: repair the file")
    if principal is not None and not all(math.isfinite(v) for v in principal):
        raise ValueError(f"camera '{name}' has a principal point that is no number; repair the file")
    lengths = np.linalg.norm(right), np.linalg.norm(up)
    if min(lengths) < 1e-9:
        raise ValueError(f"camera '{name}' has a pose without a direction (zeros); repair the file")
    right, up = right / lengths[0], up / lengths[1]
    if abs(right @ up) > _CROOKED:
        raise ValueError(f"camera '{name}' has a skewed pose; only turned and moved cameras are read: repair the file")
    up = up - (right @ up) * right
    up /= np.linalg.norm(up)
    return Shot(name, _vector(place), _vector(right), _vector(up), focal, size, principal)


def _vector(values: Any) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
