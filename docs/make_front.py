"""The README's first picture, one result for each application: ``.venv/bin/python docs/make_front.py``.

Put together from the thumbnails of workflows, which are results of running them; writes ``docs/applications.jpg``.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
GROUND, INK = (24, 28, 44), (236, 236, 240)
GAP, STRIP = 12, 30
# Rows of (workflow, what the picture says below it, how much of the thumbnail is shown, from its left).
ROWS = (
    (("wide_image_composed", "any size, from words and from a picture of a material", 1.0),),
    (("panorama_composed", "360 degree panoramas", 1.0), ("illusion_flip_exemplar", "one picture, two readings", 1.0)),
    (("mesh_exemplar", "textures for meshes", 0.5), ("splats_exemplar", "colours for 3D Gaussian splats", 0.5)),
)
WIDE = 1100


def placed() -> list[tuple[Image.Image, str, tuple[int, int]]]:
    """(picture, words, upper left corner) of each result."""
    found, y = [], GAP
    for row in ROWS:
        wide = (WIDE - GAP * (len(row) + 1)) // len(row)
        high = 0
        for number, (name, words, part) in enumerate(row):
            picture = Image.open(ROOT / "workflows" / f"{name}.jpg").convert("RGB")
            picture = picture.crop((0, 0, round(picture.width * part), picture.height))
            high = round(wide * picture.height / picture.width)
            at = (GAP + number * (wide + GAP), y)
            found.append((picture.resize((wide, high), Image.Resampling.LANCZOS), words, at))
        y += high + STRIP + GAP
    return found


def main() -> None:
    results = placed()
    sheet = Image.new(
        "RGB", (WIDE, max(at[1] + picture.height for picture, _, at in results) + STRIP + GAP // 2), GROUND
    )
    draw = ImageDraw.Draw(sheet)
    for picture, words, (x, y) in results:
        sheet.paste(picture, (x, y))
        middle = (x + picture.width / 2, y + picture.height + STRIP / 2 + 2)
        draw.text(middle, words, INK, ImageFont.load_default(19), anchor="mm")
    sheet.save(ROOT / "docs" / "applications.jpg", quality=90, optimize=True)


if __name__ == "__main__":
    main()
