"""Splat files: which kind a file is, ``.splat`` files, and saving."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ...arrays import tensor_of
from ..splats import SH_DC, SplatRows, Splats
from .ply import ply_bytes, read_ply, too_many

SplatFormat = Literal["ply", "splat"]
FORMATS: tuple[SplatFormat, ...] = get_args(SplatFormat)

# 32 bytes a splat: place, linear scales, colour and opacity, quaternion w, x, y, z as 128 + 128 q (antimatter15).
_ROW = np.dtype([("position", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 4), ("rotation", "u1", 4)])


def load_splats(path: Path, limit: int | None = None) -> Splats:
    """The splats of a .ply or .splat file; ``limit``: how many memory holds.

    Raises ValueError, with the file's name, for files of another kind, and as ``read_ply`` and ``Splats``.
    """
    try:
        return _read(path, limit)
    except OSError as error:
        raise ValueError(f"file '{path.name}' cannot be read ({error.strerror}); copy it again") from None
    except ValueError as error:
        if path.name in str(error):
            raise
        raise ValueError(f"file '{path.name}': {error}") from None


def _read(path: Path, limit: int | None) -> Splats:
    with path.open("rb") as file:
        start = file.read(4)
    if start[:3] == b"ply" or path.suffix.lower() == ".ply":
        return read_ply(path, limit)
    if path.suffix.lower() == ".splat":
        return _read_splat(path, limit)
    if path.suffix.lower() in (".spz", ".ksplat", ".sog"):
        raise ValueError(f"file '{path.name}': {path.suffix} is not read here; convert it to .ply (SuperSplat does)")
    raise ValueError(f"file '{path.name}' is no splat scene that is read here; use .ply or .splat")


def _read_splat(path: Path, limit: int | None) -> Splats:
    size = path.stat().st_size
    count = size // _ROW.itemsize
    if size % _ROW.itemsize or count == 0:
        raise ValueError(
            f"file '{path.name}' of {size} bytes is cut off or no .splat file (32 bytes a splat); copy it again"
        )
    if limit is not None and count > limit:
        raise ValueError(too_many(path.name, count, limit))
    rows = np.fromfile(path, _ROW)
    colour = rows["colour"].astype(np.float64) / 255
    return Splats(
        tensor_of(rows["position"].astype(np.float32)),
        tensor_of(rows["scale"].astype(np.float32)),
        tensor_of((rows["rotation"].astype(np.float32) - 128) / 128),
        tensor_of(colour[:, 3]).float(),
        tensor_of((colour[:, :3] - 0.5) / SH_DC).float()[:, None],
        path.stem,
        SplatRows(rows, "splat"),
    )


def splat_bytes(splats: Splats) -> bytes:
    """Splats as a .splat file: colour without direction, everything but places and scales in 8 bits. What came from
    a .splat file keeps its bytes, colours apart."""
    source = splats.source
    if source is not None and source.kind == "splat":
        rows = source.rows.copy()
    else:
        rows = np.zeros(len(splats), _ROW)
        rows["position"], rows["scale"] = splats.positions.numpy(), splats.scales.numpy()
        rows["colour"][:, 3] = (splats.opacities * 255).round().numpy()
        rows["rotation"] = (splats.rotations * 128 + 128).round().clamp(0, 255).numpy()
    painted = slice(None)
    if splats.hidden is not None and source is not None and source.kind == "splat":
        painted = (~splats.hidden).numpy()
    rows["colour"][painted, :3] = (splats.colours * 255).round().numpy()[painted]
    return rows.tobytes()


def scene_bytes(splats: Splats, kind: str, name: str = "") -> bytes:
    """Splats as a file of that kind; what they were read from is followed byte for byte, colours (f_dc, f_rest) apart.

    Raises ValueError, with the file's name, for another kind.
    """
    if kind not in FORMATS:
        raise ValueError(f"file '{name}': splats are saved as .ply or .splat")
    return ply_bytes(splats) if kind == "ply" else splat_bytes(splats)
