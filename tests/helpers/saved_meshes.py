"""Meshes on disk, as the nodes write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from syncpack.renderers.files.atomic import write_all
from syncpack.renderers.mesh.files.save import Format, mesh_files
from syncpack.renderers.mesh.mesh import Mesh
from torch import Tensor


def save_mesh(
    mesh: Mesh,
    textures: Sequence[Tensor | None] | Tensor | None,
    path: str | Path,
    format: Format = "glb",
    extras: Mapping[str, Any] | None = None,
) -> tuple[Path, ...]:
    """A mesh with its textures, written -> the files, the mesh first. path: the format's ending follows the name,
    unless it is there; other dots are part of the name."""
    path = Path(path)
    stem = path.stem if path.suffix.lower() == f".{format}" else path.name
    return write_all(path.parent, mesh_files(mesh, textures, stem, format, extras))
