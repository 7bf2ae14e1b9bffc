"""3DGS scenes in PLY files: which properties splats have, and in which units they are stored.

The layout that INRIA's and gsplat's trainers write: x, y, z; logarithms of the scales; quaternions w, x, y, z of any
length; opacity as a logit; colour as spherical harmonics, f_dc_0..2 and then f_rest, channel by channel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...arrays import Array, array_of, tensor_of
from ...files.ply_header import Element, Header, newline_of
from ..splats import SplatRows, Splats
from .ply_table import Table, read_header, read_table, table_bytes

_ROTATION = tuple(f"rot_{i}" for i in range(4))
_BASE = tuple(f"f_dc_{i}" for i in range(3))
_NEEDED = ("x", "y", "z", "scale_0", "scale_1", *_ROTATION, "opacity", *_BASE)
_BANDS = {3 * ((degree + 1) ** 2 - 1): (degree + 1) ** 2 for degree in range(5)}

# What an opacity of 1 and a scale of 0 are stored as: their own logit and logarithm are infinite.
_LEAST = 1e-7
_SMALLEST = 1e-13
# How much thinner than wide a flat splat (2DGS, two scales) is made.
_FLAT = 1e-3
# How many times as much memory reading text takes: every value is a word of its own first.
_TEXT = 6


def read_ply(path: Path, limit: int | None = None) -> Splats:
    """The splats of a PLY file.

    limit: how many splats of a binary file memory holds. Raises ValueError for files that are no PLY, no splats (a
    mesh, a point cloud, a packed scene), cut off, larger than the limit, and whatever ``Splats`` refuses.
    """
    with path.open("rb") as file:
        header = read_header(file, path.name)
    element = _splats_of(header, path.name)
    if limit is not None and header.encoding == "ascii":
        limit //= _TEXT
    if limit is not None and element.count > limit:
        raise ValueError(too_many(path.name, element.count, limit))
    table = read_table(path, header, element)
    rows = table.rows

    def columns(*names: str, kind: Any = np.float32) -> Array:
        return np.stack([rows[name].astype(kind) for name in names], 1)

    with np.errstate(over="ignore"):
        opacity = 1 / (1 + np.exp(-columns("opacity", kind=np.float64)[:, 0]))
        if "scale_2" in rows.dtype.names:
            scales = np.exp(columns("scale_0", "scale_1", "scale_2", kind=np.float64))
        else:
            flat = np.exp(columns("scale_0", "scale_1", kind=np.float64))
            scales = np.concatenate([flat, flat.min(1, keepdims=True) * _FLAT], 1)
        scales = scales.astype(np.float32)
    rest = _rest_names(element, path.name)
    sh = columns(*_BASE)[:, None]
    if rest:
        channels = np.reshape(columns(*rest), (len(rows), 3, -1))
        sh = np.concatenate([sh, np.transpose(channels, (0, 2, 1))], 1)
    return Splats(
        tensor_of(columns("x", "y", "z")),
        tensor_of(scales),
        tensor_of(columns(*_ROTATION)),
        tensor_of(opacity).float(),
        tensor_of(np.ascontiguousarray(sh)),
        path.stem,
        SplatRows(rows, "ply", header.head, table.tail, table.words),
    )


def too_many(name: str, count: int, limit: int) -> str:
    return f"file '{name}' holds {count} splats, memory holds about {limit}; thin the scene out, or free memory"


def _splats_of(header: Header, name: str) -> Element:
    """The rows that are splats. Raises ValueError, saying what the file is instead."""
    vertex = header.element("vertex")
    if vertex is None:
        raise ValueError(f"file '{name}' is a PLY without vertices; use a 3DGS scene")
    names = {title: kind for title, counted, kind in vertex.properties if not counted}
    if vertex.count == 0:
        raise ValueError(f"file '{name}' is empty: it announces no vertices; use a file with splats")
    missing = [what for what in _NEEDED if what not in names]
    if "packed_position" in names:
        raise ValueError(f"file '{name}' is a compressed scene; save it as an ordinary PLY (SuperSplat does) first")
    if missing and not any(what.startswith(("scale_", "rot_", "f_dc_")) for what in names):
        faces = header.element("face")
        if faces is not None and faces.count:
            raise ValueError(f"file '{name}' is a mesh with {faces.count} faces, no splats; use SyncTweediesLoadMesh")
        raise ValueError(
            f"file '{name}' is a point cloud of {vertex.count} points, no splats; train a 3DGS scene on it"
        )
    if missing:
        raise ValueError(
            f"file '{name}' lacks the property '{missing[0]}' of splats; save it in INRIA's or gsplat's 3DGS layout"
        )
    whole = next((what for what in _NEEDED if not names[what].startswith("f")), None)
    if whole:
        raise ValueError(f"file '{name}' stores '{whole}' as whole numbers; splats need float; save the scene anew")
    if vertex.listed or header.elements[0] is not vertex:
        raise ValueError(f"file '{name}' holds more than splats; save it in INRIA's or gsplat's 3DGS layout")
    return vertex


def _rest_names(element: Element, name: str) -> tuple[str, ...]:
    """The colour's higher bands in order; () without. Raises ValueError when their number is no whole degree."""
    there = {what for what, _, _ in element.properties if what.startswith("f_rest_")}
    names = tuple(f"f_rest_{i}" for i in range(len(there)))
    if len(names) not in _BANDS or there != set(names):
        raise ValueError(
            f"file '{name}' has {len(there)} f_rest properties; splats have 0, 9, 24, 45 or 72, counted from f_rest_0"
        )
    return names


def ply_bytes(splats: Splats) -> bytes:
    """The file of splats: their source's own bytes but for colours, or INRIA's layout without a source."""
    source = splats.source
    if source is None or source.kind != "ply":
        return _fresh(splats)
    changed = dict(_colour_columns(splats.sh))
    names = set(source.rows.dtype.names)
    if not set(changed) <= names:  # bands that the file had no place for
        return _fresh(splats)
    if splats.hidden is not None:
        kept = splats.hidden.numpy()
        changed = {n: np.where(kept, source.rows[n].astype(np.float32), values) for n, values in changed.items()}
    table = Table(source.rows, source.tail, source.words)
    return source.head + table_bytes(table, changed, newline_of(source.head))


def _colour_columns(sh: Tensor) -> list[tuple[str, Array]]:
    values, (count, bands, _) = array_of(sh), sh.shape
    rest = np.reshape(np.transpose(values[:, 1:], (0, 2, 1)), (count, 3 * (bands - 1)))
    base = [(name, values[:, 0, i]) for i, name in enumerate(_BASE)]
    return [*base, *((f"f_rest_{i}", rest[:, i]) for i in range(3 * (bands - 1)))]


def _fresh(splats: Splats) -> bytes:
    opacity = splats.opacities.double().clamp(_LEAST, 1 - _LEAST)
    columns: list[tuple[str, Any]] = [(name, splats.positions[:, i].numpy()) for i, name in enumerate("xyz")]
    columns += [(name, np.zeros(len(splats))) for name in ("nx", "ny", "nz")]
    columns += _colour_columns(splats.sh)
    columns.append(("opacity", torch.logit(opacity).numpy()))
    logs = splats.scales.double().clamp_min(_SMALLEST).log().numpy()
    columns += [(f"scale_{i}", logs[:, i]) for i in range(3)]
    columns += [(name, splats.rotations[:, i].numpy()) for i, name in enumerate(_ROTATION)]
    rows = np.empty(len(splats), [(name, "<f4") for name, _ in columns])
    for name, values in columns:
        rows[name] = values
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(splats)}"]
    lines += [f"property float {name}" for name, _ in columns]
    return ("\n".join([*lines, "end_header"]) + "\n").encode() + rows.tobytes()
