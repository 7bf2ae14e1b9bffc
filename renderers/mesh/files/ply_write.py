"""Meshes as PLY: texture coordinates of corners with the texture's name (MeshLab, CloudCompare), and the colours of
vertices for viewers that know no textures in PLY (most others)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..base_colour import multiplied, whole_texture
from ..mesh import Mesh
from .pictures import StoredPictures


def ply(mesh: Mesh, stem: str) -> dict[str, bytes]:
    """A mesh with one texture for all parts, or none -> the files to write, by name: stem.ply and stem.png.

    The parts' colours are in the texture; without one they are the vertices' colours, times those that the mesh has.
    Coordinates far from 0 are doubles. Raises ValueError for several different textures: PLY has one.
    """
    pictures = StoredPictures()
    worn = [whole_texture(part) if mesh.has_uvs else None for part in mesh.parts]
    different = {None if t is None else pictures.number(t) for t in worn}
    if len(different) > 1:
        raise ValueError(
            f"PLY holds one texture and the mesh has {len(mesh.parts)} parts with their own; use GLB or OBJ"
        )
    texture = worn[0]
    kind = "<f8" if any(mesh.origin) else "<f4"
    places = mesh.vertices.double() + torch.tensor(mesh.origin).double()
    vertex = [("x", kind), ("y", kind), ("z", kind)]
    if mesh.normals is not None:
        vertex += [("nx", "<f4"), ("ny", "<f4"), ("nz", "<f4")]
    vertex += [("red", "u1"), ("green", "u1"), ("blue", "u1")]
    rows = np.zeros(len(mesh.vertices), vertex)
    for i, axis in enumerate("xyz"):
        rows[axis] = places[:, i].numpy()
        if mesh.normals is not None:
            rows[f"n{axis}"] = mesh.normals[:, i].numpy()
    colours = (_colours(mesh, texture) * 255).round().byte().numpy()
    for i, name in enumerate(("red", "green", "blue")):
        rows[name] = colours[:, i]
    head = ["ply", "format binary_little_endian 1.0", "comment made by ComfyUI-SyncTweedies"]
    head += [f"comment TextureFile {stem}.png"] if texture is not None else []
    head += [f"element vertex {len(rows)}"]
    words = {"u1": "uchar", "<f4": "float", "<f8": "double"}
    head += [f"property {words[of]} {name}" for name, of in vertex]
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
    return files | ({f"{stem}.png": pictures.files[0]} if texture is not None else {})


def _colours(mesh: Mesh, texture: Tensor | None) -> Tensor:
    """[V, 3]: the texture at each vertex, or the colour of its part; times the vertex's own."""
    table = torch.tensor([p.colour[:3] for p in mesh.parts])
    found = torch.ones(len(mesh.vertices), 3)
    corner = mesh.faces.reshape(-1)
    if texture is None:
        found[corner] = table[mesh.part_of_face].repeat_interleave(3, 0)
    else:
        height, width = texture.shape[:2]
        uv = mesh.uvs[mesh.face_uvs.reshape(-1)]
        column = (uv[:, 0] * width).long().clamp(0, width - 1)
        row = ((1 - uv[:, 1]) * height).long().clamp(0, height - 1)
        found[corner] = texture[row, column, :3].float().cpu()
    return (found if mesh.colours is None else multiplied(found, mesh.colours[:, :3])).clamp(0, 1)
