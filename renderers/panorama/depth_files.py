"""Files of depth: PNG, TIFF, NPY, EXR and DPT to numbers. Whatever is wrong with one, it is one line with its name."""

from __future__ import annotations

import math
import os
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..arrays import Array, tensor_of
from .depth_exr import read_exr

# The float that a .dpt file (Middlebury's format) begins with; it tells the byte order.
_DPT_TAG = 202021.25
ENDINGS = (".png", ".npy", ".exr", ".dpt", ".tif", ".tiff")
# Red, green and blue that differ by no more than this, of 255, are grey.
_GREY = 2 / 255
# No packing makes a picture more than so many times as small; what says it is larger is not there.
_PACKED, _SMALL = 1100, 16 << 20
_LONGEST_NPY_HEADER = 1 << 16


def read_depth(path: Path) -> Tensor:
    """Values of a depth file as float32 [H, W]: grey PNG and TIFF (0 to 1; also grey saved as RGB, with alpha or with a
    palette), NPY, EXR (its depth channel, see ``depth_exr``) and DPT (float values as stored).

    Raises ValueError, with the file's name, for a file that is none of them, damaged, cut short, or in colour.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"'{path.name}' is no depth file; use one of {', '.join(ENDINGS)}")
    try:
        if ending == ".npy":
            values = _read_npy(path)
        elif ending == ".dpt":
            values = _read_dpt(path.read_bytes(), path.name)
        elif ending == ".exr":
            values = read_exr(path)
        else:
            values = _read_picture(path)
    except OSError as error:
        raise ValueError(f"'{path.name}' cannot be read ({error.strerror or 'damaged'}); copy it again") from None
    if values.dtype.kind not in "fiu" or len(_squeezed(values.shape)) != 2:
        raise ValueError(_not_one_number(path.name, values.dtype, values.shape))
    return tensor_of(np.array(np.reshape(values, _squeezed(values.shape)), dtype=np.float32))


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _not_one_number(name: str, dtype: Any, shape: tuple[int, ...]) -> str:
    return f"'{name}' holds {dtype} {shape}; depth is one number per pixel [H, W]"


def _read_npy(path: Path) -> Array:
    """As ``np.load``, but what the header says is compared with the bytes that are there first."""
    with path.open("rb") as file:
        start = file.read(6)
        if start[:2] == b"PK":
            raise ValueError(f"'{path.name}' is an archive of arrays (.npz); save one array with numpy.save")
        file.seek(0)
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_columns, dtype = read(file, _LONGEST_NPY_HEADER)
        except Exception:  # numpy reads the header as Python, whose parser raises about anything
            raise ValueError(f"'{path.name}' is no NPY file, or its header is damaged; save it again") from None
        if dtype.hasobject or dtype.kind not in "fiu" or len(_squeezed(shape)) != 2 or min(shape) < 1:
            raise ValueError(_not_one_number(path.name, dtype, shape))
        there, needed = os.fstat(file.fileno()).st_size - file.tell(), math.prod(shape) * dtype.itemsize
        if there < needed:
            raise ValueError(f"'{path.name}' is cut short: {there} of {needed} bytes for {dtype} {shape}")
        values: Array = np.fromfile(file, dtype, math.prod(shape))
        return np.reshape(values, shape, order="F" if by_columns else "C")


def _read_dpt(data: bytes, name: str) -> Array:
    """Header: float tag, int32 width, int32 height; then rows of float32. All in the byte order that the tag shows."""
    if len(data) < 12:
        raise ValueError(f"'{name}' is cut short: {len(data)} bytes hold no header of 12")
    order = next((o for o in "<>" if struct.unpack(o + "f", data[:4])[0] == _DPT_TAG), None)
    if order is None:
        raise ValueError(f"'{name}' is no .dpt file: it does not begin with the number {_DPT_TAG}")
    width, height = struct.unpack(order + "ii", data[4:12])
    if not (0 < width <= 65536 and 0 < height <= 65536):
        raise ValueError(f"'{name}' says it is {width} x {height} pixels; the header is damaged")
    if len(data) < 12 + 4 * width * height:
        raise ValueError(
            f"'{name}' is cut short: {len(data) - 12} of {4 * width * height} bytes for {width} x {height} pixels"
        )
    values: Array = np.frombuffer(data, order + "f4", width * height, 12)
    return np.reshape(values, (height, width))


def _read_picture(path: Path) -> Array:
    from PIL import Image

    with warnings.catch_warnings():
        # Pillow tells of large and of odd files; the large ones are looked at here.
        warnings.simplefilter("ignore")
        try:
            opened: Any = Image.open(path, formats=("PNG", "TIFF"))
            with opened as picture:
                _check_size(picture, path)
                return _grey(picture, path.name)
        except Image.DecompressionBombError:
            raise ValueError(
                f"'{path.name}' says it has more than 179 million pixels; make it smaller, or save it as NPY"
            ) from None
        except _Told as error:
            raise ValueError(str(error)) from None
        except Exception as error:  # a damaged file makes Pillow raise about anything
            if isinstance(error, OSError) and error.errno:
                raise
            kind = path.suffix.lower().strip(".").upper()
            raise ValueError(f"'{path.name}' is no {kind}, or it is damaged or cut short; save it again") from None


class _Told(Exception):
    """A message that is complete."""


def _check_size(picture: Any, path: Path) -> None:
    width, height = picture.size
    claimed = width * height * 2 * len(picture.getbands())
    if claimed > max(_SMALL, _PACKED * path.stat().st_size):
        raise _Told(f"'{path.name}' says it is {width} x {height} pixels, which its bytes cannot hold; save it again")


def _grey(picture: Any, name: str) -> Array:
    """A picture of one channel, or of channels that are alike, 0 to 1 but for floats; alpha is left out."""
    if picture.mode in ("F", "I", "1", "L", "I;16", "I;16B", "I;16L"):
        values = np.asarray(picture)
        if values.dtype.kind == "f":
            return values
        if values.dtype.kind == "b":
            return values.astype(np.float32)
        return values.astype(np.float32) / np.float32(255 if values.dtype == np.uint8 else 65535)
    if picture.mode in ("P", "PA"):
        values = np.asarray(picture.convert("RGB"))
    elif picture.mode in ("LA", "RGB", "RGBA"):
        values = _fine(picture, name)
    else:
        raise _Told(_colour(name, picture.mode))
    values = values.astype(np.float32) / np.float32(255 if values.dtype == np.uint8 else 65535)
    values = values[..., :1] if values.shape[-1] == 2 else values[..., :3]
    if float(np.ptp(values, axis=-1).max()) > _GREY:
        raise _Told(_colour(name, picture.mode))
    return values[..., 0]


def _fine(picture: Any, name: str) -> Array:
    """The channels [H, W, C], uint8 or uint16. Pillow has no pictures of several channels of 16 bits and keeps the
    upper bytes: read by the other byte order, the same file gives the lower ones."""
    tile = picture.tile[0] if len(picture.tile) == 1 else None
    packing = tile[3] if tile and isinstance(tile[3], str) else ""
    if picture.format == "TIFF":
        bits: Any = picture.tag_v2.get(258, (8,))  # BitsPerSample
        if np.max(bits) > 8:
            raise _Told(f"'{name}' has colours of more than 8 bits, which are not read; save grey of 16 bits, or NPY")
    if packing not in ("RGB;16B", "RGBA;16B", "LA;16B"):
        return np.asarray(picture)
    assert tile is not None
    if packing == "LA;16B":
        # Read as four channels: every byte by itself.
        picture._mode, picture.tile = "RGBA", [(*tile[:3], "RGBA")]
        both = np.asarray(picture).astype(np.uint16)
        return both[..., 0::2] * np.uint16(256) + both[..., 1::2]
    from PIL import Image

    upper = np.asarray(picture).astype(np.uint16)
    opened: Any = Image.open(picture.filename, formats=("PNG",))
    with opened as again:
        again.tile = [(*tile[:3], packing[:-1] + "L")]
        return upper * np.uint16(256) + np.asarray(again)


def _colour(name: str, mode: str) -> str:
    return f"'{name}' is a colour picture ({mode}); false colours are not guessed at: save depth as grey, NPY or EXR"
