"""One polygon cut ear by ear (Meisters, "Polygons have ears", 1975), holes that are bridged to the outside included.

A corner is an ear when the triangle with its two neighbours lies inside. Corners at one place (the two sides of a
bridge) are told apart by what hangs on them: one blocks an ear only where an edge of its own enters the triangle.
Triangles that all turn as the polygon does, cut from it one by one, cover what lies inside exactly once: that is the
check on the result. Corners that may block lie in a tree; an ear that was blocked is looked at again when the corner
that blocked it changes. So time grows as n log n, spirals, combs and stars included.
"""

from __future__ import annotations

import heapq
from collections import deque

import numpy as np

from ...arrays import Array, shaped
from .point_tree import PointTree

# Share of the polygon's extent below which a distance is rounding.
_ROUNDING = 1e-13
_LARGEST = 1e100
# Share of the polygon's area that may be covered twice, or from behind, by rounding.
_FOLDED = 1e-6


def ears(points: Array, normal: Array) -> tuple[Array, bool]:
    """float [n, 3] corners around ``normal`` -> (int [T, 3] of them, whether the cut is right).

    T = n - 2 less the corners that repeat the one before or stick out as spikes without area. A polygon that crosses
    itself is cut as well as it can be, and told; one without area has no triangles.
    """
    if not (np.isfinite(points).all() and np.abs(points).max() < _LARGEST):
        return _fan(len(points)), True  # (Mesh refuses such points)
    flat = _flattened(points, normal)
    kept = _apart(flat)
    if len(kept) < 3:
        return np.zeros((0, 3), np.int64), True
    polygon = _Polygon(flat[kept])
    polygon.cut()
    found = kept[shaped(np.array(polygon.found, np.int64), -1, 3)]
    covered, inside = np.abs(_areas(flat, found)).sum(), _areas(flat, _fan(len(flat))).sum()
    return found, bool(abs(covered - inside) <= _FOLDED * inside)


def _areas(flat: Array, triangles: Array) -> Array:
    """Twice the area of each; below 0 where it turns clockwise."""
    a, b, c = (flat[triangles[:, i]] for i in range(3))
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])


def _fan(n: int) -> Array:
    return np.stack([np.zeros(n - 2, np.int64), np.arange(1, n - 1), np.arange(2, n)], 1)


def _flattened(points: Array, normal: Array) -> Array:
    """[n, 2], counter-clockwise: without the coordinate along which the polygon is thinnest."""
    points = points - points[0]
    size = np.abs(normal)
    axis = int(size.argmax()) if size.max() > 0 else int(np.ptp(points, 0).argmin())
    flat = np.delete(points, axis, 1)
    if (normal[axis] < 0) != (axis == 1):
        flat = flat * np.array([1.0, -1.0])
    return flat


def _apart(flat: Array) -> Array:
    """Indices of the corners that do not repeat the one before."""
    tolerance = _ROUNDING * max(np.ptp(flat, 0).max(), 1e-300)
    moved = np.abs(flat - np.roll(flat, 1, 0)).max(1) > tolerance
    return np.flatnonzero(moved)


class _Polygon:
    """A polygon while it is cut: a ring of corners. ``found`` are the triangles so far."""

    def __init__(self, flat: Array) -> None:
        n = len(flat)
        self.x, self.y = flat[:, 0].tolist(), flat[:, 1].tolist()
        self.before = [n - 1, *range(n - 1)]
        self.after = [*range(1, n), 0]
        self.left = n
        self.alive = [True] * n
        self.tolerance = _ROUNDING * float(np.ptp(flat, 0).max())
        self.turns = [self._turn(i) for i in range(n)]
        blocking = [i for i in range(n) if self.turns[i] <= 0]
        self.tree = PointTree(flat, np.array(blocking, np.int64))
        self.waiting: dict[int, list[int]] = {}
        self.queue = deque((i, 0) for i in range(n) if self.turns[i] > 0)
        self.queue.extendleft((i, 0) for i in range(n) if self._spike(i))
        self.version = [0] * n
        self.strict = True
        self.rest: list[tuple[float, int, int]] | None = None
        self.found: list[tuple[int, int, int]] = []

    def cut(self) -> None:
        while self.left > 3:
            if not self.queue:
                self._stalled()
                continue
            i, version = self.queue.popleft()
            if version != self.version[i] or not self.alive[i]:
                continue
            blocker = self._blocker(i) if self.turns[i] > 0 else None
            if blocker is None:
                self._remove(i, self.turns[i] > 0)
            else:
                self.waiting.setdefault(blocker, []).append(i)
        i = self.alive.index(True)
        if self.turns[i] != 0:
            self.found.append((self.before[i], i, self.after[i]))

    def _turn(self, i: int) -> float:
        """Twice the area of the triangle at corner i: above 0 where it turns as the polygon does, 0 where it is
        straight within rounding."""
        a, c = self.before[i], self.after[i]
        x, y = self.x[i], self.y[i]
        ux, uy, vx, vy = x - self.x[a], y - self.y[a], self.x[c] - x, self.y[c] - y
        area = ux * vy - uy * vx
        return 0.0 if abs(area) <= self.tolerance * (abs(ux) + abs(uy) + abs(vx) + abs(vy)) else area

    def _spike(self, i: int) -> bool:
        """Whether the outline goes from corner i back the way it came, on the polygon's outside: such a corner has no
        triangle. (On the inside it is the end of a bridge or of a slit.)"""
        if self.turns[i] != 0:
            return False
        a, c = self.before[i], self.after[i]
        to_a, to_c = self._step(i, a), self._step(i, c)
        if _dot(to_a, to_c) < 0:
            return False
        near = min(abs(to_a[0]) + abs(to_a[1]), abs(to_c[0]) + abs(to_c[1]))
        if near <= self.tolerance:
            return True
        between = self._step(a, c)
        if abs(between[0]) + abs(between[1]) <= self.tolerance:
            j, out, back = a, self._step(c, self.after[c]), self._step(a, self.before[a])
        elif _dot(to_a, to_a) < _dot(to_c, to_c):
            j, out, back = a, between, self._step(a, self.before[a])
        else:
            j, out, back = c, self._step(c, self.after[c]), (-between[0], -between[1])
        tip = self._step(j, i)
        if _cross(out, back) > 0:
            return not (_cross(out, tip) > 0 and _cross(tip, back) > 0)
        if _cross(out, back) < 0:
            return _cross(back, tip) >= 0 and _cross(tip, out) >= 0
        return _cross(out, tip) <= 0 or _dot(out, back) > 0

    def _step(self, a: int, b: int) -> tuple[float, float]:
        return self.x[b] - self.x[a], self.y[b] - self.y[a]

    def _blocker(self, i: int) -> int | None:
        """A corner that keeps i from being an ear."""
        a, c = self.before[i], self.after[i]
        lines = [self._line(a, i), self._line(i, c), self._line(c, a)]
        for p in self.tree.inside(lines, (self.x[a], self.x[i], self.x[c]), (self.y[a], self.y[i], self.y[c])):
            if p in (a, i, c):
                continue
            x, y = self.x[p], self.y[p]
            touched = [line for line in lines if line[0] * x + line[1] * y + line[2] <= line[3]]
            if not touched or (self.strict and touched == lines[2:]) or self._enters(p, touched):
                return p
        return None

    def _line(self, a: int, b: int) -> tuple[float, float, float, float]:
        """(A, B, C, tolerance): A x + B y + C is above the tolerance to the left of the edge from a to b."""
        dx, dy = self.x[b] - self.x[a], self.y[b] - self.y[a]
        return -dy, dx, dy * self.x[a] - dx * self.y[a], self.tolerance * (abs(dx) + abs(dy))

    def _enters(self, p: int, touched: list[tuple[float, float, float, float]]) -> bool:
        """Whether an edge at p, which lies on the border of a triangle, goes on inside."""
        for q in (self.before[p], self.after[p]):
            x, y = self.x[q], self.y[q]
            if all(line[0] * x + line[1] * y + line[2] > line[3] for line in touched):
                return True
        return False

    def _remove(self, i: int, with_triangle: bool) -> None:
        a, c = self.before[i], self.after[i]
        if with_triangle:
            self.found.append((a, i, c))
        self.alive[i] = False
        self.left -= 1
        self.after[a], self.before[c] = c, a
        changed = [i, a, c]
        for k in (a, c):
            was = self.turns[k]
            self.turns[k] = self._turn(k)
            if was <= 0 < self.turns[k]:
                self.tree.remove(k)
        if self.turns[i] <= 0:
            self.tree.remove(i)
        for k in changed:
            for waiting in self.waiting.pop(k, ()):
                self._again(waiting)
        self._again(a)
        self._again(c)

    def _again(self, i: int) -> None:
        """Corner i is to be looked at anew, after all that wait already."""
        if not self.alive[i]:
            return
        self.version[i] += 1
        if self.turns[i] > 0:
            self.queue.append((i, self.version[i]))
        elif self._spike(i):
            self.queue.appendleft((i, self.version[i]))
        if self.rest is not None and self.turns[i] >= 0:
            heapq.heappush(self.rest, (self.turns[i], i, self.version[i]))

    def _stalled(self) -> None:
        """No ear is left. First allow corners on an ear's open side, then take what costs least."""
        alive = [i for i, there in enumerate(self.alive) if there]
        if self.strict:
            self.strict = False
            self.waiting.clear()
            for i in alive:
                self._again(i)
            return
        if self.rest is None:
            self.rest = [(self.turns[i], i, self.version[i]) for i in alive if self.turns[i] >= 0]
            heapq.heapify(self.rest)
        while self.rest:
            turn, i, version = heapq.heappop(self.rest)
            if self.alive[i] and version == self.version[i]:
                self._remove(i, turn > 0)
                return
        # What is left turns the other way around: it crossed itself.
        for i in alive[1:-1]:
            if self.left > 3:
                self._remove(i, True)


def _dot(a: tuple[float, float], b: tuple[float, float]) -> float:
    return a[0] * b[0] + a[1] * b[1]


def _cross(a: tuple[float, float], b: tuple[float, float]) -> float:
    return a[0] * b[1] - a[1] * b[0]
