"""Meshes as Wavefront OBJ with MTL and PNG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .mesh import Mesh
from .pictures import png


def obj(mesh: Mesh, textures: Sequence[Tensor | None], stem: str) -> dict[str, bytes]:
    """A mesh and one texture a part -> the files to write, by name: stem.obj, stem.mtl, and one PNG a texture.

    Vertices, texture coordinates, normals and faces keep their order; a seam splits texture coordinates only.
    """
    files: dict[str, bytes] = {}
    names = _names(mesh)
    lines = [f"mtllib {stem}.mtl", f"o {_word(mesh.name)}"]
    lines += ["v {:.9g} {:.9g} {:.9g}".format(*row) for row in mesh.vertices.tolist()]
    lines += ["vt {:.9g} {:.9g}".format(*row) for row in mesh.uvs.tolist()] if mesh.has_uvs else []
    normals, index = _normals(mesh)
    lines += ["vn {:.9g} {:.9g} {:.9g}".format(*row) for row in normals.tolist()] if normals is not None else []
    none = torch.zeros_like(mesh.faces)
    columns = [mesh.faces + 1, mesh.face_uvs + 1 if mesh.has_uvs else none, none if index is None else index + 1]
    corner = "{}/{}/{}" if mesh.has_uvs and index is not None else "{}/{}" if mesh.has_uvs else "{}"
    if not mesh.has_uvs and index is not None:
        corner, columns = "{}//{}", [columns[0], columns[2]]
    form = "f " + " ".join([corner] * 3)
    table = torch.stack(columns[: corner.count("{}")], -1).reshape(len(mesh.faces), -1).tolist()
    owner = mesh.part_of_face.tolist()
    for i, face in enumerate(table):
        if i == 0 or owner[i] != owner[i - 1]:
            lines.append(f"usemtl {names[owner[i]]}")
        lines.append(form.format(*face))
    files[f"{stem}.obj"] = ("\n".join(lines) + "\n").encode()
    materials: list[str] = []
    stored: dict[int, str] = {}
    for number, (part, texture) in enumerate(zip(mesh.parts, textures, strict=True)):
        materials.append(f"newmtl {names[number]}\nKa 0 0 0\nKs 0 0 0\nillum 1")
        if texture is None:
            materials.append("Kd {:.6g} {:.6g} {:.6g}\nd {:.6g}".format(*part.colour))
            continue
        if id(texture) not in stored:
            stored[id(texture)] = f"{stem}.png" if len(mesh.parts) == 1 else f"{stem}_{len(stored)}.png"
            files[stored[id(texture)]] = png(texture)
        materials.append(f"Kd 1 1 1\nmap_Kd {stored[id(texture)]}")
    files[f"{stem}.mtl"] = ("\n".join(materials) + "\n").encode()
    return files


def _normals(mesh: Mesh) -> tuple[Tensor | None, Tensor | None]:
    """(rows [n, 3], index [F, 3])."""
    if mesh.corner_normals is not None:
        rows, index = np.unique(mesh.corner_normals.reshape(-1, 3).numpy(), axis=0, return_inverse=True)
        return torch.from_numpy(rows), torch.from_numpy(index.reshape(-1, 3))
    return mesh.normals, mesh.faces if mesh.normals is not None else None


def _names(mesh: Mesh) -> list[str]:
    """The parts' names, on one line each and all different."""
    names: list[str] = []
    for part in mesh.parts:
        name = _word(part.name)
        while name in names:
            name += "_"
        names.append(name)
    return names


def _word(name: str) -> str:
    return " ".join(name.split()) or "material"
