"""Mesh files to be changed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from helpers.mesh_files import picture
from helpers.meshes import box
from helpers.saved_meshes import save_mesh
from mesh.test_mesh_materials import coloured, eight, with_maps
from syncpack.renderers.mesh.files.load import load_mesh

from fuzz.attack import Files, Reader


def _written(format: str) -> list[Files]:
    with tempfile.TemporaryDirectory() as folder:
        files = save_mesh(box(parts=2), None, Path(folder, "box"), format)
        return [{file.name: file.read_bytes() for file in files}]


def _glb() -> list[Files]:
    """Materials with maps and opacity, vertex colours, nodes: what the writer makes and what it does not."""
    seeds = [*_written("glb"), {"maps.glb": with_maps().bytes()}, {"colours.glb": coloured(3).bytes()}]
    return [*seeds, {"eight.glb": eight(same=True).bytes()}]


def _gltf() -> list[Files]:
    glb = with_maps()
    glb.bytes()
    glb.tree["buffers"] = [{"uri": "a.bin", "byteLength": len(glb.body)}]
    glb.tree["images"][0] = {"uri": "wall.png"}
    return [{"a.gltf": json.dumps(glb.tree).encode(), "a.bin": glb.body, "wall.png": picture()}]


MESH_READERS: dict[str, Reader] = {
    "glb": Reader(_glb, load_mesh),
    "gltf": Reader(_gltf, load_mesh),
    "obj": Reader(lambda: _written("obj"), load_mesh),
    "ply": Reader(lambda: _written("ply"), load_mesh),
}
