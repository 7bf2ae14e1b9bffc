"""Points of a plane that are asked for by triangle and taken out one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...arrays import Array

_LEAF = 8

Line = tuple[float, float, float, float]


class PointTree:
    """A k-d tree (Bentley 1975) of some of the points [n, 2], in the order of a heap: node i has the children 2i + 1
    and 2i + 2. Asking takes about log n where few points lie in the triangle."""

    def __init__(self, points: Array, chosen: Array) -> None:
        self.depth = max(0, int(np.ceil(np.log2(max(len(chosen), 1) / _LEAF))))
        nodes = 2 ** (self.depth + 1) - 1
        self.count = [0] * nodes
        self.boxes: list[tuple[float, float, float, float]] = [(0.0, 0.0, 0.0, 0.0)] * nodes
        self.first_leaf: int = 2**self.depth - 1
        self.leaves: list[list[int]] = [list[int]() for _ in range(self.first_leaf + 1)]
        self.leaf_of: dict[int, int] = {}
        self.x, self.y = points[:, 0].tolist(), points[:, 1].tolist()
        self._build(points, chosen)

    def _build(self, points: Array, chosen: Array) -> None:
        parts = {0: chosen}
        for node in range(len(self.count)):
            own = parts.pop(node)
            self.count[node] = len(own)
            if len(own):
                low, high = points[own].min(0), points[own].max(0)
                self.boxes[node] = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
            if node >= self.first_leaf:
                self.leaves[node - self.first_leaf] = own.tolist()
                self.leaf_of.update(dict.fromkeys(own.tolist(), node))
                continue
            half = len(own) // 2
            if half:
                own = own[np.argpartition(points[own, int(np.ptp(points[own], 0).argmax())], half)]
            parts[2 * node + 1], parts[2 * node + 2] = own[:half], own[half:]

    def remove(self, point: int) -> None:
        """Take a point out, if it is there."""
        node = self.leaf_of.pop(point, None)
        if node is None:
            return
        self.leaves[node - self.first_leaf].remove(point)
        while node:
            self.count[node] -= 1
            node = (node - 1) // 2
        self.count[0] -= 1

    def inside(self, lines: Sequence[Line], x: Sequence[float], y: Sequence[float]) -> Iterator[int]:
        """Points in the triangle with corners x, y, its border included. lines: (A, B, C, tolerance) of its three
        edges; A x + B y + C >= -tolerance inside."""
        west, east, south, north = min(x), max(x), min(y), max(y)
        (a0, b0, c0, t0), (a1, b1, c1, t1), (a2, b2, c2, t2) = lines
        count, boxes, first = self.count, self.boxes, self.first_leaf
        stack = [0]
        while stack:
            node = stack.pop()
            if not count[node]:
                continue
            low, high, bottom, top = boxes[node]
            if low > east or high < west or bottom > north or top < south:
                continue
            # The corner of the box that lies farthest to the left of an edge lies outside: so does the box.
            if (
                a0 * (high if a0 > 0 else low) + b0 * (top if b0 > 0 else bottom) + c0 < -t0
                or a1 * (high if a1 > 0 else low) + b1 * (top if b1 > 0 else bottom) + c1 < -t1
                or a2 * (high if a2 > 0 else low) + b2 * (top if b2 > 0 else bottom) + c2 < -t2
            ):
                continue
            if node < first:
                stack += (2 * node + 1, 2 * node + 2)
                continue
            for p in self.leaves[node - first]:
                px, py = self.x[p], self.y[p]
                if a0 * px + b0 * py + c0 >= -t0 and a1 * px + b1 * py + c1 >= -t1 and a2 * px + b2 * py + c2 >= -t2:
                    yield p
