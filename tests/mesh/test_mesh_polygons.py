"""Polygons cut into triangles: areas, orientation, bridged holes, and how the work grows."""

import numpy as np
import pytest
from helpers.work import calls
from syncpack.renderers.mesh.files.polygons import triangles

KEYHOLE = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (1, 3), (3, 3), (3, 1), (1, 1)]
SHAPES = {
    "hole": (KEYHOLE, 12, 8),
    "hole that touches a corner": ([(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 3), (3, 3), (3, 1)], 10, 6),
    "hole that touches an edge": (
        [(0, 0), (2, 0), (1, 1), (2, 2), (3, 1), (2, 0), (4, 0), (4, 4), (0, 4)],
        14,
        7,
    ),
    "slit": ([(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (2, 2)], 16, 4),
    "slit from an edge": ([(0, 0), (2, 0), (2, 2), (2, 0), (4, 0), (4, 4), (0, 4)], 16, 5),
    "spike": ([(0, 0), (4, 0), (4, 4), (6, 6), (4, 4), (0, 4)], 16, 2),
    "bent spike": ([(0, 0), (4, 0), (4, 4), (5, 5), (6, 7), (5, 5), (4, 4), (0, 4)], 16, 2),
    "corners on edges": (
        [(0, 0), (1, 0), (2, 0), (2, 0.5), (2, 1), (1.5, 1), (1, 1), (1, 1.5), (1, 2), (0.5, 2), (0, 2), (0, 1)],
        3,
        10,
    ),
    "repeated corners": ([(0, 0), (0, 0), (4, 0), (4, 4), (4, 4), (2, 1), (0, 4)], 10, 3),
    "arrow head": ([(0, 0), (2, 1), (0, 2), (1, 1)], 1, 2),
}


def cut(points):
    """-> (signed areas, their sum, polygons that cross themselves), seen from above."""
    flat = np.array(points, float)
    found = triangles(np.c_[flat, np.zeros(len(flat))], np.arange(len(flat)), np.array([len(flat)]))
    a, b, c = (flat[found.corners[:, i]] for i in range(3))
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    return areas, found.crossed


def shoelace(points):
    x, y = np.array(points, float).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def holes(k):
    """A square with k x k square holes, each joined to its left neighbour and the first of each row to the edge."""
    points = [(0, 0), (k, 0), (k, k), (0, k)]
    for j in reversed(range(k)):
        low, high = j + 0.3, j + 0.7
        points.append((0, low))
        for i in range(k):
            points += [(i + 0.3, low), (i + 0.3, high), (i + 0.7, high), (i + 0.7, low)]
        for i in reversed(range(k)):
            points += [(i + 0.7, low)] * (i < k - 1) + [(i + 0.3, low)]
        points.append((0, low))
    return np.array(points, float)


def comb(n):
    teeth = [(n - 3 - i, 1 if i % 2 else 10) for i in range(n - 2)]
    return np.array([(0, 0), (n - 3, 0), *teeth], float)


def star(n, inner):
    angle, radius = np.arange(n) * 2 * np.pi / n, np.where(np.arange(n) % 2, inner, 1)
    return np.c_[radius * np.cos(angle), radius * np.sin(angle)]


def spiral(n):
    angle = np.linspace(0, 150, n // 2)
    way = np.c_[np.cos(angle), np.sin(angle)]
    return np.r_[way * (1 + angle)[:, None], (way * (0.6 + angle)[:, None])[::-1]]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("first", (0, 1, 3))
def test_triangles_cover_the_polygon_once(name, first):
    points, area, count = SHAPES[name]
    areas, crossed = cut(points[first:] + points[:first])
    assert areas.sum() == pytest.approx(area) and np.abs(areas).sum() == pytest.approx(area)
    assert len(areas) == count and crossed == 0 and (areas > 1e-9).all()


@pytest.mark.parametrize("seed", range(8))
def test_many_holes_in_any_plane(seed):
    """Turned, far from 0 and subdivided: every triangle faces as the polygon does."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    flat = holes(int(random.integers(1, 5)))
    after = np.roll(flat, -1, 0)
    flat = np.stack([flat, flat + (after - flat) * random.uniform(0.2, 0.8)], 1).reshape(-1, 2)
    points = np.c_[flat, np.zeros(len(flat))] @ turn.T + random.normal(size=3) * 100
    found = triangles(points, np.arange(len(points)), np.array([len(points)]))
    a, b, c = (points[found.corners[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    assert np.linalg.norm(normal, axis=1).sum() / 2 == pytest.approx(shoelace(flat), rel=1e-6)
    assert len(found.corners) == len(points) - 2 and found.crossed == 0


@pytest.mark.parametrize(
    "points", (comb(1602), comb(10_000), star(2400, 0.01), star(10_000, 0.3), spiral(10_000), holes(30)), ids=len
)
def test_large_polygons_take_a_moment(points):
    assert calls(lambda: cut(points)) < 150 * len(points), "more than grows with the corners"
    areas, crossed = cut(points)
    assert np.abs(areas).sum() == pytest.approx(abs(shoelace(points))) and crossed == 0


def test_convex_polygons_and_many_sizes_take_a_moment():
    assert np.abs(cut(star(100_000, 1))[0]).sum() == pytest.approx(np.pi)
    assert calls(lambda: cut(star(100_000, 1))) < 1000, "corner by corner"
    sizes = np.arange(3, 1000)
    points = np.concatenate([star(n, 1) for n in sizes])
    given = np.c_[points, np.zeros(len(points))], np.arange(len(points)), sizes
    assert calls(lambda: triangles(*given)) < 2 * len(sizes), "corner by corner"
    found = triangles(*given)
    assert len(found.corners) == (sizes - 2).sum() and (np.diff(found.polygon) >= 0).all()


def test_polygons_that_cross_themselves_are_told():
    assert cut([(0, 0), (2, 2), (2, 0), (0, 2)])[1] == 1
    points = np.random.default_rng(0).random((2000, 2))
    assert calls(lambda: cut(points)) < 300 * len(points)
    areas, crossed = cut(points)
    assert crossed == 1 and len(areas) > 1900
