"""A panorama whose directions can be read: six labelled faces of a cube around the viewer."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from syncpack.renderers.panorama.equirect import FACES, from_cubemap
from torch import Tensor

_GROUNDS = ((150, 60, 60), (60, 140, 70), (70, 80, 170), (150, 140, 50), (120, 170, 210), (110, 80, 50))


def faces(side: int, extra: str = "") -> Tensor:
    """[6, side, side, 3] in [0, 1]: a grid of 15 degrees or so, the face's name upright, its number of dots on top."""
    drawn: list[Tensor] = []
    for number, (name, ground) in enumerate(zip(FACES, _GROUNDS, strict=True)):
        picture = Image.new("RGB", (side, side), ground)
        pen = ImageDraw.Draw(picture)
        for i in range(7):
            at = round(i * (side - 1) / 6)
            pen.line([(at, 0), (at, side)], fill=(230, 230, 230), width=max(1, side // 170))
            pen.line([(0, at), (side, at)], fill=(230, 230, 230), width=max(1, side // 170))
        pen.text((side / 2, side / 2), name + extra, fill="white", font=ImageFont.load_default(side / 5), anchor="mm")
        for i in range(number + 1):
            x, y, r = side * (0.3 + 0.08 * i), side * 0.25, side * 0.03
            pen.ellipse([(x - r, y - r), (x + r, y + r)], fill="yellow")
        drawn.append(torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255))
    return torch.stack(drawn)


def card(height: int, extra: str = "") -> Tensor:
    """[height, 2 height, 3] in [0, 1], in whole steps of 1/255 as a file holds them."""
    picture = from_cubemap(faces(height // 2, extra)[None], height)[0]
    return (picture.clamp(0, 1) * 255).round() / 255


def save(picture: Tensor, path: object) -> None:
    Image.fromarray((picture * 255).round().byte().numpy()).save(str(path))
