"""The readings of an ambiguous picture, drawn: what each makes of a card that shows where everything goes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..drawing.ink import PALE, Ink, badge, badge_size, colours, text_width

# Sides of the card in squares, and of a card that is drawn at the least, in pixels.
_SQUARES = 4
_GAP = 0.022
# So many tiles stand in one row.
_ROW = 4


def card(width: int, height: int, plane: int = 0, planes: int = 1) -> Tensor:
    """float32 [3, H, W] in [0, 1]: squares whose hue says where they were, with an arrow that points upwards, its right
    half darker, so that turned, mirrored and torn pieces are told apart."""
    y, x = ((torch.arange(n) + 0.5) / n for n in (height, width))
    across, down = x[None].expand(height, width), y[:, None].expand(height, width)
    column, row = ((v * _SQUARES).floor().clamp_max(_SQUARES - 1) for v in (across, down))
    palette = torch.tensor(colours(_SQUARES * _SQUARES * planes)).reshape(planes, _SQUARES, _SQUARES, 3)
    picture = palette[plane, row.long(), column.long()]
    dark = ((column + row) % 2)[..., None]
    picture = picture * (0.88 - 0.24 * dark)
    # An arrow upwards over the whole card.
    off = (across - 0.5).abs()
    shaft = (off < 0.07) & (down > 0.4) & (down < 0.84)
    head = (down > 0.16) & (down <= 0.44) & (off < (down - 0.16) * 0.9)
    arrow = torch.where(across < 0.5, 0.97, 0.12)[..., None].expand(-1, -1, 3)
    return torch.where((shaft | head)[..., None], arrow, picture).movedim(-1, 0)


def readings_drawing(before: Sequence[Tensor], readings: Tensor, names: Sequence[str], size: int) -> Tensor:
    """The card [3, h, w] of each plane and what each reading [N, 3, h, w] makes of them, side by side with numbers and
    names: [H, W, 3], the longer side ``size`` pixels."""
    tiles = [*before, *readings]
    words = [*(["picture"] if len(before) == 1 else [f"plane {i + 1}" for i in range(len(before))]), *names]
    columns = len(tiles) if len(tiles) <= _ROW else math.ceil(math.sqrt(1.6 * len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    gap = _GAP * size
    high, wide = tiles[0].shape[-2:]
    text = max(size / 40, 13.0)
    across = (size - (columns + 1) * gap) / columns
    tall = across * high / wide
    across, tall = max(8, int(across)), max(8, int(tall))
    step = tall + 2.1 * text + gap
    ink = Ink.blank(round(columns * (across + gap) + gap), round(rows * step + gap))
    paper = ink.picture()
    spots: list[tuple[float, float]] = []
    for i, tile in enumerate(tiles):
        left, top = round(gap + i % columns * (across + gap)), round(gap + i // columns * step)
        smaller = tile.shape[-1] > across
        scaled = F.interpolate(tile[None].float(), size=(tall, across), mode="area" if smaller else "nearest")[0]
        paper[top : top + tall, left : left + across] = scaled.clamp(0, 1).movedim(0, -1)
        spots.append((left + across / 2, top + tall + 1.15 * text))
    ink, tints, first = Ink(paper), colours(len(readings)), len(before)
    reach = min(badge_size(len(tiles), size), 0.8 * text)
    for i, ((x, y), word) in enumerate(zip(spots, words, strict=True)):
        beside = 2 * reach + 0.5 * text if i >= first else 0.0  # the number and a blank
        high = 0.95 * text * min(1.0, (across - beside) / (text_width(word, text) or 1))
        wide = text_width(word, high)
        left = x - (wide + beside) / 2
        ink.words(left + beside + wide / 2, y, word.replace("_", " "), high, PALE)
        if i >= first:
            badge(ink, (left + reach, y), i - first, tints[i - first], reach)
    return ink.picture()
