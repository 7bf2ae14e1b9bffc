"""Parts that all diagrams have: title and files, what goes in, words about views, arrows."""

from __future__ import annotations

from math import cos, sin

from PIL import Image

from . import scenes, spaces
from .facts import EDITED, Facts
from .pen import INK, LINE, QUIET, RULE, Colour, Pen, Point, curve, width_of

TOP, LEFT, RIGHT = 102, 32, 688
COLUMN = 186  # how wide the inputs are


def frame(pen: Pen, says: Facts, accent: Colour) -> None:
    """Title, whose it is, and what has to be loaded."""
    pen.box((LEFT, 24, LEFT + 6, 82), accent, None, round_by=3)
    pen.text((LEFT + 20, 16), says.title, 32, INK, heavy=True)
    pen.text((LEFT + 20, 57), says.source, fitting(says.source, 22, RIGHT - LEFT - 20), QUIET)
    rows = file_rows(says)
    top = 426 - 29 * (len(rows) - 1)
    pen.line([(LEFT, top - 26), (RIGHT, top - 26)], RULE, 1.5)
    for number, (kind, text) in enumerate(rows):
        y = top - 13 + number * 29
        pen.page((LEFT, y - 1), accent if kind == "model" else QUIET)
        pen.text((LEFT + 28, y + 10), text, 20, INK, anchor="lm")


def fitting(text: str, size: float, width: float) -> float:
    """The size, or the one at which the text is no wider."""
    return min(size, size * width / max(1.0, width_of(text, size)))


def file_rows(says: Facts) -> list[tuple[str, str]]:
    """(what it is, names) of a row each: models, one row if they fit, and what reads hints."""
    names = [name for kind, name in says.files if kind == "model"]
    hints = [("depth", name) for kind, name in says.files if kind != "model"]
    if len(names) < 3:
        return [("model", "  +  ".join(names)), *hints]
    return [("model", names[0]), ("model", "  +  ".join(name.rsplit(".", 1)[0] for name in names[1:])), *hints]


def middle_of(says: Facts) -> float:
    """Where arrows run from left to right."""
    return 202.0 if len(file_rows(says)) > 1 else 216.0


def inputs(pen: Pen, says: Facts, accent: Colour, middle: float) -> None:
    """The left column: words, around the middle if they are alone, and what is given beside them."""
    if not says.given:
        pen.bubble((LEFT, middle), COLUMN, says.words[0], accent, 5, around=True)
        return
    y = float(TOP + 2)
    y += pen.bubble((LEFT, y), COLUMN, says.words[0], accent, 4) + 8
    for kind, name in says.given:
        if kind == "mesh":
            spaces.teapot(pen, (LEFT + 30, y), 0.53, None)
            y += 84
        elif kind == "splats":
            spaces.cloud(pen, (LEFT + 88, y + 52), 58, name, False)
            y += 106
        else:
            width, height = says.sizes[-1]
            wide = min(COLUMN, 74 * width / height)
            shown = scenes.room(640, 320)[1] if kind == "depth map" else start_of(says, 640, int(640 * height / width))
            pen.paste(shown, (LEFT, y, LEFT + wide, y + wide * height / width))
            y += wide * height / width + 4
        pen.text((LEFT, y), name, fitting(name, 20, COLUMN - 10), QUIET)


def start_of(says: Facts, width: int, height: int) -> Image.Image:
    """The picture that goes in, or what words make where none does."""
    return scenes.landscape(width, height, "day" if says.given else scenes.mood(says.words[0]))


def half_of(says: Facts, start: Image.Image, end: Image.Image, cell: int) -> Image.Image:
    """Half way: under noise, or, where a picture is edited without becoming noise, between both."""
    return Image.blend(start, end, 0.5) if says.aside == EDITED else scenes.grain(start, 0.32, cell)


def told(pen: Pen, says: Facts, at: Point, anchor: str = "ma") -> None:
    """How many views there are, and what is averaged."""
    views = f"{says.count} views of {says.view[0]}"
    lines = [part for part in (views, says.process, says.aside) if part]
    if anchor == "la" and len(lines) > 2:
        lines = [f"{views}, {says.aside}", says.process]
    for number, line in enumerate(lines):
        pen.text((at[0], at[1] + 26 * number), line, 21, INK if number == 0 else QUIET, anchor)


def flow(pen: Pen, a: Point, b: Point, accent: Colour) -> None:
    middle = (a[0] + b[0]) / 2
    pen.arrow(curve(a, (middle, a[1]), (middle, b[1]), b), accent)


def side_by_side(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def size_of(pen: Pen, says: Facts) -> None:
    text = side_by_side(says.sizes[-1])
    pen.text((RIGHT, 423), text, 20, QUIET, "rm")


def turn(pen: Pen, centre: Point, accent: Colour) -> None:
    """All around: a ring with a head."""
    points = [(centre[0] + 62 * cos(a / 40), centre[1] + 15 * sin(a / 40)) for a in range(-28, 190)]
    pen.arrow(points, accent, LINE, 10)
    pen.text((centre[0], centre[1] + 1), "360\u00b0", 21, INK, "mm")
