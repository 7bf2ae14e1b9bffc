"""Contact sheets of what was painted, each picture under its prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor


def sheet(path: Path, pictures: Tensor, labels: Sequence[str], columns: int, enlarged: int = 2) -> None:
    """Write pictures [N, 3, h, w] in 0..1, row by row, enlarged by a whole factor with smooth pixels."""
    height, width = pictures.shape[-2] * enlarged, pictures.shape[-1] * enlarged
    line, gap = 13, 4
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + gap + line) + gap), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(10)
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        x, y = gap + i % columns * (width + gap), gap + i // columns * (height + gap + line)
        small = Image.fromarray((picture.movedim(0, -1) * 255 + 0.5).byte().numpy())
        page.paste(small.resize((width, height), Image.Resampling.BICUBIC), (x, y + line))
        while label and draw.textlength(label, font) > width:
            label = label[:-1]
        draw.text((x, y), label, "black", font)
    page.save(path)
