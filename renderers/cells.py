"""Sizes in cells: the pixels of a latent (8 image pixels for most models) or of the image itself (1)."""

from __future__ import annotations

import math


def nearest_multiple(value: int, cell: int) -> int:
    """The multiple of ``cell``, at least one, that is nearest to ``value``."""
    return max(1, math.floor(value / cell + 0.5)) * cell


def check_multiple(name: str, value: int, cell: int) -> None:
    """Raise ValueError for a size in image pixels that is no whole number of cells."""
    if value % cell:
        near = nearest_multiple(value, cell)
        raise ValueError(f"{name} {value} is not a multiple of this model's cell of {cell} pixels; use {near}")
