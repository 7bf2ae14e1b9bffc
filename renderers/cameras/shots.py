"""One recorded camera: what the files of cameras are read into."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .viewpoints import Vector, Viewpoint

# How far from a right angle, and from unit length, the axes of a camera may be by rounding in a file.
_CROOKED = 1e-2
# Pixels along a side of a picture.
_LARGEST = 1_000_000


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
    place, right, up = _vector(place), _vector(right), _vector(up)
    if not all(math.isfinite(v) for v in (*place, *right, *up)):
        raise ValueError(f"camera '{name}' has a pose that holds no numbers (NaN or infinite); repair the file")
    if not 0 < focal < math.inf or min(size) < 0:
        raise ValueError(f"camera '{name}' has the focal length {focal:g}; it must be above 0: repair the file")
    if principal is not None and not all(math.isfinite(v) for v in principal):
        raise ValueError(f"camera '{name}' has a principal point that is no number; repair the file")
    lengths = math.hypot(*right), math.hypot(*up)
    if min(lengths) < 1e-9:
        raise ValueError(f"camera '{name}' has a pose without a direction (zeros); repair the file")
    right, up = _scaled(right, 1 / lengths[0]), _scaled(up, 1 / lengths[1])
    skew = sum(a * b for a, b in zip(right, up, strict=True))
    if not abs(skew) <= _CROOKED:
        raise ValueError(f"camera '{name}' has a skewed pose; only turned and moved cameras are read: repair the file")
    up = _vector([b - skew * a for a, b in zip(right, up, strict=True)])
    return Shot(name, place, right, _scaled(up, 1 / math.hypot(*up)), focal, size, principal)


def check_size(size: tuple[float, float], name: str) -> None:
    """Raise ValueError for a picture that cannot be."""
    if not all(1 <= side <= _LARGEST for side in size):
        raise ValueError(
            f"camera '{name}' has a picture of {size[0]:g} x {size[1]:g} pixels; they must be 1 to {_LARGEST}: "
            "repair the file"
        )


def short_name(name: object) -> str:
    """A name as messages show it: in one line that is not too long."""
    return " ".join(str(name)[:200].split())[:80]


def _scaled(vector: Vector, by: float) -> Vector:
    x, y, z = (v * by for v in vector)
    return x, y, z


def _vector(values: Any) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
