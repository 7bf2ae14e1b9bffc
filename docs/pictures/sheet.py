"""Tiles drawn to one small picture: each above a strip that says what differs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from .recipe import Picture, Tile

_DESCRIPTION = 0x010E  # of EXIF
# Root mean square of 255 below which two tiles are one picture to a viewer.
ALIKE = 4.0
GROUND, INK = (33, 34, 38), (232, 231, 226)


@dataclass(frozen=True)
class Style:
    """Pixels: of the sheet's width, between tiles, of a strip, of its letters at most. Bytes: of the file at most."""

    width: int
    gap: int
    strip: int
    letters: int
    most: int


# A side panel shows 240 pixels and more: letters of 24 are still read there.
HELP = Style(480, 6, 34, 24, 40_000)
HALL = Style(840, 8, 30, 20, 120_000)


def part(tile: Tile, pictures: Sequence[Image.Image], width: int) -> Image.Image:
    """What of a run's pictures is shown, ``width`` pixels wide."""
    frames = [_cropped(pictures[number], tile) for number in tile.frames or (0,)]
    across = tile.across or len(frames)
    each = (width - 2 * (across - 1)) // across
    frames = [_wide(frame, each) for frame in frames]
    rows = -(-len(frames) // across)
    high = frames[0].height
    made = Image.new("RGB", (width, rows * high + 2 * (rows - 1)), GROUND)
    for number, frame in enumerate(frames):
        made.paste(frame, ((number % across) * (each + 2), (number // across) * (high + 2)))
    return made


def _cropped(frame: Image.Image, tile: Tile) -> Image.Image:
    left, top, right, bottom = tile.crop
    if tile.twice:
        both = Image.new("RGB", (2 * frame.width, frame.height))
        both.paste(frame, (0, 0))
        both.paste(frame, (frame.width, 0))
        frame = both
    w, h = frame.size
    return frame.crop((round(left * w), round(top * h), round(right * w), round(bottom * h)))


def _wide(frame: Image.Image, width: int) -> Image.Image:
    height = max(1, round(frame.height * width / frame.width))
    return frame if frame.width == width else frame.resize((width, height), Image.Resampling.LANCZOS)


def drawn(picture: Picture, shown: Sequence[Sequence[Image.Image]], style: Style) -> Image.Image:
    """``shown``: of each tile, what its run made."""
    across = picture.across
    each = (style.width - style.gap * (across - 1)) // across
    tiles = [part(tile, made, each) for tile, made in zip(picture.runs(), shown, strict=True)]
    rows = [range(first, min(first + across, len(tiles))) for first in range(0, len(tiles), across)]
    strip = style.strip if any(tile.label for tile in picture.tiles) else 0
    heights = [max(tiles[number].height for number in row) + strip for row in rows]
    between = 0 if strip else style.gap
    sheet = Image.new("RGB", (style.width, sum(heights) + between * (len(rows) - 1)), GROUND)
    draw, y = ImageDraw.Draw(sheet), 0
    for row, height in zip(rows, heights, strict=True):
        for column, number in enumerate(row):
            x, label = column * (each + style.gap), picture.tiles[number].label
            sheet.paste(tiles[number], (x, y))
            middle = (x + each / 2, y + height - strip / 2 - 1)
            draw.text(middle, label, fill=INK, font=_fitting(label, each, style.letters), anchor="mm")
        y += height + between
    return sheet


def _fitting(text: str, width: int, most: int) -> Any:
    """The strip's letters, smaller where a label would not fit. Raises ValueError where nobody could read it."""
    for size in range(most, 14, -1):
        font = ImageFont.load_default(size=size)
        if font.getlength(text) <= width - 4:
            return font
    raise ValueError(f"the label {text!r} is too long for {width} pixels")


def refuse_alike(picture: Picture, shown: Sequence[Sequence[Image.Image]]) -> None:
    """Raises ValueError where two tiles that follow each other show no difference that a viewer would see."""
    tiles = [part(tile, made, 240) for tile, made in zip(picture.runs(), shown, strict=True)]
    for one, two, first, second in zip(picture.tiles, picture.tiles[1:], tiles, tiles[1:], strict=False):
        if first.size == second.size and (apart := _apart(first, second)) < ALIKE:
            raise ValueError(f"{picture.name}: {one.label!r} and {two.label!r} look alike ({apart:.1f} of 255)")


def _apart(one: Image.Image, two: Image.Image) -> float:
    """Root of the mean squared difference in grey, after a blur that the eye has at this size."""
    pair = [image.convert("L").filter(ImageFilter.GaussianBlur(1)) for image in (one, two)]
    histogram = ImageChops.difference(*pair).histogram()
    return (sum(n * value * value for value, n in enumerate(histogram)) / sum(histogram)) ** 0.5


def encoded(sheet: Image.Image, recipe: str, style: Style) -> bytes:
    """A WebP that holds its recipe as its description; ``told`` reads it."""
    exif = Image.Exif()
    exif[_DESCRIPTION] = recipe
    for quality in range(74, 40, -4):
        data = io.BytesIO()
        sheet.save(data, "WEBP", quality=quality, method=6, exif=exif)
        if data.tell() <= style.most:
            return data.getvalue()
    raise ValueError("the picture does not fit its file: show less of it")


def told(image: Image.Image) -> str:
    return str(image.getexif()[_DESCRIPTION])
