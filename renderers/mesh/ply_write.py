"""Meshes as PLY: texture coordinates of corners with the texture's name (MeshLab, CloudCompare), and the colours of
vertices for viewers that know no textures in PLY (most others)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .mesh import Mesh
from .pictures import png


def ply(mesh: Mesh, textures: Sequence[Tensor | None], stem: str) -> dict[str, bytes]:
    """A mesh with one texture for all parts, or none -> the files to write, by name: stem.ply and stem.png.

    Raises ValueError for several different textures: PLY has one.
    """
    different = {id(t) for t in textures}
    if len(different) > 1:
        raise ValueError(
            f"PLY holds one texture and the mesh has {len(mesh.parts)} parts with their own; use GLB or OBJ"
        )
    texture = textures[0]
    vertex = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
    if mesh.normals is not None:
        vertex += [("nx", "<f4"), ("ny", "<f4"), ("nz", "<f4")]
    vertex += [("red", "u1"), ("green", "u1"), ("blue", "u1")]
    rows = np.zeros(len(mesh.vertices), vertex)
    for i, axis in enumerate("xyz"):
        rows[axis] = mesh.vertices[:, i].numpy()
        if mesh.normals is not None:
            rows[f"n{axis}"] = mesh.normals[:, i].numpy()
    colours = (_colours(mesh, texture) * 255).round().byte().numpy()
    for i, name in enumerate(("red", "green", "blue")):
        rows[name] = colours[:, i]
    head = ["ply", "format binary_little_endian 1.0", "comment made by ComfyUI-SyncTweedies"]
    head += [f"comment TextureFile {stem}.png"] if texture is not None else []
    head += [f"element vertex {len(rows)}"]
    head += [f"property {'uchar' if kind == 'u1' else 'float'} {name}" for name, kind in vertex]
    head += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices"]
    face: list[tuple[str, str] | tuple[str, str, tuple[int]]] = [("n", "u1"), ("index", "<i4", (3,))]
    if mesh.has_uvs:
        head.append("property list uchar float texcoord")
        face += [("m", "u1"), ("uv", "<f4", (6,))]
    faces = np.zeros(len(mesh.faces), np.dtype(face))
    faces["n"], faces["index"] = 3, mesh.faces.numpy()
    if mesh.has_uvs:
        faces["m"], faces["uv"] = 6, mesh.uvs[mesh.face_uvs].reshape(-1, 6).numpy()
    text = "\n".join([*head, "end_header", ""]).encode()
    files = {f"{stem}.ply": text + rows.tobytes() + faces.tobytes()}
    return files | ({f"{stem}.png": png(texture)} if texture is not None else {})


def _colours(mesh: Mesh, texture: Tensor | None) -> Tensor:
    """[V, 3]: the texture at each vertex, or the colour of its part."""
    table = torch.tensor([p.colour[:3] for p in mesh.parts])
    found = torch.ones(len(mesh.vertices), 3)
    corner = mesh.faces.reshape(-1)
    if texture is None or not mesh.has_uvs:
        found[corner] = table[mesh.part_of_face].repeat_interleave(3, 0)
        return found.clamp(0, 1)
    height, width = texture.shape[:2]
    uv = mesh.uvs[mesh.face_uvs.reshape(-1)]
    column = (uv[:, 0] * width).long().clamp(0, width - 1)
    row = ((1 - uv[:, 1]) * height).long().clamp(0, height - 1)
    found[corner] = texture[row, column, :3].float().cpu()
    return found.clamp(0, 1)
