"""A pen on a sheet four and a half times as large as the picture becomes, and the small things it can draw.

Lengths are 720ths of the picture's width. The font is the one that Pillow brings along.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]
Colour = tuple[int, ...]

FINER = 4
SHEET, MADE = (720, 450), (640, 400)
GROUND: Colour = (249, 246, 239)
PAPER: Colour = (255, 254, 251)
INK: Colour = (42, 46, 58)
QUIET: Colour = (112, 116, 126)
RULE: Colour = (222, 216, 203)
THIN, LINE, BOLD = 1.2, 2.2, 3.4


@lru_cache(maxsize=64)
def font(size: float) -> Any:
    return ImageFont.load_default(size * FINER)


def width_of(text: str, size: float) -> float:
    return font(size).getlength(text) / FINER


def quoted(text: str, size: float, width: float, most: int) -> list[str]:
    """Lines no wider than ``width``, in quotes; the last ends in three dots where words are left over."""
    lines, words = [""], f"\u201c{text}\u201d".split()
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer, size) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) <= most:
        return lines
    kept = lines[most - 1]
    while width_of(f"{kept} ...\u201d", size) > width and " " in kept:
        kept = kept.rsplit(" ", 1)[0]
    return [*lines[: most - 1], kept.rstrip(",") + " ...\u201d"]


def curve(a: Point, b: Point, c: Point, d: Point, steps: int = 24) -> list[Point]:
    """A cubic Bezier curve."""

    def at(t: float, axis: int) -> float:
        back = 1 - t
        return back**3 * a[axis] + 3 * t * back**2 * b[axis] + 3 * t * t * back * c[axis] + t**3 * d[axis]

    return [(at(i / steps, 0), at(i / steps, 1)) for i in range(steps + 1)]


def path(text: str, origin: Point = (0, 0), scale: float = 1.0) -> list[Point]:
    """Points of a path written as in SVG, of M, L and C with absolute numbers."""
    points: list[Point] = []
    for letter, numbers in re.findall(r"([MLC])([^MLC]*)", text):
        values = [float(n) for n in numbers.split()]
        given = [(origin[0] + x * scale, origin[1] + y * scale) for x, y in zip(values[::2], values[1::2], strict=True)]
        if letter != "C":
            points += given
            continue
        for i in range(0, len(given), 3):
            points += curve(points[-1], *given[i : i + 3])[1:]
    return points


class Pen:
    """What draws. Fills may be transparent: a fourth number of a colour, 0 to 255."""

    def __init__(self, ground: Colour = GROUND) -> None:
        self.image = Image.new("RGB", (SHEET[0] * FINER, SHEET[1] * FINER), ground)
        self.draw = ImageDraw.Draw(self.image, "RGBA")

    def finished(self) -> Image.Image:
        return self.image.resize(MADE, Image.Resampling.LANCZOS)

    def line(self, points: Sequence[Point], colour: Colour = INK, width: float = LINE, closed: bool = False) -> None:
        large = [(x * FINER, y * FINER) for x, y in points]
        if closed:
            large = [*large, *large[:2]]
        self.draw.line(large, fill=colour, width=max(1, round(width * FINER)), joint="curve")
        if not closed and len(colour) == 3:
            r = width * FINER / 2
            for x, y in (large[0], large[-1]):
                self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def dashes(self, points: Sequence[Point], colour: Colour, width: float = THIN, every: int = 2) -> None:
        """Every second stretch of a fine line."""
        for i in range(0, len(points) - every, 2 * every):
            self.line(points[i : i + every + 1], colour, width)

    def shape(
        self, points: Sequence[Point], fill: Colour | None, outline: Colour | None = INK, width: float = LINE
    ) -> None:
        if fill is not None:
            self.draw.polygon([(x * FINER, y * FINER) for x, y in points], fill=fill)
        if outline is not None:
            self.line(points, outline, width, closed=True)

    def dot(self, at: Point, r: float, fill: Colour | None, outline: Colour | None = None, width: float = LINE) -> None:
        box = [v * FINER for v in (at[0] - r, at[1] - r, at[0] + r, at[1] + r)]
        self.draw.ellipse(box, fill=fill, outline=outline, width=round(width * FINER))

    def box(
        self,
        box: tuple[float, float, float, float],
        fill: Colour | None,
        outline: Colour | None = INK,
        width: float = LINE,
        round_by: float = 4,
    ) -> None:
        large = [v * FINER for v in box]
        thick = round(width * FINER)
        self.draw.rounded_rectangle(large, round_by * FINER, fill=fill, outline=outline, width=thick)

    def text(
        self,
        at: Point,
        text: str,
        size: float = 22,
        colour: Colour = INK,
        anchor: str = "la",
        heavy: bool = False,
    ) -> None:
        """Heavy: a little bolder than the font is. anchor: as Pillow has it."""
        large = (at[0] * FINER, at[1] * FINER)
        stroke = round(size * FINER / 45) if heavy else 0
        self.draw.text(
            large, text, fill=colour, font=font(size), anchor=anchor, stroke_width=stroke, stroke_fill=colour
        )

    def paste(
        self,
        picture: Image.Image,
        box: tuple[float, float, float, float],
        outline: Colour | None = INK,
        width: float = LINE,
        round_by: float = 4,
    ) -> None:
        """A picture in a rounded frame."""
        left, top, right, bottom = (round(v * FINER) for v in box)
        fitted = picture.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
        mask = Image.new("L", fitted.size, 0)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, right - left, bottom - top), round_by * FINER, fill=255)
        self.image.paste(fitted, (left, top), mask)
        if outline is not None:
            self.box(box, None, outline, width, round_by)

    def arrow(self, points: Sequence[Point], colour: Colour, width: float = BOLD, head: float = 11) -> None:
        """A line with a full head at its end."""
        (x, y), (px, py) = points[-1], points[-4] if len(points) > 4 else points[0]
        long = ((x - px) ** 2 + (y - py) ** 2) ** 0.5 or 1.0
        u, v = (x - px) / long, (y - py) / long
        base = (x - u * head, y - v * head)
        self.line([*[p for p in points[:-1] if (p[0] - x) ** 2 + (p[1] - y) ** 2 > head**2], base], colour, width)
        wide = head * 0.62
        self.shape(
            [(x, y), (base[0] - v * wide, base[1] + u * wide), (base[0] + v * wide, base[1] - u * wide)], colour, None
        )

    def bubble(self, at: Point, width: float, text: str, colour: Colour, most: int, around: bool = False) -> float:
        """Words that somebody says, in quotes; gives the height that they took. around: ``at`` is the middle of the
        left side, otherwise the upper left corner."""
        size, (x, y) = 20.5, at
        lines = quoted(text, size, width - 24, most)
        step = size * 1.2
        high = len(lines) * step + 18
        y -= high / 2 if around else 0
        tail = [(x + 26, y + high - 2), (x + 24, y + high + 13), (x + 48, y + high - 2)]
        self.box((x, y, x + width, y + high), PAPER, colour, LINE, 13)
        self.shape(tail, PAPER, None)
        self.line(tail, colour, LINE)
        for number, line in enumerate(lines):
            self.text((x + 13, y + 9 + number * step), line, size)
        return high + 13

    def page(self, at: Point, colour: Colour) -> None:
        """A file, 18 by 22."""
        x, y = at
        self.shape([(x, y), (x + 11, y), (x + 18, y + 7), (x + 18, y + 22), (x, y + 22)], PAPER, colour)
        self.line([(x + 11, y), (x + 11, y + 7), (x + 18, y + 7)], colour)
        for row in (12, 17):
            self.line([(x + 4.5, y + row), (x + 13.5, y + row)], colour, THIN)
