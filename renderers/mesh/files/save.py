"""Textured meshes written to files: GLB, OBJ with MTL and PNG, PLY."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from ..base_colour import repainted
from ..mesh import Mesh
from .gltf.write import glb
from .obj_write import obj
from .ply_write import ply

Format = Literal["glb", "obj", "ply"]
FORMATS: tuple[Format, ...] = ("glb", "obj", "ply")


def mesh_files(
    mesh: Mesh,
    textures: Sequence[Tensor | None] | Tensor | None,
    stem: str,
    format: Format = "glb",
    extras: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """A mesh with its textures as files: name -> content. All names begin with ``stem``, and the mesh is the first.

    textures: one for each part (None: the part's colour), one for all parts, or None for those that the mesh has; what
    three and four channels mean for opacity, ``repainted`` says. float [H, W, 3 or 4] in [0, 1], row 0 at the top,
    written as 8-bit PNG, each distinct one once. Coordinates, vertex order and normals are the mesh's own. GLB splits
    vertices along seams (copies come last); OBJ and PLY keep them whole. extras: values of JSON that a GLB carries
    along (``asset.extras``); the other formats have no place for them.

    Raises ValueError for a texture on a mesh without texture coordinates, for another number of textures than parts,
    and for NaN.
    """
    if format not in FORMATS:
        raise ValueError(f"format '{format}' is unknown; use {', '.join(FORMATS)}")
    worn = _worn(mesh, textures)
    if worn.has_uvs and not bool(torch.isfinite(worn.uvs).all()):
        raise ValueError(f"texture coordinates of mesh '{mesh.name}' are no numbers (NaN); unwrap it first")
    if format == "glb":
        return {f"{stem}.glb": glb(worn, extras)}
    return (obj if format == "obj" else ply)(worn, stem)


def _worn(mesh: Mesh, textures: Sequence[Tensor | None] | Tensor | None) -> Mesh:
    """The mesh in the textures that are given."""
    if textures is None:
        return mesh
    count = len(mesh.parts)
    if isinstance(textures, Tensor):
        found: list[Tensor | None] = [textures for _ in mesh.parts]
    else:
        found = list(textures) * (count if len(textures) == 1 else 1)
    if len(found) != count:
        raise ValueError(f"{len(found)} textures for a mesh of {count} parts; connect one, or one for each part")
    if not mesh.has_uvs and any(t is not None for t in found):
        raise ValueError(f"mesh '{mesh.name}' has no texture coordinates; unwrap it first")
    done = repainted(mesh, found)
    bare = (replace(p, texture=None) if new is None else p for p, new in zip(done.parts, found, strict=True))
    return replace(done, parts=tuple(bare))
