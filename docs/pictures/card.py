"""A drawn postcard with a top, a bottom, a left and a right: what warps and crops are shown on."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

SIDE = 256


def card(side: int = SIDE) -> Image.Image:
    """A tower left of the middle, the sun on the right, hills, a path; square."""
    s = side * 4 / 256
    made = Image.new("RGB", (side * 4, side * 4), (150, 200, 226))
    draw = ImageDraw.Draw(made)
    for row in range(round(150 * s)):
        t = row / (150 * s)
        draw.line(
            [(0, row), (side * 4, row)],
            fill=tuple(round(a + (b - a) * t) for a, b in zip((86, 152, 208), (236, 222, 190), strict=True)),
        )
    draw.ellipse([180 * s, 28 * s, 228 * s, 76 * s], fill=(250, 206, 84))
    for phase, base, colour in ((0.4, 128, (120, 150, 150)), (2.2, 150, (96, 138, 92)), (4.0, 184, (64, 108, 62))):
        points = [
            (x * s, (base + 14 * math.sin(x / 34 + phase) + 6 * math.sin(x / 13 + phase)) * s) for x in range(257)
        ]
        draw.polygon([*points, (256 * s, 256 * s), (0, 256 * s)], fill=colour)
    draw.polygon([(118 * s, 256 * s), (168 * s, 256 * s), (104 * s, 196 * s), (92 * s, 196 * s)], fill=(222, 196, 150))
    draw.polygon([(70 * s, 200 * s), (122 * s, 200 * s), (112 * s, 84 * s), (80 * s, 84 * s)], fill=(238, 234, 224))
    for top, bottom in ((108, 130), (154, 177)):
        inset = [70 + 10 * (200 - y) / 116 for y in (top, bottom)]
        right = [192 - x for x in inset]
        draw.polygon(
            [(inset[0] * s, top * s), (right[0] * s, top * s), (right[1] * s, bottom * s), (inset[1] * s, bottom * s)],
            fill=(196, 66, 52),
        )
    draw.rectangle([76 * s, 74 * s, 116 * s, 86 * s], fill=(58, 60, 70))
    draw.rectangle([84 * s, 58 * s, 108 * s, 74 * s], fill=(252, 232, 150))
    draw.polygon([(78 * s, 58 * s), (114 * s, 58 * s), (96 * s, 36 * s)], fill=(58, 60, 70))
    return made.resize((side, side), Image.Resampling.LANCZOS)
