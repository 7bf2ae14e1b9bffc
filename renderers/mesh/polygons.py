"""Polygons cut into triangles."""

from __future__ import annotations

import numpy as np


def triangles(vertices: np.ndarray, corners: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polygons -> (int [T, 3] positions in ``corners``, int [T] polygon of each triangle), in the polygons' order.

    vertices: float [V, 3]. corners: int [C], vertices of all polygons' corners one after another. sizes: int [P] >= 3.
    Convex polygons become fans; others are cut ear by ear (Meisters 1975). Orientation is kept.
    """
    start = np.cumsum(sizes) - sizes
    found: list[np.ndarray] = []
    polygon: list[np.ndarray] = []
    for size in np.unique(sizes):
        of = np.flatnonzero(sizes == size)
        index = start[of][:, None] + np.arange(size)
        fan = np.stack([np.stack([index[:, 0], index[:, i], index[:, i + 1]], 1) for i in range(1, size - 1)], 1)
        if size > 3 and int(corners.max()) < len(vertices):
            place = vertices[corners[fan]]
            normal = np.cross(place[:, :, 1] - place[:, :, 0], place[:, :, 2] - place[:, :, 0])
            whole = normal.sum(1, keepdims=True)
            for row in np.flatnonzero(((normal * whole).sum(-1) < 0).any(1)):
                fan[row] = index[row][_ears(vertices[corners[index[row]]], whole[row, 0])]
        found.append(fan.reshape(-1, 3))
        polygon.append(np.repeat(of, size - 2))
    owner = np.concatenate(polygon)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(found)[order], owner[order]


def _ears(points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """One simple polygon [n, 3] with that normal -> int [n - 2, 3]."""
    axis = int(np.abs(normal).argmax())
    flat = np.delete(points, axis, 1)
    sign = np.sign(normal[axis]) * (-1 if axis == 1 else 1) or 1.0

    def turn(a: int, b: int, c: int) -> float:
        (ax, ay), (bx, by), (cx, cy) = flat[a], flat[b], flat[c]
        return sign * ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))

    left = list(range(len(points)))
    cut: list[tuple[int, int, int]] = []
    while len(left) > 3:
        for i in range(len(left)):
            a, b, c = left[i - 1], left[i], left[(i + 1) % len(left)]
            others = (p for p in left if p not in (a, b, c))
            if turn(a, b, c) > 0 and not any(
                turn(a, b, p) >= 0 and turn(b, c, p) >= 0 and turn(c, a, p) >= 0 for p in others
            ):
                break
        else:  # crosses itself: any cut is as good
            i, a, b, c = 1, left[0], left[1], left[2]
        cut.append((a, b, c))
        left.pop(i)
    cut.append((left[0], left[1], left[2]))
    return np.array(cut)
