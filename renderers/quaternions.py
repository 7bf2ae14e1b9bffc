"""What a quaternion turns by."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor

Number = TypeVar("Number", float, Tensor)
Row = tuple[Number, Number, Number]


def turn_rows(w: Number, x: Number, y: Number, z: Number) -> tuple[Row[Number], Row[Number], Row[Number]]:
    """Rows of the rotation matrix of a unit quaternion; of many at once where w, x, y and z are tensors."""
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
