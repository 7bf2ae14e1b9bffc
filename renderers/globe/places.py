"""Where flows lead to on a sphere: positions in equirectangular frames as directions, which know no seam, no pole."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arrays import norm
from ..cameras.looks import direction
from ..panorama.equirect import read_equirect
from ..panorama.space import equirect_directions, equirect_positions

_OPEN = 1e-9


@lru_cache(maxsize=4)
def directions_of(rows: int, columns: int) -> Tensor:
    """float64 [rows, columns, 3]: where the middles of pixels lie. Not to be changed."""
    return equirect_directions(rows, columns)


def direction_at(row: Tensor, column: Tensor, rows: int, columns: int) -> Tensor:
    """float64 [..., 3] of positions in pixels, 0 being the first one's middle. Rows beyond a pole go on behind it."""
    azimuth = ((column.double() + 0.5) / columns * 2 - 1) * math.pi
    return direction(azimuth, (0.5 - (row.double() + 0.5) / rows) * math.pi)


def led_to(flow: Tensor) -> Tensor:
    """float64 [H, W, 3]: the directions that a flow [H, W, 2] leads to."""
    rows, columns = flow.shape[:2]
    row = torch.arange(rows)[:, None] + flow[..., 1].double()
    return direction_at(row, torch.arange(columns) + flow[..., 0].double(), rows, columns)


def flow_to(directions: Tensor) -> Tensor:
    """float32 [H, W, 2]: the flow that leads to directions [H, W, 3], the short way around."""
    rows, columns = directions.shape[:2]
    row, column = equirect_positions(directions, rows, columns)
    right = column - 0.5 - torch.arange(columns)
    right = right - columns * (right / columns).round()
    return torch.stack([right, row - 0.5 - torch.arange(rows)[:, None]], -1).float()


def read_sphere(values: Tensor, directions: Tensor) -> Tensor:
    """Values [H, W, C] between their pixels, in directions [..., 3]."""
    return read_equirect(values[None], directions)[0]


def unit(directions: Tensor) -> Tensor:
    """Directions [..., 3] of length 1."""
    return directions / norm(directions, -1, keepdim=True).clamp_min(1e-12)


def turn_between(start: Tensor, end: Tensor, cell: int) -> Tensor:
    """float64 [H / cell, W / cell, 3, 3]: of each cell, the turn that brings directions [H, W, 3] to others best.
    Directions count by their length. ("A solution for the best rotation to relate two sets of vectors", Kabsch, 1976.)
    """
    pairs = (end[..., :, None] * start[..., None, :]).flatten(2)
    sums = F.avg_pool2d(pairs.movedim(-1, 0)[None], cell)[0].movedim(0, -1)
    # (what a few places leave open, a turn around them, is better none than any)
    return nearest_turn(sums.reshape(*sums.shape[:2], 3, 3) + _OPEN * torch.eye(3, dtype=torch.float64))


def nearest_turn(sums: Tensor) -> Tensor:
    """The turns that sums [..., 3, 3] of products, ends times starts, ask for."""
    u, v = _bases(sums)
    ends = torch.ones(*sums.shape[:-1], dtype=sums.dtype)
    ends[..., 2] = torch.det(u @ v)
    return (u * ends[..., None, :]) @ v


def _bases(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """(u, v) of u diag(s) v, the singular value decomposition."""
    linalg: Any = torch.linalg
    u, _, v = linalg.svd(matrices)
    return u, v
