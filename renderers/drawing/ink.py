"""Lines, areas and numbers drawn into a picture, smooth at any angle; and colours for views by their number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..arrays import floats

Colour = tuple[float, float, float]
"""Red, green, blue in [0, 1]."""
Points = Sequence[tuple[float, float]]
"""(x, y) in pixels of the picture, (0, 0) its upper left corner."""

PAPER: Colour = (0.125, 0.135, 0.155)
PALE: Colour = (0.55, 0.58, 0.63)
DARK: Colour = (0.07, 0.08, 0.10)

_Draw = Callable[[ImageDraw.ImageDraw, int, int, int], None]
"""Draws on a mask whose upper left corner lies at (x, y), as strong as the last number says."""

# Drawn at so many times the size, then made smaller.
_FINER = 3
# Of colours by number, in OKLCH: one lightness and chroma, so that none shouts; hues from coral to violet, without the
# step from violet to red, so that first and last differ.
_LIGHTNESS, _CHROMA, _HUES = 0.77, 0.125, (25.0, 330.0)


def colours(count: int) -> list[Colour]:
    """A colour for each of ``count`` views: hues in order, equally bright."""
    first, last = _HUES
    return [_oklch(_LIGHTNESS, _CHROMA, first + (last - first) * i / max(count - 1, 1)) for i in range(count)]


def _oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """sRGB of a colour in OKLCH (Ottosson, "A perceptual color space for image processing", 2020), hue in degrees."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    light = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (_encoded(min(max(v, 0.0), 1.0)) for v in light)
    return red, green, blue


def _encoded(light: float) -> float:
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


class Ink:
    """A picture [H, W, 3] in [0, 1] that is drawn on."""

    def __init__(self, picture: Tensor) -> None:
        self.height, self.width = picture.shape[:2]
        pixels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
        size = (self.width * _FINER, self.height * _FINER)
        self._image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)

    @staticmethod
    def blank(width: int, height: int, colour: Colour = PAPER) -> Ink:
        """An empty one."""
        return Ink(torch.tensor(colour).expand(height, width, 3))

    def stroke(self, lines: Iterable[Points], colour: Colour, width: float, alpha: float = 1.0) -> None:
        """Lines through points; where they meet they are no darker than elsewhere."""
        fine = [[(x * _FINER, y * _FINER) for x, y in line] for line in lines if len(line) > 1]
        pen = max(1, round(width * _FINER))

        def draw(mask: ImageDraw.ImageDraw, left: int, top: int, full: int) -> None:
            for line in fine:
                moved = [(x - left, y - top) for x, y in line]
                mask.line(moved, fill=full, width=pen, joint="curve")
                for x, y in (moved[0], moved[-1]):
                    mask.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=full)

        self._through([point for line in fine for point in line], pen, draw, colour, alpha)

    def area(self, outline: Points, colour: Colour, alpha: float = 1.0) -> None:
        """A filled polygon."""
        fine = [(x * _FINER, y * _FINER) for x, y in outline]
        if len(fine) > 2:
            self._through(
                fine,
                1,
                lambda mask, x0, y0, v: mask.polygon([(x - x0, y - y0) for x, y in fine], fill=v),
                colour,
                alpha,
            )

    def disc(self, x: float, y: float, radius: float, colour: Colour, alpha: float = 1.0) -> None:
        """A filled circle."""
        x, y, reach = x * _FINER, y * _FINER, radius * _FINER
        box = (x - reach, y - reach, x + reach, y + reach)
        self._through(
            [(x - reach, y - reach), (x + reach, y + reach)],
            1,
            lambda mask, x0, y0, v: mask.ellipse((box[0] - x0, box[1] - y0, box[2] - x0, box[3] - y0), fill=v),
            colour,
            alpha,
        )

    def words(self, x: float, y: float, text: str, size: float, colour: Colour, alpha: float = 1.0) -> None:
        """Text around its middle, ``size`` pixels high."""
        font = _font(size * _FINER)
        x, y = x * _FINER, y * _FINER
        left, top, right, bottom = font.getbbox(text)
        wide, high = right - left, bottom - top
        at = (x - wide / 2 - left, y - high / 2 - top)
        self._through(
            [(x - wide / 2, y - high / 2), (x + wide / 2, y + high / 2)],
            2,
            lambda mask, x0, y0, v: mask.text((at[0] - x0, at[1] - y0), text, fill=v, font=font),
            colour,
            alpha,
        )

    def _through(self, points: Points, margin: float, draw: _Draw, colour: Colour, alpha: float) -> None:
        """Colour what ``draw`` leaves on a mask around the points."""
        if not points or alpha <= 0:
            return
        xs, ys = [x for x, _ in points], [y for _, y in points]
        left, top = max(0, math.floor(min(xs) - margin)), max(0, math.floor(min(ys) - margin))
        right = min(self._image.width, math.ceil(max(xs) + margin) + 1)
        bottom = min(self._image.height, math.ceil(max(ys) + margin) + 1)
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (right - left, bottom - top))
        draw(ImageDraw.Draw(mask), left, top, round(255 * alpha))
        red, green, blue = (round(255 * v) for v in colour)
        self._image.paste((red, green, blue), (left, top, right, bottom), mask)

    def picture(self) -> Tensor:
        """float32 [H, W, 3] in [0, 1]: what was drawn."""
        small = self._image.resize((self.width, self.height), Image.Resampling.BOX)
        flat = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
        return flat.reshape(self.height, self.width, 3).float() / 255


def _font(size: float) -> Any:
    try:
        return ImageFont.load_default(max(1, round(size)))
    except (TypeError, OSError, ImportError):
        return ImageFont.load_default()  # (of older or smaller builds of Pillow: one size, readable)


def text_width(text: str, size: float) -> float:
    """Of text of that height, about, in the same pixels."""
    left, _, right, _ = _font(100).getbbox(text)
    return (right - left) * size / 100


def badge(
    ink: Ink, place: tuple[float, float], number: int, colour: Colour, radius: float, faint: bool = False
) -> None:
    """A view's number on a disc of its colour; faint where it is hidden."""
    x, y = place
    ink.disc(x, y, radius + 1.2, DARK, 0.35 if faint else 0.85)
    ink.disc(x, y, radius, colour, 0.3 if faint else 1.0)
    size = radius * (1.15 if number < 10 else 1.0 if number < 100 else 0.8)
    ink.words(x, y, str(number), size * 1.2, PALE if faint else DARK, 0.9 if faint else 1.0)


def badge_size(count: int, longer: float) -> float:
    """Radius of the badges of ``count`` views in a picture of that size: smaller where there are many."""
    return longer / (50 if count <= 32 else 66 if count <= 80 else 96)


def apart(places: Tensor, distance: float, size: tuple[int, int], rounds: int = 40) -> Tensor:
    """Places [N, 2], moved as little as it takes for discs of that diameter to lie beside each other, inside of a
    picture of ``size`` (width, height). Never further than one and a half diameters."""
    if len(places) < 2:
        return places
    moved = places.double().clone()
    # Those at the very same place part along a spiral, the same every time.
    turn = torch.arange(len(places), dtype=torch.float64) * 2.4
    moved += torch.stack([turn.cos(), turn.sin()], 1) * 1e-3 * distance
    for _ in range(rounds):
        way = moved[:, None] - moved[None]
        length = way.square().sum(-1).sqrt()
        push = (distance - length).clamp_min(0) / 2
        push.fill_diagonal_(0)
        moved = moved + (way / length.clamp_min(1e-9)[..., None] * push[..., None]).sum(1) * 0.6
        back = moved - places
        far = back.square().sum(-1, keepdim=True).sqrt().clamp_min(1e-9)
        moved = places + back / far * far.clamp_max(1.5 * distance)
    edge = distance / 2 + 1
    wide, high = size
    limits = torch.tensor([[edge, edge], [max(wide - edge, edge), max(high - edge, edge)]], dtype=torch.float64)
    return torch.minimum(torch.maximum(moved, limits[0]), limits[1])


def pairs(points: Tensor) -> list[tuple[float, float]]:
    """Points [n, 2] as ``Ink`` takes them."""
    return [(x, y) for x, y in (floats(row) for row in points)]
