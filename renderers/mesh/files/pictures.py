"""Texture files: checked before they are decoded, each decoded once, and written so that every bit comes back."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ...arrays import tensor_of

T = TypeVar("T")

# 8192 x 8192: the largest textures in use. A small file may claim far more (a decompression bomb).
MAX_PIXELS = 8192 * 8192
# Of all pictures of a file: 3.2 GB of float RGB.
ALL_PIXELS = 4 * MAX_PIXELS


class TooManyPixels(ValueError):
    """All pictures of a file together are too large."""


@dataclass
class Pictures:
    """The pictures of one mesh file. Those of the same bytes are one tensor, decoded once; all of them together have at
    most ``limit`` pixels."""

    limit: int = ALL_PIXELS
    pixels: int = 0
    known: dict[bytes, Tensor] = field(default_factory=dict[bytes, Tensor])

    def read(self, data: bytes | Path, what: str) -> Tensor:
        """As ``read_picture``. Raises TooManyPixels, before anything is decoded, when they are too many with those
        read before."""
        stored = data.read_bytes() if isinstance(data, Path) else data
        key = hashlib.sha256(stored).digest()
        if key not in self.known:
            width, height = picture_size(stored, what)
            if self.pixels + width * height > self.limit:
                raise TooManyPixels(
                    f"its textures have more than {self.limit >> 20} million pixels together ({what} is {width} x "
                    f"{height}); scale them down, or set textures to ignore"
                )
            self.known[key] = read_picture(stored, what)
            self.pixels += width * height
        return self.known[key]


def read_picture(data: bytes | Path, what: str) -> Tensor:
    """A picture file -> float32 [H, W, 3 or 4] in [0, 1], row 0 at the top, values as stored (sRGB).

    ``what`` names it in errors. Raises ValueError when it cannot be read, and, before anything is decoded, when it has
    more than ``MAX_PIXELS`` pixels.
    """
    return _opened(data, what, _floats)


def picture_size(data: bytes | Path, what: str) -> tuple[int, int]:
    """(width, height), without decoding. Raises as ``read_picture``."""
    return _opened(data, what, _size)


def _size(picture: Any) -> tuple[int, int]:
    return picture.size


def _opened(data: bytes | Path, what: str, act: Callable[[Any], T]) -> T:
    from PIL import Image

    try:
        opened: Any = Image.open(io.BytesIO(data) if isinstance(data, bytes) else data)
        with opened as picture:
            width, height = _size(picture)
            if width * height > MAX_PIXELS:
                raise ValueError(f"{what} has {width} x {height} pixels; scale it to at most 8192 x 8192")
            return act(picture)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{what} has too many pixels; scale it to at most 8192 x 8192") from error
    except (OSError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        # (what Pillow raises for damaged files differs from format to format)
        raise ValueError(f"{what} cannot be read as a picture; save it again as PNG or JPEG") from error
    except ValueError as error:
        if str(error).startswith(what):
            raise
        raise ValueError(f"{what} cannot be read as a picture; save it again as PNG or JPEG") from error


def _floats(picture: Any) -> Tensor:
    if picture.mode.startswith("I") or picture.mode == "F":
        grey = tensor_of(np.array(picture, dtype=np.float32))
        grey = torch.nan_to_num(grey, nan=0.0, posinf=0.0, neginf=0.0)
        # Floats are brightness in [0, 1] (and a little above), unless they are whole numbers of 8 or 16 bits.
        brightest = float(grey.max())
        grey /= 65535 if picture.mode != "F" or brightest > 255 else 255 if brightest > 8 else 1
        return grey.clamp(0, 1)[..., None].repeat(1, 1, 3)
    alpha = "A" in picture.getbands() or "transparency" in picture.info
    pixels = np.array(picture.convert("RGBA" if alpha else "RGB"))
    return tensor_of(pixels).float().div_(255)


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


class StoredPictures:
    """Pictures as PNG files, each distinct one once: the same tensor, or the same bytes."""

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self._tensors: dict[int, tuple[Tensor, int]] = {}
        self._bytes: dict[bytes, int] = {}

    def number(self, picture: Tensor) -> int:
        """Which of ``files`` it is. Raises ValueError as ``png``."""
        # (the tensor is kept, or another may come to lie at its address)
        if id(picture) not in self._tensors:
            data = png(picture)
            found = self._bytes.setdefault(hashlib.sha256(data).digest(), len(self.files))
            if found == len(self.files):
                self.files.append(data)
            self._tensors[id(picture)] = (picture, found)
        return self._tensors[id(picture)][1]
