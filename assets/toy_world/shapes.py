"""Objects of the toy world, about one unit large around the origin, +Y up: meshes made by code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from ...renderers.mesh.mesh import Mesh
from .. import make_mesh

Profile = Sequence[tuple[float, float]]

_VASE = (
    (0, -0.9),
    (0.38, -0.9),
    (0.45, -0.8),
    (0.62, -0.4),
    (0.66, -0.05),
    (0.55, 0.3),
    (0.3, 0.55),
    (0.26, 0.7),
    (0.4, 0.9),
    (0.34, 0.9),
    (0.2, 0.7),
    (0, 0.5),
)
_TOWER = (
    (0, -1.0),
    (0.5, -1.0),
    (0.5, -0.86),
    (0.38, -0.82),
    (0.27, 0.4),
    (0.4, 0.46),
    (0.4, 0.56),
    (0.25, 0.58),
    (0.25, 0.78),
    (0.33, 0.8),
    (0, 1.08),
)


def _mesh(points: NDArray[np.floating], faces: Sequence[tuple[int, int, int]] | NDArray[np.integer]) -> Mesh:
    count = len(faces)
    none, corners = torch.zeros(0, 2), torch.zeros(0, 3, dtype=torch.int64)
    where = torch.tensor(np.asarray(points), dtype=torch.float32)
    return Mesh(where, torch.tensor(np.asarray(faces)), none, corners, torch.zeros(count, dtype=torch.int64))


def _grid(points: NDArray[np.floating], closed: bool) -> Mesh:
    """A sheet of points [rows, columns, 3], joined around its columns, and around its rows where ``closed``."""
    rows, columns = points.shape[:2]
    faces: list[tuple[int, int, int]] = []
    for i in range(rows if closed else rows - 1):
        for j in range(columns):
            a, b = i * columns + j, i * columns + (j + 1) % columns
            c, d = ((i + 1) % rows) * columns + (j + 1) % columns, ((i + 1) % rows) * columns + j
            faces += [(a, b, c), (a, c, d)]
    return _mesh(points.reshape(-1, 3), faces)


def _turned(profile: Profile | NDArray[np.floating], around: int = 48) -> Mesh:
    """(radius, height) of points from below to above, turned about +Y."""
    outline, angle = np.asarray(profile, dtype=float), np.arange(around) * 2 * np.pi / around
    radius, height = outline[:, :1], np.repeat(outline[:, 1:], around, 1)
    return _grid(np.stack([radius * np.sin(angle), height, radius * np.cos(angle)], -1), closed=False)


def _ball() -> Mesh:
    t = np.linspace(0, np.pi, 25)
    return _turned(np.stack([0.95 * np.sin(t), -0.95 * np.cos(t)], 1))


def _ring(large: float = 0.72, small: float = 0.3) -> Mesh:
    a, b = np.meshgrid(np.arange(48) * 2 * np.pi / 48, -np.arange(24) * 2 * np.pi / 24, indexing="ij")
    out = large + small * np.cos(b)
    return _grid(np.stack([out * np.cos(a), out * np.sin(a), small * np.sin(b)], -1), closed=True)


def _cube(half: float = 0.72) -> Mesh:
    corners = [(x, y, z) for x in (-half, half) for y in (-half, half) for z in (-half, half)]
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    points: list[tuple[float, float, float]] = []
    faces: list[tuple[int, int, int]] = []
    for side in sides:  # (corners of their own, so that the edges stay sharp)
        n = len(points)
        points += [corners[i] for i in side]
        faces += [(n, n + 1, n + 2), (n, n + 2, n + 3)]
    return _mesh(np.array(points), faces)


def _teapot() -> Mesh:
    return make_mesh.build()


_MAKERS = {
    "teapot": _teapot,
    "cube": _cube,
    "ball": _ball,
    "vase": lambda: _turned(_VASE),
    "tower": lambda: _turned(_TOWER),
    "ring": _ring,
}
OBJECTS = tuple(_MAKERS)


@cache
def shape(name: str) -> Mesh:
    """The mesh of that name. Raises KeyError for another."""
    return _MAKERS[name]()
