"""What objects and grounds are made of: tileable textures, the pack's exemplars and five more painted here."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..texture_tools import Canvas, Picture, blur, fbm, finish, mix, palette, ramp, smoothstep, sunlight

Floats = NDArray[np.float32]

SIZE = 192
_ASSETS = Path(__file__).resolve().parent.parent
# The word of each exemplar of the pack, and its file.
_EXEMPLARS = {
    "stone": "stone_wall",
    "bricks": "bricks",
    "grass": "meadow",
    "pebbles": "pebbles",
    "water": "water",
    "leaves": "forest_floor",
}


def _wood(canvas: Canvas, rng: np.random.Generator) -> Picture:
    y, _ = canvas.grid
    rings = np.sin(2 * np.pi * (9 * y / SIZE + 0.7 * fbm(canvas, rng, 90, 2.2, (0.25, 2.5))))
    colour = ramp(palette("5a3216 8e5a2c b98145 d8a868"), 0.5 + 0.36 * rings + 0.1 * fbm(canvas, rng, 20, 1, (0.3, 5)))
    for board in range(0, SIZE, SIZE // 4):
        seam = smoothstep(1.6, 0.4, np.abs((y - board + SIZE / 2) % SIZE - SIZE / 2))
        colour = mix(colour, np.array([0.03, 0.015, 0.006]), 0.85 * seam)
    return finish(canvas, colour)


def _sand(canvas: Canvas, rng: np.random.Generator) -> Picture:
    y, _ = canvas.grid
    dunes = np.sin(2 * np.pi * (8 * y / SIZE + 0.55 * fbm(canvas, rng, 96, 2.2)))
    light = sunlight(canvas, 2.2 * dunes, (-0.6, -0.3, 0.8))
    grain = 0.06 * fbm(canvas, rng, 5, 0.4)
    return finish(canvas, ramp(palette("9a6a32 d9b070 f6e2ae"), 1.25 * light - 0.25 + grain))


def _gold(canvas: Canvas, rng: np.random.Generator) -> Picture:
    hammered = blur(canvas, fbm(canvas, rng, 34, 1.2), 3.0)
    light = sunlight(canvas, 3.2 * hammered / hammered.std(), (-0.7, -0.5, 0.6))
    return finish(canvas, ramp(palette("6e4200 c4820c f2b824 ffe27a fffbd8"), 1.25 * light - 0.12))


def _snow(canvas: Canvas, rng: np.random.Generator) -> Picture:
    light = sunlight(canvas, 4.0 * fbm(canvas, rng, 80, 2.2), (-0.6, -0.5, 0.7))
    sparkle = 0.05 * fbm(canvas, rng, 4, 0.3)
    return finish(canvas, ramp(palette("a9c2e4 e2ecf8 ffffff"), 1.3 * light - 0.2 + sparkle))


def _lava(canvas: Canvas, rng: np.random.Generator) -> Picture:
    heat = np.exp(-np.abs(fbm(canvas, rng, 72, 2.0)) * 4.0)
    crust = 0.06 * fbm(canvas, rng, 12, 1.2)
    return finish(canvas, ramp(palette("140a08 2a0c08 a81c04 ff6a08 ffd860"), heat + crust), exposure=1.1)


_PAINTED = {"wood": _wood, "sand": _sand, "gold": _gold, "snow": _snow, "lava": _lava}
MATERIALS = (*_EXEMPLARS, *_PAINTED)
# What a ground can be: materials that lie about, in the order of the words.
GROUNDS = ("grass", "sand", "snow", "water", "pebbles", "leaves", "lava", "stone")
SKIES = ("cloudy", "blue", "evening", "night")


@cache
def picture(name: str) -> Picture:
    """uint8 [192, 192, 3], tileable. ``clouds`` is the cloudy sky. Raises KeyError for another name."""
    file = "cloudy_sky" if name == "clouds" else _EXEMPLARS.get(name)
    if file is not None:
        return np.asarray(Image.open(_ASSETS / f"{file}.png").convert("RGB"))
    paint = _PAINTED[name]
    return paint(Canvas(SIZE, 2), np.random.default_rng(sorted(_PAINTED).index(name)))


@cache
def texture(name: str) -> Floats:
    """float32 [192, 192, 3] in 0..1, sRGB."""
    return picture(name).astype(np.float32) / 255


def look_up(name: str, u: NDArray[np.floating], v: NDArray[np.floating]) -> Floats:
    """The texture at (u right, v down), 1 is one tile, bilinear and wrapped: u.shape + (3,)."""
    sheet = texture(name)
    x, y = u * SIZE, v * SIZE
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    a, b = (x - left)[..., None].astype(np.float32), (y - top)[..., None].astype(np.float32)

    def at(row: NDArray[np.intp], column: NDArray[np.intp]) -> Floats:
        return sheet[row % SIZE, column % SIZE]

    upper = at(top, left) * (1 - a) + at(top, left + 1) * a
    lower = at(top + 1, left) * (1 - a) + at(top + 1, left + 1) * a
    return upper * (1 - b) + lower * b
