"""Depth of a whole sphere: files, and the hints that depth ControlNets read.

A panorama holds distances along the ray; a camera's depth is measured along its axis (z), and depth models and
ControlNets see inverse depth, near = white. Values that are no distance (NaN, infinite, zero or negative) are invalid.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .cameras import rays
from .panorama import Lookout, check_whole_sphere, equirect_taps

Meaning = Literal["distance", "inverse"]
MEANINGS: tuple[Meaning, ...] = ("distance", "inverse")
Range = Literal["joint", "per view"]
RANGES: tuple[Range, ...] = ("joint", "per view")

# The float that a .dpt file (Middlebury's format) begins with; it tells the byte order.
_DPT_TAG = 202021.25
# Neighbours whose distances differ by no more than this part are one surface.
_SURFACE = 0.25
ENDINGS = (".png", ".npy", ".exr", ".dpt", ".tif", ".tiff")


def read_depth(path: Path) -> Tensor:
    """Values of a depth file as float32 [H, W]: 16-bit or 8-bit grey PNG and TIFF (0 to 1), NPY, EXR (its first
    channel) and DPT (float values as stored). Raises ValueError for a file that is none of them, cut short, or in
    colour."""
    ending = path.suffix.lower()
    if ending == ".npy":
        values = np.load(path, allow_pickle=False)
    elif ending == ".dpt":
        values = _read_dpt(path.read_bytes(), path.name)
    elif ending == ".exr":
        values = _read_exr(path)
    elif ending in (".png", ".tif", ".tiff"):
        values = _read_grey(path)
    else:
        raise ValueError(f"'{path.name}' is no depth file; use one of {', '.join(ENDINGS)}")
    values = np.squeeze(values)
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise ValueError(f"'{path.name}' holds {values.dtype} {values.shape}; depth is one number per pixel [H, W]")
    return torch.from_numpy(np.array(values, dtype=np.float32))


def _read_dpt(data: bytes, name: str) -> np.ndarray:
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
    return np.frombuffer(data, order + "f4", width * height, 12).reshape(height, width).astype(np.float32)


def _read_grey(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as picture:
        if picture.mode not in ("L", "I", "F", "I;16", "I;16B", "I;16L"):
            raise ValueError(
                f"'{path.name}' is a colour picture ({picture.mode}); false colours are not guessed at: "
                "save depth as 16-bit grey, NPY or EXR"
            )
        values = np.asarray(picture)
    if values.dtype.kind == "f":
        return values
    return values.astype(np.float32) / (255.0 if values.dtype == np.uint8 else 65535.0)


def _read_exr(path: Path) -> np.ndarray:
    try:
        import OpenEXR  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError(f"'{path.name}': reading EXR needs the package OpenEXR; install it, or save as NPY") from None
    with OpenEXR.File(str(path)) as file:  # pyright: ignore
        channels = file.channels()  # pyright: ignore
        name = next((c for c in ("Z", "Y", "R", "RGB", "RGBA") if c in channels), next(iter(channels)))  # pyright: ignore
        values = np.asarray(channels[name].pixels)  # pyright: ignore
    return values[..., 0] if values.ndim == 3 else values


def check_equirect(depth: Tensor) -> None:
    """Raise ValueError for depth [H, W] that is not twice as wide as high, or without one valid value."""
    height, width = depth.shape
    check_whole_sphere("depth", width, height, "depth of a whole sphere")
    if not bool(valid_depth(depth).any()):
        raise ValueError("depth holds no valid value: all are NaN, infinite, zero or negative")


def valid_depth(depth: Tensor) -> Tensor:
    """bool, which values are a distance."""
    return torch.isfinite(depth) & (depth > 0)


def depth_hints(depth: Tensor, rig: Lookout, meaning: Meaning, span: Range) -> tuple[Tensor, Tensor]:
    """Depth of a sphere [H, W] -> hints for a depth ControlNet [N, h, w] (near = 1, far = 0) and valid bool [N, h, w].

    meaning: distance along the ray, or its inverse (in any unit). span: near and far are taken over all views together,
    so that hints agree where views overlap, or in every view for itself (more contrast). Invalid pixels become 0 (far)
    and take no part in the range. A pixel reads the values around it that lie on the same surface as the nearest valid
    one: distances are never mixed across an edge. Raises ValueError as ``check_equirect``.
    """
    check_equirect(depth)
    rows, columns = depth.shape
    valid = valid_depth(depth).reshape(-1)
    distance = torch.where(valid, depth.reshape(-1).double(), 1.0)
    if meaning == "inverse":
        distance = 1 / distance
    hints: list[Tensor] = []
    seen: list[Tensor] = []
    for look in rig.looks:
        through = rays(look, rig.height, rig.width)
        cells, weights = equirect_taps(through, rows, columns)
        usable = torch.where(valid[cells], weights, -1.0)
        best, tap = usable.max(-1)
        around = distance[cells]
        nearest = around.gather(-1, tap[..., None])
        same = ((around - nearest).abs() <= _SURFACE * nearest) & (usable >= 0)
        share = torch.where(same, weights.double().clamp_min(1e-9), 0.0)
        read = (around * share).sum(-1) / share.sum(-1).clamp_min(1e-12)
        read = torch.where(best >= 0, read, 1.0)
        # The rays have depth 1 along the axis: their length is distance / z.
        hints.append(through.norm(dim=-1) / read)
        seen.append(best >= 0)
    inverse, known = torch.stack(hints), torch.stack(seen)
    groups = [slice(None)] if span == "joint" else [slice(i, i + 1) for i in range(len(inverse))]
    out = torch.zeros_like(inverse)
    for group in groups:
        values = inverse[group][known[group]]
        if values.numel():
            low, high = values.min(), values.max()
            out[group] = (inverse[group] - low) / (high - low) if high > low else torch.ones_like(inverse[group])
    return torch.where(known, out, 0.0).float(), known
