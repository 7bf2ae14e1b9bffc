"""Polygons cut into triangles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arrays import Array
from .ears import ears
from .pieces import Limits, Notes

# Triangles whose corners are looked at together: what that takes stays small beside the file.
_BLOCK = 1 << 18


class Cut(NamedTuple):
    """corners: int [T, 3], positions in the list of corners. polygon: int [T], the polygon of each triangle, rising.
    crossed: polygons that have no right cut, because they cross themselves."""

    corners: Array
    polygon: Array
    crossed: int


def cut_faces(vertices: Array, corners: Array, sizes: Array, limits: Limits, notes: Notes) -> tuple[Array, Array]:
    """The faces of a file, as ``triangles`` -> (corners [T, 3], polygon [T]); notes say what was cut.

    Raises ValueError when they are too many, before they are cut, and when none is left.
    """
    limits.check_faces(int((sizes.astype(np.int64) - 2).sum()))
    cut = triangles(vertices, corners, sizes)
    many = int((sizes > 3).sum())
    if many:
        notes.add(f"{many} faces with more than three corners were cut into triangles")
    if cut.crossed:
        notes.add(f"{cut.crossed} faces cross themselves or fold over; they were cut as well as they can be")
    if not len(cut.corners):
        raise ValueError("its faces have no area; use a file with a surface")
    return cut.corners, cut.polygon


def triangles(vertices: Array, corners: Array, sizes: Array) -> Cut:
    """Polygons -> triangles, in the polygons' order; orientation is kept.

    vertices: float [V, 3]. corners: int [C], vertices of all polygons' corners one after another. sizes: int [P] >= 3.
    What a fan of one corner covers without a fold becomes a fan; others are cut ear by ear, holes that are joined to
    the outside by an edge there and back included (``ears``). Corners that repeat the one before make no triangle in
    polygons that are no fans. Time grows as n log n.
    """
    sizes = sizes.astype(np.int64)
    start = np.cumsum(sizes) - sizes
    wanted = np.cumsum(sizes - 2)
    found: list[Array] = []
    owner: list[Array] = []
    crossed = at = 0
    while at < len(sizes):
        done = wanted[at - 1] if at else 0
        end = max(at + 1, int(np.searchsorted(wanted, done + _BLOCK, "right")))
        block = np.arange(at, end)
        cut = _block(vertices, corners, sizes[block], start[block])
        found.append(cut.corners)
        owner.append(cut.polygon + at)
        crossed += cut.crossed
        at = end
    return Cut(np.concatenate(found), np.concatenate(owner), crossed)


def _block(vertices: Array, corners: Array, sizes: Array, start: Array) -> Cut:
    first = np.zeros(len(sizes), np.int64)
    fan, polygon = _fan(sizes, start, first)
    if int(sizes.max()) <= 3 or int(corners.max()) >= len(vertices) or int(corners.min()) < 0:
        return Cut(fan, polygon, 0)  # (an index that points nowhere is refused by Mesh)
    folded, plane = _folded(vertices, corners, fan, polygon, sizes)
    if len(folded):
        # One reflex corner: the fan from there has no fold, as a rule.
        first[folded] = _reflex(vertices, corners, sizes[folded], start[folded], plane[folded])
        fan, polygon = _fan(sizes, start, first)
        folded, plane = _folded(vertices, corners, fan, polygon, sizes)
    if not len(folded):
        return Cut(fan, polygon, 0)
    crossed = 0
    keep = ~np.isin(polygon, folded)
    cut, owner = [fan[keep]], [polygon[keep]]
    for i in folded.tolist():
        index = np.arange(int(start[i]), int(start[i] + sizes[i]))
        picked, clean = ears(vertices[corners[index]], plane[i])
        crossed += not clean
        cut.append(index[picked])
        owner.append(np.full(len(picked), i))
    owner_of = np.concatenate(owner)
    order = np.argsort(owner_of, kind="stable")
    return Cut(np.concatenate(cut)[order], owner_of[order], crossed)


def _fan(sizes: Array, start: Array, first: Array) -> tuple[Array, Array]:
    """(corners [T, 3], polygon [T]) of the fans that begin at each polygon's corner ``first``."""
    polygon = np.repeat(np.arange(len(sizes)), sizes - 2)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(sizes - 2) - (sizes - 2), sizes - 2)
    turned, size = first[polygon], sizes[polygon]
    three = [turned, (turned + step + 1) % size, (turned + step + 2) % size]
    return np.stack(three, 1) + start[polygon][:, None], polygon


def _folded(vertices: Array, corners: Array, fan: Array, polygon: Array, sizes: Array) -> tuple[Array, Array]:
    """(polygons of more than three corners with a triangle that turns against the whole or has no area, twice the
    area vector [P, 3] of every polygon)."""
    a, b, c = (vertices[corners[fan[:, i]]] for i in range(3))
    with np.errstate(all="ignore"):
        normal = np.cross(b - a, c - a)
        whole = np.stack([np.bincount(polygon, normal[:, i], len(sizes)) for i in range(3)], 1)
        flat = ~((normal * whole[polygon]).sum(1) > 0)
    counts = np.bincount(polygon[flat], minlength=len(sizes))
    return np.flatnonzero((counts > 0) & (sizes > 3)), whole


def _reflex(vertices: Array, corners: Array, sizes: Array, start: Array, plane: Array) -> Array:
    """The first corner of each polygon that turns inwards; 0 where there is none."""
    polygon = np.repeat(np.arange(len(sizes)), sizes)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    size, begin = sizes[polygon], start[polygon]
    before, here, after = (vertices[corners[begin + (step + i) % size]] for i in (-1, 0, 1))
    with np.errstate(all="ignore"):
        inwards = (np.cross(here - before, after - here) * plane[polygon]).sum(1) < 0
    first = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(first, polygon[inwards], step[inwards])
    return np.where(first < sizes, first, 0)
