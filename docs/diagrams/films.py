"""Films: frames beside each other, and clips of them."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from . import scenes
from .facts import Facts, clips_of
from .parts import COLUMN, LEFT, RIGHT, TOP, flow, half_of, inputs, size_of
from .pen import BOLD, INK, LINE, PAPER, QUIET, RULE, Colour, Pen

SHOWN = 7  # frames of a strip
BAND = 9.0  # above and below them, where the holes are
HOLE = (5.0, 4.0)


def film(pen: Pen, says: Facts, accent: Colour) -> None:
    """A video on its way, under the clips that are made of it; the finished one below."""
    inputs(pen, says, accent, TOP + 66)
    left = LEFT + 226.0
    wide = (RIGHT - left) / SHOWN
    high = wide * says.sizes[-1][1] / says.sizes[-1][0] * 1.25
    words = scenes.mood(says.words[0])
    shots = [shot(words, number) for number in range(SHOWN)]
    top, below = TOP + 22.0, 290.0
    strip(pen, (left, top), (wide, high), [half_of(says, one, one, 12) for one in shots])
    frames, length, starts = clips_of(says.name)
    for number, start in enumerate(starts):
        x = left + (RIGHT - left) * start / frames
        end = left + (RIGHT - left) * min(start + length, frames) / frames
        lift = 8.0 if number % 2 else -8.0
        pen.box((x, top + lift, end, top + high + 2 * BAND + lift), (*PAPER, 45), accent, BOLD, 6)
    middle = top + high + 2 * BAND
    pen.arrow([(left + 22, middle + 24), (left + 22, below - 12)], accent)
    pen.text((left + 46, middle + 22), f"{says.count} clips, {says.aside}", 21, INK, "la")
    pen.text((left + 46, middle + 48), says.process, 21, QUIET, "la")
    strip(pen, (left, below), (wide, high), shots)
    size_of(pen, says)
    flow(pen, (LEFT + COLUMN + 8, TOP + 66), (left - 8, TOP + 66), accent)


def shot(words: str, number: int) -> Image.Image:
    """What a camera that goes by sees at a frame."""
    land = scenes.landscape(1500, 330, words)
    x = round(number * 1090 / (SHOWN - 1))
    return land.crop((x, 20, x + 410, 320))


def strip(pen: Pen, at: tuple[float, float], size: tuple[float, float], shots: Sequence[Image.Image]) -> None:
    """Frames of a size beside each other, on film."""
    (x, y), (wide, high) = at, size
    end = x + wide * len(shots)
    pen.box((x, y, end, y + high + 2 * BAND), INK, INK, LINE, 4)
    for number, one in enumerate(shots):
        pen.paste(one, (x + number * wide + 1.5, y + BAND, x + (number + 1) * wide - 1.5, y + BAND + high))
    for number in range(4 * len(shots)):
        across = x + (number + 0.5) * wide / 4 - HOLE[0] / 2
        for down in (y + (BAND - HOLE[1]) / 2, y + high + 1.5 * BAND - HOLE[1] / 2):
            pen.box((across, down, across + HOLE[0], down + HOLE[1]), RULE, None, round_by=1)
