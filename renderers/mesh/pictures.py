"""Texture files: checked before they are decoded, and written so that every bit comes back."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

# 8192 x 8192: the largest textures in use. A small file may claim far more (a decompression bomb).
MAX_PIXELS = 8192 * 8192


def read_picture(data: bytes | Path, what: str) -> Tensor:
    """A picture file -> float32 [H, W, 3 or 4] in [0, 1], row 0 at the top, values as stored (sRGB).

    ``what`` names it in errors. Raises ValueError when it cannot be read, and, before anything is decoded, when it has
    more than ``MAX_PIXELS`` pixels.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise ValueError(f"{what} has {width} x {height} pixels; scale it to at most 8192 x 8192")
            return _floats(picture)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{what} has too many pixels; scale it to at most 8192 x 8192") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{what} cannot be read as a picture; save it again as PNG or JPEG") from error


def _floats(picture: Any) -> Tensor:
    if picture.mode.startswith("I") or picture.mode == "F":
        grey = torch.from_numpy(np.asarray(picture, dtype=np.float32).copy()) / 65535
        return grey.clamp(0, 1)[..., None].repeat(1, 1, 3)
    alpha = "A" in picture.getbands() or "transparency" in picture.info
    pixels = np.array(picture.convert("RGBA" if alpha else "RGB"))
    return torch.from_numpy(pixels).float() / 255


def png(picture: Tensor) -> bytes:
    """float [H, W, 3 or 4] in [0, 1] -> a PNG file of 8 bits a channel. Raises ValueError for other shapes and NaN."""
    from PIL import Image

    if picture.dim() != 3 or picture.shape[-1] not in (3, 4) or 0 in picture.shape:
        raise ValueError(f"a texture of shape {tuple(picture.shape)} is no picture; use height x width x 3 or 4")
    if not bool(torch.isfinite(picture).all()):
        raise ValueError("the texture holds NaN or infinity; a VAE in half precision often makes them: use --fp32-vae")
    encoded = io.BytesIO()
    pixels = (picture.detach().float().clamp(0, 1) * 255).round().byte().cpu().numpy()
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()
