"""Unwraps meshes with xatlas, in a process of its own: xatlas holds Python's lock for as long as it runs.

``python xatlas_worker.py JOB RESULT``: JOB is an .npz with, for mesh i, ``vertices_i`` and ``faces_i``, and ``size``,
``padding`` and ``cost``; RESULT gets ``uvs_i`` and ``face_uvs_i``, in [0, 1]. A line on stdout for every step done.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

# xatlas takes its resolution as a wish; the padding is chosen again when the result is this much larger.
ROOM = 1.35


def unwrap(
    xatlas: Any, vertices: Floats, faces: npt.NDArray[np.uint32], size: int, padding: int, cost: float
) -> tuple[Floats, Indices]:
    """One mesh -> (uvs [T, 2] in [0, 1], face_uvs [F, 3]); charts at least ``padding`` texels of ``size`` apart."""
    wanted, tries = float(padding) * ROOM, 0
    while True:
        atlas = xatlas.Atlas()
        atlas.add_mesh(vertices, faces)
        charts, pack = xatlas.ChartOptions(), xatlas.PackOptions()
        charts.max_cost = cost
        pack.resolution, pack.padding = size, int(np.ceil(wanted))
        pack.bilinear = True
        atlas.generate(charts, pack)
        side = max(atlas.width, atlas.height, 1)
        gap = pack.padding / 2 / side
        tries += 1
        if pack.padding * size * (1 - 2 * gap) >= padding * side or tries == 4:
            break
        wanted = padding * side / size * 1.1
    mapping, index, uvs = atlas[0]
    if not np.array_equal(mapping[index], faces):
        raise RuntimeError("xatlas changed the faces")
    # xatlas stretches to the square; texels are square here, and charts keep half a gap to the border.
    uvs = uvs.astype(np.float64) * (atlas.width, atlas.height) / side
    return (uvs * (1 - 2 * gap) + gap).astype(np.float32), index.astype(np.int64)


def main(job: str, result: str) -> None:
    xatlas: Any = importlib.import_module("xatlas")
    found: dict[str, Any] = {}
    with np.load(job) as given:
        count, size, padding = int(given["count"]), int(given["size"]), int(given["padding"])
        print("started", flush=True)
        for i in range(count):
            vertices, faces = given[f"vertices_{i}"], given[f"faces_{i}"]
            found[f"uvs_{i}"], found[f"face_uvs_{i}"] = unwrap(
                xatlas, vertices, faces, size, padding, float(given["cost"])
            )
            print(f"done {i + 1}", flush=True)
    np.savez(result, **found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
