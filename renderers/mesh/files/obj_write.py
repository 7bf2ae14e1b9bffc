"""Meshes as Wavefront OBJ with MTL and PNG."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...arrays import integers, rows_of, shaped, tensor_of
from ..base_colour import whole_texture
from ..material import Part
from ..mesh import Mesh
from .pictures import StoredPictures


def obj(mesh: Mesh, stem: str) -> dict[str, bytes]:
    """A mesh -> the files to write, by name: stem.obj, stem.mtl, and one PNG a distinct texture.

    Vertices, texture coordinates, normals and faces keep their order; a seam splits texture coordinates only. A part's
    colour is in its texture, since readers differ on Kd beside one; vertex colours stand behind the coordinates. Maps
    other than the base colour have no common place in MTL and are left out.
    """
    files: dict[str, bytes] = {}
    names = _names(mesh)
    lines = [f"mtllib {stem}.mtl", f"o {_word(mesh.name)}"]
    lines += _vertices(mesh)
    lines += ["vt {:.9g} {:.9g}".format(*row) for row in rows_of(mesh.uvs)] if mesh.has_uvs else []
    normals, index = _normals(mesh)
    lines += ["vn {:.9g} {:.9g} {:.9g}".format(*row) for row in rows_of(normals)] if normals is not None else []
    none = torch.zeros_like(mesh.faces)
    columns = [mesh.faces + 1, mesh.face_uvs + 1 if mesh.has_uvs else none, none if index is None else index + 1]
    corner = "{}/{}/{}" if mesh.has_uvs and index is not None else "{}/{}" if mesh.has_uvs else "{}"
    if not mesh.has_uvs and index is not None:
        corner, columns = "{}//{}", [columns[0], columns[2]]
    form = "f " + " ".join([corner] * 3)
    table = torch.stack(columns[: corner.count("{}")], -1).reshape(len(mesh.faces), -1)
    owner = integers(mesh.part_of_face)
    for i, face in enumerate(rows_of(table)):
        if i == 0 or owner[i] != owner[i - 1]:
            lines.append(f"usemtl {names[owner[i]]}")
        lines.append(form.format(*face))
    files[f"{stem}.obj"] = ("\n".join(lines) + "\n").encode()
    pictures = StoredPictures()
    numbers = [_picture(part, pictures) if mesh.has_uvs else None for part in mesh.parts]
    stored = [f"{stem}.png" if len(mesh.parts) == 1 else f"{stem}_{i}.png" for i in range(len(pictures.files))]
    files |= dict(zip(stored, pictures.files, strict=True))
    materials = [
        _material(part, name, None if number is None else stored[number])
        for part, name, number in zip(mesh.parts, names, numbers, strict=True)
    ]
    files[f"{stem}.mtl"] = ("\n".join(materials) + "\n").encode()
    return files


def _vertices(mesh: Mesh) -> list[str]:
    far = any(mesh.origin)
    places = mesh.vertices.double() + torch.tensor(mesh.origin).double() if far else mesh.vertices
    form = "v {:.15g} {:.15g} {:.15g}" if far else "v {:.9g} {:.9g} {:.9g}"
    if mesh.colours is None:
        return [form.format(*row) for row in rows_of(places)]
    colours = rows_of(mesh.colours[:, :3])
    return [
        f"{form.format(*row)} {r:.6g} {g:.6g} {b:.6g}" for row, (r, g, b) in zip(rows_of(places), colours, strict=True)
    ]


def _picture(part: Part, pictures: StoredPictures) -> int | None:
    texture = whole_texture(part)
    if texture is None:
        return None
    if part.alpha == "mask" and texture.shape[-1] == 4:
        # MTL has no cut-off: what is shown is opaque, the rest is clear.
        texture = torch.cat([texture[..., :3], (texture[..., 3:] >= part.cutoff).to(texture)], -1)
    return pictures.number(texture)


def _material(part: Part, name: str, picture: str | None) -> str:
    head = f"newmtl {name}\nKa 0 0 0\nKs 0 0 0\nillum 1"
    if picture is None:
        opacity = 1.0 if part.alpha == "opaque" else part.colour[3]
        if part.alpha == "mask":
            opacity = float(opacity >= part.cutoff)
        return head + "\nKd {:.6g} {:.6g} {:.6g}\nd {:.6g}".format(*part.colour[:3], opacity)
    return f"{head}\nKd 1 1 1\nmap_Kd {picture}" + ("" if part.alpha == "opaque" else f"\nmap_d {picture}")


def _normals(mesh: Mesh) -> tuple[Tensor | None, Tensor | None]:
    """(rows [n, 3], index [F, 3])."""
    if mesh.corner_normals is not None:
        rows, index = np.unique(mesh.corner_normals.reshape(-1, 3).numpy(), axis=0, return_inverse=True)
        return tensor_of(rows), tensor_of(shaped(index, -1, 3))
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
