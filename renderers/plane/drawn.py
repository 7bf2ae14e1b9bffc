"""A canvas and the windows on it, drawn."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from ..drawing.ink import DARK, PALE, PAPER, Ink, badge, badge_size, colours
from .space import Placement

# Free border around the canvas, in parts of the picture's longer side.
_BORDER = 0.03
# How bright one window, and the most that overlap, make a place.
_ONE, _ALL = 0.26, 0.52
# A canvas is drawn at least so high (or wide), in parts of the picture's longer side.
_LEAST = 0.22
# Windows whose borders would coincide are drawn inside of each other by these many steps.
_NESTED = 3
# Arms of a corner, in parts of a window's shorter side.
_ARM = 0.16

Rectangle = tuple[float, float, float, float]


def window_rectangles(placement: Placement, wrap: tuple[bool, bool]) -> list[list[Rectangle]]:
    """(left, top, right, bottom) of every window in cells, in rig order; of one that goes on beyond an edge that wraps
    (of rows, of columns), all its pieces, uncut."""
    rows, columns = placement.grid
    found: list[list[Rectangle]] = []
    for top in placement.rows:
        for left in placement.columns:
            downs = [0, -rows] if wrap[0] and top + placement.height > rows else [0]
            rights = [0, -columns] if wrap[1] and left + placement.width > columns else [0]
            found.append(
                [
                    (left + x, top + y, left + x + placement.width, top + y + placement.height)
                    for y in downs
                    for x in rights
                ]
            )
    return found


def windows_drawing(placement: Placement, wrap: tuple[bool, bool], size: int) -> Tensor:
    """The windows in colours by number, brighter where they overlap: [H, W, 3], the longer side ``size`` pixels."""
    rows, columns = placement.grid
    border = _BORDER * size
    scale = (size - 2 * border) / max(rows, columns)
    stretch_x, stretch_y = (max(1.0, _LEAST * size / (scale * side)) for side in (columns, rows))
    # (a canvas much longer than high keeps room for numbers)
    sx, sy = scale * stretch_x, scale * stretch_y
    ink = Ink.blank(round(columns * sx + 2 * border), round(rows * sy + 2 * border), PAPER)
    windows = window_rectangles(placement, wrap)
    _overlap(ink, placement, wrap, (border, border, sx, sy))
    tints = colours(len(windows))
    canvas = (border, border, border + columns * sx, border + rows * sy)
    for i, (pieces, colour) in enumerate(zip(windows, tints, strict=True)):
        inside = (0.7 + (i % _NESTED) * 1.15) * size / 300
        for piece in pieces:
            left, top, right, bottom = (
                border + v * s + d * inside for v, s, d in zip(piece, (sx, sy, sx, sy), (1, 1, -1, -1), strict=True)
            )
            sides = _within(canvas, (left, top, right, bottom))
            ink.stroke(sides, colour, size / 640, 0.55)
            corners = _corners(canvas, (left, top, right, bottom))
            ink.stroke(corners, DARK, size / 150, 0.6)
            ink.stroke(corners, colour, size / 260)
    reach = badge_size(len(windows), size)
    for i, pieces in enumerate(windows):
        x, y = ((pieces[0][k] + pieces[0][k + 2]) / 2 for k in (0, 1))
        x, y = x % columns if wrap[1] else x, y % rows if wrap[0] else y
        badge(ink, (border + x * sx, border + y * sy), i, tints[i], reach)
    ink.stroke([_closed(*canvas)], PALE, size / 640, 0.7)
    return ink.picture()


def _overlap(ink: Ink, placement: Placement, wrap: tuple[bool, bool], where: Rectangle) -> None:
    """Areas in grey by how many windows see them."""
    rows, columns = placement.grid
    left, top, sx, sy = where
    counts: list[Tensor] = []
    edges: list[list[int]] = []
    for starts, size, length in (
        (placement.rows, placement.height, rows),
        (placement.columns, placement.width, columns),
    ):
        ends = sorted({0, length, *(s % length for s in starts), *((s + size) % length for s in starts)})
        middles = [(a + b) / 2 for a, b in itertools.pairwise(ends)]
        counts.append(torch.tensor([sum((m - s) % length < size for s in starts) for m in middles]))
        edges.append(ends)
    seen = counts[0][:, None] * counts[1][None]
    most = max(1, int(seen.max()))
    for i in range(len(edges[0]) - 1):
        for j in range(len(edges[1]) - 1):
            count = int(seen[i, j])
            grey = _ONE + (_ALL - _ONE) * (count - 1) / max(1, most - 1) if count else 0.1
            x0, x1 = (left + edges[1][k] * sx for k in (j, j + 1))
            y0, y1 = (top + edges[0][k] * sy for k in (i, i + 1))
            ink.area([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], (0.92 * grey, 0.97 * grey, 1.06 * grey))


def _closed(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def _corners(canvas: Rectangle, piece: Rectangle) -> list[list[tuple[float, float]]]:
    """The corners of a rectangle that lie on the canvas, as angles."""
    left, top, right, bottom = piece
    arm = _ARM * min(right - left, bottom - top)
    return [
        [(x + arm * across, y), (x, y), (x, y + arm * down)]
        for x, across in ((left, 1), (right, -1))
        for y, down in ((top, 1), (bottom, -1))
        if canvas[0] <= x <= canvas[2] and canvas[1] <= y <= canvas[3]
    ]


def _within(canvas: Rectangle, piece: Rectangle) -> list[list[tuple[float, float]]]:
    """The sides of a rectangle that lie on the canvas."""
    left, top, right, bottom = piece
    x0, x1 = max(left, canvas[0]), min(right, canvas[2])
    y0, y1 = max(top, canvas[1]), min(bottom, canvas[3])
    sides = [
        (left >= canvas[0], [(left, y0), (left, y1)]),
        (top >= canvas[1], [(x0, top), (x1, top)]),
        (right <= canvas[2], [(right, y0), (right, y1)]),
        (bottom <= canvas[3], [(x0, bottom), (x1, bottom)]),
    ]
    if all(shown for shown, _ in sides):
        return [_closed(*piece)]
    return [line for shown, line in sides if shown and x1 > x0 and y1 > y0]
