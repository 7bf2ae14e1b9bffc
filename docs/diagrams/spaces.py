"""Spaces and the views of them: a canvas under windows, a sphere seen from within, objects with cameras around.

Cameras stand where the pack's own rigs put them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, radians, sin
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from . import scenes
from .pen import BOLD, FINER, INK, LINE, PAPER, THIN, Colour, Pen, Point, path

Box = tuple[float, float, float, float]
Vector = tuple[float, float, float]
BODY = "M 38 80 C 38 44 70 33 100 33 C 130 33 162 44 162 80 C 162 106 142 128 124 134 L 76 134 C 58 128 38 106 38 80"
LID = "M 63 42 C 66 28 82 21 100 21 C 118 21 134 28 137 42 C 120 48 80 48 63 42"
SPOUT = "M 154 70 C 176 72 172 48 192 40 L 204 47 C 188 60 194 104 148 112 L 154 70"
HANDLE = "M 50 58 C 30 40 4 50 5 76 C 6 100 28 110 47 106"
FOOT = "M 72 133 L 128 133 L 133 142 C 118 146 82 146 67 142 L 72 133"
TURN, TILT = 0.28, 0.48  # from where spaces are seen, radians
CLAY = ((238, 232, 222), (214, 205, 192))


def tint(colour: Colour, share: float, towards: Colour = (255, 255, 255)) -> Colour:
    """A colour mixed with another."""
    return tuple(round(a + (b - a) * share) for a, b in zip(colour[:3], towards, strict=True))


def seen(point: Any, turn: float = TURN, tilt: float = TILT) -> tuple[float, float, float]:
    """(right, up, towards us) of a point with y up, from a little above."""
    x, y, z = point
    x, z = x * cos(turn) + z * sin(turn), -x * sin(turn) + z * cos(turn)
    return x, y * cos(tilt) - z * sin(tilt), y * sin(tilt) + z * cos(tilt)


def placed(centre: Point, radius: float, point: Any) -> Point:
    right, up, _ = seen(point)
    return centre[0] + radius * right, centre[1] - radius * up


def windows(
    pen: Pen,
    box: Box,
    picture: Image.Image,
    view: Point,
    counts: tuple[int, int],
    chosen: Sequence[int],
    colour: Colour,
) -> list[Box]:
    """A canvas and the windows over it; gives the places of the upper row. view: their size; counts: across and down;
    chosen: those of the upper row that are drawn bold."""
    left, top, right, bottom = box
    pen.paste(picture, box, INK, LINE)
    across = (right - left - view[0]) / max(1, counts[0] - 1)
    down = (bottom - top - view[1]) / max(1, counts[1] - 1)
    places: list[Box] = []
    for row in range(counts[1]):
        for i in range(counts[0]):
            x, y = left + i * across, top + row * down + (5 * (-1) ** i if counts[1] == 1 else 0)
            places.append((x, y, x + view[0], y + view[1]))
    for place in places:
        pen.box(place, (*PAPER, 14), (*tint(colour, 0.3), 190), THIN, 3)
    for i in chosen:
        pen.box(places[i], (*PAPER, 60), colour, BOLD, 4)
    return places[: counts[0]]


def on_sphere(scene: Image.Image, side: int) -> Image.Image:
    """A panorama on a ball, seen from outside; transparent around it."""
    down, across = (np.mgrid[0:side, 0:side] + 0.5) / side * 2 - 1
    away = np.sqrt(np.clip(1 - across**2 - down**2, 0, 1))
    up, near = -down * cos(TILT) + away * sin(TILT), down * sin(TILT) + away * cos(TILT)
    azimuth = np.arctan2(across * cos(TURN) - near * sin(TURN), across * sin(TURN) + near * cos(TURN))
    values = np.asarray(scene, float)
    rows = ((0.5 - np.arcsin(np.clip(up, -1, 1)) / pi) * (values.shape[0] - 1)).astype(int)
    columns = ((azimuth / (2 * pi) + 0.5) * (values.shape[1] - 1)).astype(int)
    shaded = values[rows, columns] * (0.72 + 0.28 * away[..., None])
    image = scenes.picture(shaded).convert("RGBA")
    image.putalpha(Image.fromarray(((across**2 + down**2 < 0.99) * 255).astype(np.uint8)))
    return image


def sphere(
    pen: Pen, centre: Point, radius: float, scene: Image.Image, half: Image.Image, looks: Sequence[Any], colour: Colour
) -> None:
    """A sphere, half made, seen from outside, views as patches on it; from its middle one looks at the scene."""
    corner = round((centre[0] - radius) * FINER), round((centre[1] - radius) * FINER)
    ball = on_sphere(half, round(2 * radius * FINER))
    pen.image.paste(ball, corner, ball)
    pen.dot(centre, radius, (*PAPER, 60))
    patches: list[tuple[tuple[float, float, float], list[Any]]] = []
    for look in looks:
        high, low = cos(look.elevation), sin(look.elevation)
        forward = np.array([sin(look.azimuth) * high, low, cos(look.azimuth) * high])
        right = np.array([cos(look.azimuth), 0.0, -sin(look.azimuth)])
        up = np.cross(forward, right)
        reach = np.tan(look.fov / 2)
        edge = np.linspace(-reach, reach, 13)
        rim = [(a, -reach) for a in edge] + [(reach, a) for a in edge]
        rim += [(a, reach) for a in edge[::-1]] + [(-reach, a) for a in edge[::-1]]
        points = [forward + u * right + v * up for u, v in rim]
        patches.append((seen(forward), [p / np.linalg.norm(p) for p in points]))
    for middle, points in sorted(patches, key=lambda p: p[0][2]):
        if middle[2] > 0.2:
            pen.shape([placed(centre, radius, p) for p in points], None, (*tint(colour, 0.55), 210), THIN)
    pen.dot(centre, radius, None, INK, LINE)
    points = min(patches, key=lambda p: (p[0][0] - 0.3) ** 2 + (p[0][1] + 0.4) ** 2)[1]
    rim = [placed(centre, radius, p) for p in points]
    clear = on_sphere(scene, round(2 * radius * FINER))
    mask = Image.new("L", clear.size, 0)
    ImageDraw.Draw(mask).polygon([(x * FINER - corner[0], y * FINER - corner[1]) for x, y in rim], fill=255)
    pen.image.paste(clear.convert("RGB"), corner, mask)
    for i in (0, 13, 26, 39):
        pen.line([centre, rim[i]], INK, LINE)
    pen.shape(rim, None, colour, BOLD)
    pen.dot(centre, 5.5, INK, PAPER, 1.5)


def cameras(pen: Pen, centre: Point, radius: float, directions: Sequence[Vector], colour: Colour, front: bool) -> None:
    """Those of the cameras, on a sphere around the object and looking at it, that are in front of it, or behind it."""
    long, half = (0.22, 0.125) if len(directions) < 20 else (0.13, 0.055)
    for direction in sorted(directions, key=lambda d: seen(d)[2]):
        near = seen(direction)[2]
        if (near > 0) != front:
            continue
        at = np.array(direction) / np.linalg.norm(direction)
        side = np.cross((0.0, 1.0, 0.0), at) if abs(at[1]) < 0.98 else np.array([1.0, 0.0, 0.0])
        side = side / np.linalg.norm(side)
        up = np.cross(at, side)
        base = [at * (1 - long) + half * (u * side + v * up) for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        faces = [(base, 0.9)] + [([at, base[i - 1], base[i]], 0.45 if i % 2 else 0.6) for i in range(4)]
        own = colour if front else tint(colour, 0.4)
        for face, pale in sorted(faces, key=lambda f: sum(seen(p)[2] for p in f[0]) / len(f[0])):
            points = [placed(centre, radius, p) for p in face]
            pen.shape(points, tint(own, pale), own, 1.7 if len(directions) < 20 else THIN)


def orbit_line(pen: Pen, centre: Point, radius: float, colour: Colour) -> None:
    ring = [placed(centre, radius, (sin(a), 0, cos(a))) for a in np.linspace(0, 2 * pi, 121)]
    pen.dashes(ring, tint(colour, 0.35), THIN)


def teapot(pen: Pen, at: Point, scale: float, glaze: Colour | None) -> None:
    """A teapot with its upper left corner ``at``, 208 by 148 units: of clay, or glazed with bands and a flower."""
    fill = CLAY[0] if glaze is None else (252, 252, 250)
    dark = CLAY[1] if glaze is None else tint(glaze, 0.72)
    body, lid, spout, foot = (path(p, at, scale) for p in (BODY, LID, SPOUT, FOOT))
    handle = path(HANDLE, at, scale)
    pen.line(handle, INK, 13 * scale)
    pen.line(handle, fill if glaze is None else tint(glaze, 0.25), 13 * scale - 2 * LINE)
    pen.shape(spout, fill)
    pen.shape(foot, dark)
    pen.shape(body, fill, None)
    inside = Image.new("RGBA", pen.image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(inside, "RGBA")

    def to(*numbers: float) -> list[float]:
        return [(at[i % 2] + n * scale) * FINER for i, n in enumerate(numbers)]

    for i in range(10):
        draw.ellipse(to(108 - i * 7, 36 - i, 240 - i * 5, 150 - i), fill=(*dark, 20))
    if glaze is not None:
        for y, thick in ((54, 3.2), (60, 1.4), (112, 1.4), (118, 3.2)):
            draw.arc(to(20, y - 26, 180, y + 10), 20, 160, fill=(*glaze, 255), width=round(thick * scale * FINER))
        for turn in range(6):
            u, v = cos(radians(60 * turn)), sin(radians(60 * turn))
            x, y = 100 + 10.5 * u, 94 + 10.5 * v
            draw.ellipse(to(x - 7.5, y - 7.5, x + 7.5, y + 7.5), fill=(*tint(glaze, 0.2), 255))
        draw.ellipse(to(94, 88, 106, 100), fill=(*tint(glaze, 0.75), 255))
        for side in (-1, 1):
            for far, size in ((30, 6.5), (42, 4.6), (51, 3.2)):
                x, y = 100 + side * far, 96 - 0.012 * far * far + 4
                draw.ellipse(to(x - size, y - size * 0.62, x + size, y + size * 0.62), fill=(*tint(glaze, 0.15), 255))
    draw.ellipse(to(56, 48, 76, 78), fill=(255, 255, 255, 120))
    mask = Image.new("L", pen.image.size, 0)
    ImageDraw.Draw(mask).polygon([(x * FINER, y * FINER) for x, y in body], fill=255)
    bare = Image.new("RGBA", pen.image.size, (0, 0, 0, 0))
    pen.image.paste(inside, (0, 0), Image.composite(inside, bare, mask).getchannel("A"))
    pen.shape(body, None)
    pen.shape(lid, fill if glaze is None else tint(glaze, 0.12))
    pen.dot((at[0] + 100 * scale, at[1] + 15 * scale), 8 * scale, fill if glaze is None else tint(glaze, 0.12), INK)


def cloud(pen: Pen, centre: Point, radius: float, name: str, snow: bool | None) -> None:
    """A .splat scene as soft dots: in its own colours, or (snow) white where it faces up; None: in greys."""
    places, sizes, colours = scenes.splats(name)
    right, up, near = np.array([seen(p) for p in places]).T
    order = np.argsort(near)
    grey = colours.mean(1, keepdims=True)
    if snow is None:
        colours = (grey * 0.35 + 150).repeat(3, 1)
    elif snow:
        cells = np.floor((places[:, [0, 2]] + 1) * 16).astype(int)
        highest = np.full((33, 33), -1.0)
        np.maximum.at(highest, tuple(cells.T), places[:, 1])
        top = np.exp(-(((highest[tuple(cells.T)] - places[:, 1]) / 0.09) ** 2))[:, None] * 0.9
        top = np.clip(top + np.random.RandomState(5).rand(len(top), 1) ** 3 * 0.7, 0.08, 0.95)
        shade = 0.9 + 0.1 * right[:, None] / np.abs(right).max()
        colours = (colours * 0.8 + np.array([[30, 40, 60]])) * (1 - top) + np.array([[246, 250, 255]]) * shade * top
    for i in order:
        at = (centre[0] + radius * right[i], centre[1] - radius * up[i])
        pen.dot(at, max(0.5, radius * sizes[i] * 1.1), (*(int(c) for c in colours[i]), 150))
