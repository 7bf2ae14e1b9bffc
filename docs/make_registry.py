"""Draw the icon and the banner that the Comfy Registry shows: ``.venv/bin/python docs/make_registry.py``.

Both show what the pack does: a whole picture, here a sphere that workflows/panorama_composed made, under the views
that it is seen through. Writes ``assets/registry/icon.png`` (400 x 400) and ``banner.png`` (1260 x 540, the registry's
21:9).
"""

from __future__ import annotations

import sys

import numpy as np
import the_pack
import torch
from PIL import Image, ImageDraw, ImageFont
from the_pack import ROOT

the_pack.importable()

from syncpack.renderers.cameras.looks import Look  # noqa: E402
from syncpack.renderers.panorama.drawn import sphere_outlines  # noqa: E402
from syncpack.renderers.panorama.equirect import read_equirect  # noqa: E402
from syncpack.renderers.panorama.space import Lookout  # noqa: E402

FOLDER = ROOT / "assets" / "registry"
NIGHT, DEEP, INK, QUIET = (24, 28, 44), (38, 44, 70), (250, 248, 240), (176, 184, 206)
# Where the views look (azimuth, elevation, degrees) and the colour of each.
VIEWS = (
    (-28.0, 20.0, (255, 196, 92)),
    (4.0, -9.0, (255, 122, 92)),
    (34.0, 23.0, (126, 214, 196)),
)
FIELD = 42.0
# What looks at the globe sees its front.
SEEN_BY = Look.degrees(0.0, 12.0, 90.0)
FINER = 4
WORDS = ("wide images", "360° panoramas", "illusions", "meshes", "splats")


def globe(panorama: Image.Image, side: int) -> Image.Image:
    """The sphere from outside, lit from above left, ``side`` pixels wide, clear around it."""
    picture = torch.from_numpy(np.array(panorama.convert("RGB"))).double()
    line = (torch.arange(side, dtype=torch.float64) + 0.5) / side * 2 - 1
    x, y = line.expand(side, side), -line[:, None].expand(side, side)
    far = (x * x + y * y).sqrt()
    z = (1 - far * far).clamp_min(0).sqrt()
    seen = read_equirect(picture[None], torch.stack([x, y, -z], -1) @ SEEN_BY.rotation().T)[0]
    light = (0.52 + 0.62 * (x * -0.35 + y * 0.5 + z * 0.79)).clamp(0.25, 1.08)
    edge = ((1 - far) * side / 2).clamp(0, 1) * 255
    pixels = torch.cat([(seen * light[..., None]).clamp(0, 255), edge[..., None]], -1)
    return Image.fromarray(pixels.to(torch.uint8).numpy(), "RGBA")


def borders() -> list[list[tuple[float, float]]]:
    """Of each view on the globe as it is seen, (x, y) of -1 to 1, y down."""
    looks = tuple(Look.degrees(azimuth, elevation, FIELD) for azimuth, elevation, _ in VIEWS)
    lines = [outline.lines[0] @ SEEN_BY.rotation() for outline in sphere_outlines(Lookout(looks, 64, 64))]
    return [[(float(x), -float(y)) for x, y, _ in line] for line in lines]


def mark(side: int, panorama: Image.Image) -> Image.Image:
    """The globe under its views, clear around it."""
    large = side * FINER
    radius = large * 0.46
    sheet = Image.new("RGBA", (large, large))
    ball = globe(panorama, round(2 * radius))
    sheet.paste(ball, (round(large / 2 - radius),) * 2, ball)
    over = Image.new("RGBA", sheet.size)
    draw = ImageDraw.Draw(over)
    for border, (_, _, colour) in zip(borders(), VIEWS, strict=True):
        points = [(x * radius + large / 2, y * radius + large / 2) for x, y in border]
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
