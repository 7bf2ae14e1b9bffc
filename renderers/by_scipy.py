"""What scipy does for the pack: nearest points, distances within masks, sparse equations.

Every ComfyUI has scipy, as it needs it itself. It is imported when something is asked of it, and where it is missing
after all, that is said in one line.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .arrays import Array

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def scipy_part(name: str) -> Any:
    """The module ``scipy.name``. Raises RuntimeError where scipy is not installed."""
    try:
        return importlib.import_module(f"scipy.{name}")
    except ImportError as error:
        raise RuntimeError(
            "this needs scipy, which comes with ComfyUI and is missing or broken here; install it into ComfyUI's "
            "Python with 'python -m pip install scipy'"
        ) from error


class Tree(Protocol):
    """Points, to be asked for the nearest."""

    def query(self, x: Array, k: int = 1, distance_upper_bound: float = np.inf) -> tuple[Floats, Integers]:
        """(distances, which points) [m] of the nearest to points [m, D], or of the nearest ``k`` [m, k]; infinite and
        the number of points where none is within the bound."""
        ...


def tree(points: Array, balanced: bool = False, compact: bool = True, leaf: int = 16) -> Tree:
    """Of points [n, D]. balanced: slow to build where many points share coordinates, as on a box. leaf: points that are
    not parted further; which of several equally near ones is found depends on it."""
    found: Tree = scipy_part("spatial").cKDTree(points, leaf, balanced_tree=balanced, compact_nodes=compact)
    return found


def depth_within(mask: npt.NDArray[np.bool_]) -> Floats:
    """For every cell of a mask [h, w] the distance to the nearest outside of it, in cells; 0 outside."""
    found: Floats = scipy_part("ndimage").distance_transform_edt(mask)
    return found


def nearest_outside(mask: npt.NDArray[np.bool_]) -> Integers:
    """int [2, h, w]: row and column of the nearest cell outside of a mask [h, w], itself where it is outside."""
    found: Integers = scipy_part("ndimage").distance_transform_edt(mask, return_distances=False, return_indices=True)
    return found
