"""Draw the icon and the banner that the Comfy Registry shows: ``.venv/bin/python docs/make_registry.py``.

Both show what the pack does: a whole picture, here a sphere that workflows/panorama_composed made, under the views
that it is seen through. Writes ``assets/registry/icon.png`` (400 x 400) and ``banner.png`` (1260 x 540, the registry's
21:9).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "assets" / "registry"
NIGHT, DEEP, INK, QUIET = (24, 28, 44), (38, 44, 70), (250, 248, 240), (176, 184, 206)
# Where the views look (azimuth, elevation, degrees) and the colour of each; the globe is seen from azimuth 0.
VIEWS = (
    (-28.0, 20.0, (255, 196, 92)),
    (4.0, -9.0, (255, 122, 92)),
    (34.0, 23.0, (126, 214, 196)),
)
FIELD = 42.0
FINER = 4
WORDS = ("wide images", "360° panoramas", "illusions", "meshes", "splats")


def rotation(azimuth: float, elevation: float) -> np.ndarray:
    """Turns the direction ahead, z, to the right by ``azimuth`` and up by ``elevation``; y is up."""
    a, e = np.radians((azimuth, elevation))
    up = np.array([[1, 0, 0], [0, np.cos(e), np.sin(e)], [0, -np.sin(e), np.cos(e)]])
    right = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return right @ up


def globe(panorama: Image.Image, side: int, azimuth: float = 0.0, elevation: float = 12.0) -> Image.Image:
    """The sphere from outside, lit from above left, ``side`` pixels wide, clear around it."""
    picture = np.asarray(panorama.convert("RGB"), dtype=np.float32)
    high, wide = picture.shape[:2]
    x, y = np.meshgrid(*[(np.arange(side) + 0.5) / side * 2 - 1] * 2)
    y, r2 = -y, x * x + y * y
    z = np.sqrt(np.clip(1 - r2, 0, 1))
    seen = np.stack([x, y, z], -1) @ rotation(azimuth, elevation).T
    u = (np.arctan2(seen[..., 0], seen[..., 2]) / (2 * np.pi) + 0.5) * wide - 0.5
    v = np.clip((0.5 - np.arcsin(np.clip(seen[..., 1], -1, 1)) / np.pi) * high - 0.5, 0, high - 1)
    left, top = np.floor(u).astype(int), np.floor(v).astype(int)
    fu, fv = (u - left)[..., None], (v - top)[..., None]
    rows = top, np.minimum(top + 1, high - 1)
    across = [picture[row, left % wide] * (1 - fu) + picture[row, (left + 1) % wide] * fu for row in rows]
    light = np.clip(0.52 + 0.62 * (x * -0.35 + y * 0.5 + z * 0.79), 0.25, 1.08)[..., None]
    colour = np.clip((across[0] * (1 - fv) + across[1] * fv) * light, 0, 255)
    edge = np.clip((1 - np.sqrt(r2)) * side / 2, 0, 1) * 255
    return Image.fromarray(np.concatenate([colour, edge[..., None]], -1).astype(np.uint8), "RGBA")


def outline(azimuth: float, elevation: float, behind: float = 12.0) -> np.ndarray:
    """The border of a view on the globe as it is seen, (n, 2) of -1 to 1, y down."""
    t = np.linspace(-1, 1, 48)
    one = np.ones_like(t)
    square = np.concatenate([np.stack(side, -1) for side in ((t, one), (one, -t), (-t, -one), (-one, t))]) * np.tan(
        np.radians(FIELD / 2)
    )
    rays = np.concatenate([square, np.ones((len(square), 1))], -1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    seen = rays @ rotation(azimuth, elevation).T @ rotation(0, behind)
    return np.stack([seen[:, 0], -seen[:, 1]], -1)


def mark(side: int, panorama: Image.Image) -> Image.Image:
    """The globe under its views, clear around it."""
    large = side * FINER
    radius = large * 0.46
    sheet = Image.new("RGBA", (large, large))
    ball = globe(panorama, round(2 * radius))
    sheet.paste(ball, (round(large / 2 - radius),) * 2, ball)
    over = Image.new("RGBA", sheet.size)
    draw = ImageDraw.Draw(over)
    for azimuth, elevation, colour in VIEWS:
        points = [tuple(p) for p in outline(azimuth, elevation) * radius + large / 2]
        draw.polygon(points, fill=(*colour, 46))
        draw.line([*points, *points[:2]], fill=(*colour, 255), width=round(large * 0.018), joint="curve")
    return Image.alpha_composite(sheet, over).resize((side, side), Image.Resampling.LANCZOS)


def ground(wide: int, high: int) -> Image.Image:
    """A night that gets a little lighter towards the right."""
    t = np.linspace(0, 1, wide)[None, :, None] * np.ones((high, 1, 1))
    colours = np.array(NIGHT) * (1 - t) + np.array(DEEP) * t
    return Image.fromarray(colours.astype(np.uint8), "RGB").convert("RGBA")


def icon(panorama: Image.Image) -> Image.Image:
    """400 x 400 with rounded corners, so that it stands on light and dark pages."""
    side = 400
    picture = ground(side, side)
    picture.alpha_composite(mark(side - 20, panorama), (10, 10))
    mask = Image.new("L", (side * FINER,) * 2)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * FINER - 1, side * FINER - 1), 72 * FINER, fill=255)
    picture.putalpha(mask.resize(picture.size, Image.Resampling.LANCZOS))
    return picture


def banner(panorama: Image.Image) -> Image.Image:
    """1260 x 540: the name, one sentence, what can be made, and the globe."""
    picture = ground(1260, 540)
    picture.alpha_composite(mark(500, panorama), (726, 20))
    draw = ImageDraw.Draw(picture)
    draw.text((72, 150), "SyncTweedies", INK, ImageFont.load_default(92), stroke_width=1, stroke_fill=INK)
    draw.text((76, 268), "Many views, one result.", INK, ImageFont.load_default(40))
    draw.text((76, 328), "With the model you already have.", QUIET, ImageFont.load_default(30))
    at, top = 76.0, 404
    font = ImageFont.load_default(20)
    for number, word in enumerate(WORDS):
        long = font.getlength(word) + 26
        draw.rounded_rectangle((at, top, at + long, top + 34), 17, outline=VIEWS[number % 3][2], width=2)
        draw.text((at + 13, top + 17), word, INK, font, anchor="lm")
        at += long + 10
    return picture.convert("RGB")


def main() -> None:
    source = sys.argv[1] if len(sys.argv) > 1 else ROOT / "workflows" / "panorama_composed.jpg"
    panorama = Image.open(source)
    FOLDER.mkdir(exist_ok=True)
    icon(panorama).save(FOLDER / "icon.png", optimize=True)
    banner(panorama).save(FOLDER / "banner.png", optimize=True)


if __name__ == "__main__":
    main()
