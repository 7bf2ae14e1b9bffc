"""Tiles drawn to one small picture: each above a strip that says what differs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from .recipe import Picture, Tile

WIDTH, GAP, STRIP, LETTERS = 480, 6, 27, 19
GROUND, INK = (33, 34, 38), (232, 231, 226)
MOST = 30_000


def part(tile: Tile, pictures: Sequence[Image.Image], width: int) -> Image.Image:
    """What of a run's pictures is shown, ``width`` pixels wide."""
    frames = [pictures[number] for number in tile.frames]
    frames = [_cropped(frame, tile) for frame in frames]
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


def drawn(picture: Picture, shown: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """``shown``: of each tile, what its run made."""
    across = picture.across
    each = (WIDTH - GAP * (across - 1)) // across
    tiles = [part(tile, made, each) for tile, made in zip(picture.runs(), shown, strict=True)]
    rows = [range(n, min(n + across, len(tiles))) for n in range(0, len(tiles), across)]
    heights = [max(tiles[n].height for n in row) + (STRIP if any(picture.tiles[n].label for n in row) else GAP) for row in rows]
    sheet = Image.new("RGB", (WIDTH, sum(heights)), GROUND)
    draw, y = ImageDraw.Draw(sheet), 0
    for row, height in zip(rows, heights, strict=True):
        for column, number in enumerate(row):
            x, label = column * (each + GAP), picture.tiles[number].label
            sheet.paste(tiles[number], (x, y))
            middle = (x + each / 2, y + height - STRIP / 2 - 1)
            draw.text(middle, label, fill=INK, font=_fitting(label, each), anchor="mm")
        y += height
    return sheet


def _fitting(text: str, width: int) -> Any:
    """The strip's letters, smaller where a label would not fit. Raises ValueError where it would be too small to read."""
    for size in range(LETTERS, 12, -1):
        font = ImageFont.load_default(size=size)
        if font.getlength(text) <= width - 4:
            return font
    raise ValueError(f"the label {text!r} is too long for {width} pixels")


def encoded(sheet: Image.Image, comment: str) -> bytes:
    """A JPG of at most MOST bytes, with the recipe as its comment."""
    for quality in range(90, 40, -4):
        data = io.BytesIO()
        sheet.save(data, "JPEG", quality=quality, comment=comment.encode(), optimize=True)
        if data.tell() <= MOST:
            return data.getvalue()
    raise ValueError("the picture does not fit its file: show less of it")
