"""Mesh files to be changed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from meshes import box
from syncpack.renderers.mesh.load import load_mesh
from syncpack.renderers.mesh.save import save_mesh

from .attack import Files, Reader


def _written(format: str) -> list[Files]:
    with tempfile.TemporaryDirectory() as folder:
        files = save_mesh(box(parts=2), None, Path(folder, "box"), format)
        return [{file.name: file.read_bytes() for file in files}]


MESH_READERS: dict[str, Reader] = {
    "glb": Reader(lambda: _written("glb"), load_mesh),
    "obj": Reader(lambda: _written("obj"), load_mesh),
    "ply": Reader(lambda: _written("ply"), load_mesh),
}
