"""Which splats are meant: those in a box, or those that masks over views show."""

from __future__ import annotations

import torch
from torch import Tensor

from ..cameras.viewpoints import Vector
from .solve.solve import SplatSolver
from .splats import Splats

# Splats that all views together show less of than this many pixels are as good as unseen.
LEAST_VISIBLE = 0.02


def in_box(splats: Splats, middle: Vector, size: Vector) -> Tensor:
    """bool [K]: splats whose centres lie in a box, in object units (upright, the scene's centre is 0, its radius 1).

    Raises ValueError for a box that holds none.
    """
    away = (splats.object_positions - torch.tensor(middle)).abs()
    chosen = (away <= torch.tensor(size) / 2).all(1)
    if splats.hidden is not None:
        chosen &= ~splats.hidden
    if not bool(chosen.any()):
        raise ValueError(
            f"the box of {_words(size)} around {_words(middle)} holds no splat; the scene's middle is 0 0 0 and its "
            "radius 1"
        )
    return chosen


def in_views(solver: SplatSolver, masks: Tensor, share: float = 0.5) -> Tensor:
    """bool [K]: splats of which more than ``share`` of what the views see of them lies in masks [N, h, w].

    Raises ValueError when number or size do not match the solver's views, and for masks that show none.
    """
    found = solver([mask[..., None].float() for mask in masks], "mean")[:, 0]
    chosen = (found > share) & (solver.visible > LEAST_VISIBLE)
    if not bool(chosen.any()):
        raise ValueError("the masks show no splat; paint over the object, in views of this rig")
    return chosen


def _words(vector: Vector) -> str:
    return " ".join(f"{v:g}" for v in vector)
