"""Pictures inside diagrams, all of formulas: a landscape, a room and its depth, a painting, a heap of splats."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from workflow_graphs import ROOT

Colour = tuple[int, int, int]
# Sky above, sky at the horizon, sun, ridges from far to near, what lies on top of them.
MOODS: dict[str, tuple[Colour, Colour, Colour, tuple[Colour, ...], Colour]] = {
    "day": (
        (126, 178, 205),
        (228, 236, 226),
        (255, 244, 205),
        ((150, 178, 184), (116, 156, 142), (92, 138, 104), (66, 108, 82)),
        (240, 244, 242),
    ),
    "dusk": (
        (58, 62, 110),
        (246, 178, 132),
        (255, 226, 170),
        ((150, 116, 146), (112, 88, 132), (76, 66, 112), (46, 46, 84)),
        (252, 214, 186),
    ),
    "winter": (
        (158, 182, 204),
        (240, 240, 240),
        (255, 252, 238),
        ((186, 202, 216), (206, 218, 228), (224, 232, 238), (244, 247, 250)),
        (252, 253, 254),
    ),
}
MOOD_WORDS = {"winter": "winter", "snow": "winter", "twilight": "dusk", "evening": "dusk", "sunset": "dusk"}


def mood(text: str) -> str:
    """Which colours words ask for."""
    return next((found for word, found in MOOD_WORDS.items() if word in text), "day")


def picture(values: Any) -> Image.Image:
    """[H, W, 3] of 0..255 as an image."""
    return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))


def landscape(width: int, height: int, colours: str) -> Image.Image:
    """Ridges behind each other under a sky; the left edge meets the right one."""
    above, horizon, sun, ridges, top = (np.array(c, float) for c in MOODS[colours])
    y, x = np.mgrid[0:height, 0:width] / height
    turn = x * height / width * 2 * np.pi
    image = above + (horizon - above) * np.clip(y / 0.62, 0, 1)[..., None] ** 1.3
    far = np.hypot(x - 0.3 * width / height, y - 0.34)
    image += (sun - image) * np.exp(-((far / 0.22) ** 2))[..., None] * 0.55
    image += (sun - image) * np.clip((0.085 - far) * height, 0, 1)[..., None]
    long = width / height
    for number, ridge in enumerate(ridges):
        line = 0.46 + 0.155 * number
        for octave in range(5 - number):
            waves = max(1, round(long * (0.42 - 0.05 * number) * 1.9**octave))
            peak = np.sin(waves * turn + 1.7 * number + 2.3 * octave + 0.4)
            line = line - 0.11 * 0.53**octave * (1 - 0.17 * number) * (1 - 2 * np.abs(peak) if number < 2 else peak)
        cover = np.clip((y - line) * height, 0, 1)[..., None]
        shade = ridge + (horizon - ridge) * np.clip((y - line) * 1.1, 0, 0.3)[..., None]
        if number == 0:
            teeth = 0.075 + 0.025 * np.sin(turn * round(long * 9)) + 0.012 * np.sin(turn * round(long * 17))
            white = np.clip((teeth - (y - line)) * height / 2, 0, 1) * np.clip((0.47 - line) * 14, 0, 1)
            shade = shade + (top - shade) * white[..., None]
        image += (shade - image) * cover
    return picture(image)


def grain(image: Image.Image, share: float, cell: int) -> Image.Image:
    """The image under noise in cells of some pixels, as views look half way."""
    values = np.asarray(image, float)
    rows, columns = -(-values.shape[0] // cell), -(-values.shape[1] // cell)
    noise = np.random.RandomState(7).randn(rows, columns, 1) * 46 + 176
    noise = noise.repeat(cell, 0).repeat(cell, 1)[: values.shape[0], : values.shape[1]]
    return picture(values * (1 - share) + noise * share)


def room(width: int, height: int) -> tuple[Image.Image, Image.Image]:
    """(A living room around the camera, equirectangular; its depth, near = white): a box that rays hit."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    azimuth, elevation = x / width * 2 * np.pi + 0.25, (0.5 - y / height) * np.pi
    rays = np.stack([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], -1)
    low, high = np.array([-1.75, -1.05, -1.35]), np.array([1.65, 1.1, 1.7])
    with np.errstate(divide="ignore"):
        away = np.where(rays > 0, high / rays, low / rays)
    axis, distance = away.argmin(-1), away.min(-1)
    hit = rays * distance[..., None]
    along = np.where(axis == 0, hit[..., 2], hit[..., 0])
    up = (hit[..., 1] - low[1]) / (high[1] - low[1])
    image = np.full((height, width, 3), (236.0, 222.0, 198.0))
    image[axis == 0] = (226, 208, 182)

    def paint(where: Any, colour: Colour) -> None:
        image[where & (axis != 1)] = colour

    paint(up < 0.06, (150, 108, 76))
    for side, middle, half in ((0, 0.3, 0.6), (2, 0.3, 0.5)):
        pane = (axis == side) & (rays[..., side] > 0) & (np.abs(along - middle) < half) & (np.abs(up - 0.62) < 0.22)
        paint(pane, (150, 108, 76))
        paint(pane & (np.abs(along - middle) < half - 0.06) & (np.abs(up - 0.62) < 0.195), (178, 212, 224))
        paint(pane & (np.abs(along - middle) < 0.025), (150, 108, 76))
    sofa = (axis == 2) & (rays[..., 2] < 0)
    paint(sofa & (np.abs(along) < 1.05) & (up < 0.4) & (up > 0.04), (74, 122, 122))
    paint(sofa & (np.abs(along) < 0.85) & (up < 0.26) & (up > 0.05), (98, 148, 144))
    for middle, colour in ((-0.5, (232, 178, 84)), (0.45, (222, 122, 92))):
        paint(sofa & (np.abs(along - middle) < 0.2) & (np.abs(up - 0.3) < 0.08), colour)
    shelf = (axis == 0) & (rays[..., 0] < 0) & (np.abs(along) < 0.75) & (up < 0.8)
    paint(shelf, (164, 118, 82))
    books = shelf & (np.abs(along) < 0.69) & ((up * 5) % 1 > 0.14) & ((up * 5) % 1 < 0.8)
    spine = np.floor((along + 2) * 9).astype(int) * 5 + np.floor(up * 5).astype(int) * 3
    for number, colour in enumerate(((96, 132, 140), (206, 150, 96), (140, 96, 96), (222, 206, 170))):
        paint(books & (spine % 4 == number), colour)
    floor, ceiling = (axis == 1) & (rays[..., 1] < 0), (axis == 1) & (rays[..., 1] > 0)
    image[ceiling] = (246, 240, 228)
    image[floor] = (190, 142, 98)
    image[floor & (np.floor(hit[..., 0] / 0.32).astype(int) % 2 == 0)] = (180, 132, 90)
    rug = floor & (np.hypot(hit[..., 0], hit[..., 2] * 1.2) < 1.1)
    image[rug] = (214, 122, 96)
    image[rug & (np.hypot(hit[..., 0], hit[..., 2] * 1.2) < 0.95)] = (238, 214, 180)
    image *= np.clip(1.12 - 0.06 * distance, 0.7, 1.05)[..., None]
    inverse = 1 / distance
    depth = 40 + 205 * (inverse - inverse.min()) / (inverse.max() - inverse.min())
    return picture(image), picture(depth[..., None].repeat(3, -1))


def painting(side: int) -> Image.Image:
    """Shapes and strokes that show which way up they are, and nothing else."""
    y, x = np.mgrid[0:side, 0:side] / side
    base = np.stack([236 - 30 * y, 206 - 46 * y + 14 * x, 168 + 18 * x], -1)
    image = picture(base)
    draw = ImageDraw.Draw(image)

    def at(*numbers: float) -> list[float]:
        return [n * side for n in numbers]

    draw.ellipse(at(0.56, 0.1, 0.86, 0.4), fill=(228, 112, 82))
    draw.polygon(at(-0.02, 0.86, 0.3, 0.3, 0.62, 0.86), fill=(62, 96, 124))
    draw.polygon(at(0.3, 0.3, 0.39, 0.458, 0.33, 0.5, 0.28, 0.44, 0.23, 0.47, 0.215, 0.45), fill=(240, 236, 224))
    draw.pieslice(at(0.36, 0.5, 1.1, 1.24), 180, 300, fill=(76, 142, 138))
    draw.rectangle(at(0, 0.86, 1, 1), fill=(44, 62, 88))
    draw.ellipse(at(0.08, 0.74, 0.28, 0.94), fill=(238, 184, 82))
    for number in range(4):
        box = at(0.5 - 0.07 * number, 0.62 - 0.07 * number, 0.94 + 0.07 * number, 1.06 + 0.07 * number)
        draw.arc(box, 195, 285, fill=(246, 236, 214), width=max(1, side // 60))
    draw.line(at(0.06, 0.12, 0.34, 0.12), fill=(44, 62, 88), width=max(1, side // 34))
    draw.line(at(0.06, 0.19, 0.24, 0.19), fill=(44, 62, 88), width=max(1, side // 34))
    return image


@lru_cache(maxsize=4)
def splats(name: str) -> tuple[Any, Any, Any]:
    """(Places with y up and a radius of 1, sizes, colours) of a .splat file that comes with the pack."""
    rows = np.frombuffer((ROOT / "assets" / name).read_bytes(), np.uint8).reshape(-1, 32)
    places = rows[:, :12].copy().view("<f4").astype(float) * (1, -1, 1)
    sizes = rows[:, 12:24].copy().view("<f4").astype(float).mean(1)
    places = places - (places.max(0) + places.min(0)) / 2
    radius = np.linalg.norm(places, axis=1).max()
    return places / radius, sizes / radius, rows[:, 24:27].astype(float)
