"""Splat scenes and PLY files for tests, written here from the format's description, not with the pack's writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from syncpack.renderers.files.atomic import write_all
from syncpack.renderers.splats.files.load_save import scene_bytes
from syncpack.renderers.splats.splats import Splats

ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
CODES = {"float": "f4", "double": "f8", "uchar": "u1", "int": "i4", "float32": "f4"}


def random_splats(count=40, bands=1, seed=0, **changes) -> Splats:
    g = torch.Generator().manual_seed(seed)
    values = {
        "positions": torch.randn(count, 3, generator=g),
        "scales": 0.01 + 0.1 * torch.rand(count, 3, generator=g),
        "rotations": torch.randn(count, 4, generator=g),
        "opacities": 0.05 + 0.9 * torch.rand(count, generator=g),
        "sh": 0.5 * torch.randn(count, bands, 3, generator=g),
    }
    return Splats(**{**values, **changes})


def stored(count=40, rest=0, seed=0, normals=True) -> dict[str, np.ndarray]:
    """Properties as a trainer writes them, in INRIA's order."""
    g = np.random.default_rng(seed)
    names = ["x", "y", "z", *(["nx", "ny", "nz"] if normals else []), "f_dc_0", "f_dc_1", "f_dc_2"]
    names += [f"f_rest_{i}" for i in range(rest)]
    names += ["opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    values = {name: g.normal(size=count).astype(np.float32) for name in names}
    for i in range(3):
        values[f"scale_{i}"] -= 3
    return values


def ply(columns, kinds=None, encoding="binary_little_endian", extra="", tail=b"", count=None, newline="\n") -> bytes:
    """A PLY file of those vertex properties; kinds: name -> type in the header (float)."""
    kinds = {name: (kinds or {}).get(name, "float") for name in columns}
    rows = np.empty(len(next(iter(columns.values()))), [(n, ORDERS[encoding] + CODES[k]) for n, k in kinds.items()])
    for name, values in columns.items():
        rows[name] = values
    lines = ["ply", f"format {encoding} 1.0", "comment made for a test"]
    lines += [f"element vertex {len(rows) if count is None else count}"]
    lines += [f"property {kind} {name}" for name, kind in kinds.items()]
    head = newline.join([*lines, *([extra] if extra else []), "end_header"]) + newline
    if encoding == "ascii":
        body = "".join(" ".join(str(v) for v in row) + newline for row in rows.tolist()).encode()
    else:
        body = rows.tobytes()
    return head.encode() + body + tail


def save_splats(splats: Splats, path: Path) -> None:
    """Write a .ply or .splat file, by its ending."""
    write_all(path.parent, {path.name: scene_bytes(splats, path.suffix.lower().lstrip("."), path.name)})
