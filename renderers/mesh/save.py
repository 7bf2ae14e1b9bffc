"""Textured meshes written to files: GLB, OBJ with MTL and PNG, PLY."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from .gltf_write import glb
from .mesh import Mesh
from .obj_write import obj
from .ply_write import ply

Format = Literal["glb", "obj", "ply"]
FORMATS: tuple[Format, ...] = ("glb", "obj", "ply")


def save_mesh(
    mesh: Mesh,
    textures: Sequence[Tensor | None] | Tensor | None,
    path: str | Path,
    format: Format = "glb",
    extras: Mapping[str, Any] | None = None,
) -> tuple[Path, ...]:
    """Write a mesh with its textures -> the files, the mesh first.

    textures: one for each part (None: the part's colour), one for all parts, or None for those that the mesh has.
    float [H, W, 3 or 4] in [0, 1], row 0 at the top, written as 8-bit PNG. path: its ending is replaced by the
    format's. Coordinates, vertex order and normals are the mesh's own. GLB splits vertices along seams (copies come
    last); OBJ and PLY keep them whole. extras: values of JSON that a GLB carries along (``asset.extras``); the other
    formats have no place for them.

    Either all files are written or none. Raises ValueError for a texture on a mesh without texture coordinates, for
    another number of textures than parts, and for NaN.
    """
    if format not in FORMATS:
        raise ValueError(f"format '{format}' is unknown; use {', '.join(FORMATS)}")
    path = Path(path).with_suffix(f".{format}")
    given = _given(mesh, textures)
    if format == "glb":
        files = {path.name: glb(mesh, given, extras)}
    else:
        files = (obj if format == "obj" else ply)(mesh, given, path.stem)
    return _write(path.parent, files)


def _given(mesh: Mesh, textures: Sequence[Tensor | None] | Tensor | None) -> list[Tensor | None]:
    count = len(mesh.parts)
    if textures is None:
        found: list[Tensor | None] = [part.texture for part in mesh.parts]
    elif isinstance(textures, Tensor):
        found = [textures for _ in mesh.parts]
    else:
        found = list(textures) * (count if len(textures) == 1 else 1)
    if len(found) != count:
        raise ValueError(f"{len(found)} textures for a mesh of {count} parts; connect one, or one for each part")
    if not mesh.has_uvs and textures is not None and any(t is not None for t in found):
        raise ValueError(f"mesh '{mesh.name}' has no texture coordinates; unwrap it first")
    return found if mesh.has_uvs else [None] * count


def _write(folder: Path, files: dict[str, bytes]) -> tuple[Path, ...]:
    """All files under other names first, so that nothing half-written is ever found under the right ones."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting: list[tuple[Path, Path]] = []
    done: list[Path] = []
    try:
        for name, data in files.items():
            temporary = folder / f".{name}.part"
            waiting.append((temporary, folder / name))
            temporary.write_bytes(data)
        for temporary, final in waiting:
            os.replace(temporary, final)
            done.append(final)
    except BaseException:
        for final in done:
            final.unlink(missing_ok=True)
        raise
    finally:
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)
    return tuple(final for _, final in waiting)
