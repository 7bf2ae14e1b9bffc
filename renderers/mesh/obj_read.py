"""Wavefront OBJ with its MTL: vertices, texture coordinates and normals keep the file's own order and indices.

Read here and not by trimesh, which splits vertices at seams and renumbers them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from .gltf_file import Missing, beside
from .material import Part
from .mesh import Mesh
from .mtl import read_mtl
from .pieces import Limits, Notes, unit
from .polygons import triangles

_NOT_SURFACE = {b"l": "lines", b"p": "points", b"curv": "curves", b"curv2": "curves", b"surf": "free-form surfaces"}


@dataclass
class _Text:
    """What the lines say. corners: (vertex, uv, normal) indices of every polygon's corners, -1 for none."""

    vertices: list[list[bytes]] = field(default_factory=list)
    uvs: list[list[bytes]] = field(default_factory=list)
    normals: list[list[bytes]] = field(default_factory=list)
    corners: list[tuple[int, int, int]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    libraries: list[str] = field(default_factory=list)
    objects: int = 0


def read_obj(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """An OBJ file -> Mesh; polygons are cut into triangles, one part a material.

    Raises ValueError for lines that cannot be read, for indices that point nowhere, for a texture that is missing, and
    as ``Mesh``. A missing .mtl file is told in ``notes``.
    """
    text = _lines(path, limits, notes)
    if not text.sizes:
        raise ValueError("it holds no faces; use a file with a surface, not points or lines")
    corners = np.array(text.corners, np.int64)
    owner = np.array(text.owner, np.int64)
    vertices = _numbers(text.vertices, 3, "v")
    if any(size > 3 for size in text.sizes):
        picked, polygon = triangles(vertices, corners[:, 0], np.array(text.sizes))
        limits.check_faces(len(picked))
        notes.add(f"{sum(size > 3 for size in text.sizes)} faces with more than three corners were cut into triangles")
        corners, owner = corners[picked.reshape(-1)], owner[polygon]
    faces, face_uvs, face_normals = (corners[:, i].reshape(-1, 3) for i in range(3))
    names = list(text.names)
    uvs, inside = _texture_coordinates(text, face_uvs, owner, names, notes)
    normals, corner_normals = _normals(text, faces, face_normals, notes)
    used, numbers = np.unique(owner, return_inverse=True)
    materials = _materials(text, path, root, limits, notes)
    parts = tuple(materials.get(names[i], Part(names[i])) for i in used)
    if text.objects > 1 and len(parts) == 1:
        notes.add(f"{text.objects} objects share one material, and so one texture")
    return Mesh(
        vertices=torch.from_numpy(vertices.astype(np.float32)),
        faces=torch.from_numpy(faces.copy()),
        uvs=torch.from_numpy(uvs.astype(np.float32)),
        face_uvs=torch.from_numpy(inside.copy()),
        part_of_face=torch.from_numpy(numbers.reshape(-1).astype(np.int64)),
        parts=parts,
        normals=normals,
        name=path.stem,
        corner_normals=corner_normals,
    )


def _lines(path: Path, limits: Limits, notes: Notes) -> _Text:
    text = _Text()
    current = 0
    sizes, corners, owner = text.sizes, text.corners, text.owner
    # A backslash at the end of a line continues it.
    data = path.read_bytes().replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    if b"\0" in data[:4096]:
        raise ValueError("it is no text, so it is no OBJ file; export or download it again")
    for number, line in enumerate(data.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        key = words[0]
        if key == b"v":
            if len(words) == 7:
                notes.add("vertex colours are left out")
            text.vertices.append(words[1:4])
        elif key == b"vt":
            text.uvs.append(words[1:3])
        elif key == b"vn":
            text.normals.append(words[1:4])
        elif key == b"f":
            have = (len(text.vertices), len(text.uvs), len(text.normals))
            try:
                found = [_corner(word, have) for word in words[1:]]
            except ValueError as error:
                raise ValueError(f"line {number} is no face: '{line.decode(errors='replace')[:60]}'") from error
            if len(found) < 3:
                notes.add("faces with fewer than three corners are left out")
                continue
            if not text.names:
                text.names["material"] = 0
            corners.extend(found)
            sizes.append(len(found))
            owner.append(current)
            if len(sizes) > limits.max_faces:
                limits.check_faces(data.count(b"\nf "))
        elif key == b"usemtl":
            name = line.decode(errors="replace").split(None, 1)[1:]
            current = text.names.setdefault(name[0].strip() if name else "material", len(text.names))
        elif key == b"mtllib":
            text.libraries.append(line.decode(errors="replace").split(None, 1)[-1].strip())
        elif key == b"o":
            text.objects += 1
        elif key in _NOT_SURFACE:
            notes.add(f"{_NOT_SURFACE[key]} in the file are left out")
    return text


def _corner(word: bytes, have: tuple[int, int, int]) -> tuple[int, int, int]:
    """b'v/vt/vn' -> indices from 0; -1 where there is none. Negative numbers count from the end of what was read."""
    pieces = word.split(b"/")
    found = [-1, -1, -1]
    for i, piece in enumerate(pieces[:3]):
        if piece:
            index = int(piece)
            found[i] = index - 1 if index > 0 else have[i] + index
            if index == 0 or found[i] < 0:
                raise ValueError(word)
    if found[0] < 0:
        raise ValueError(word)
    return found[0], found[1], found[2]


def _numbers(rows: list[list[bytes]], width: int, key: str) -> np.ndarray:
    try:
        return np.array(rows, dtype="S32").astype(np.float64).reshape(-1, width)
    except ValueError as error:
        raise ValueError(f"a line '{key}' does not hold {width} numbers; export or download it again") from error


def _texture_coordinates(
    text: _Text, face_uvs: np.ndarray, owner: np.ndarray, names: list[str], notes: Notes
) -> tuple[np.ndarray, np.ndarray]:
    without = np.asarray((face_uvs < 0).any(1))
    if without.all():
        return np.zeros((0, 2)), np.zeros((0, 3), np.int64)
    rows = [row if len(row) == 2 else [*row, b"0"] for row in text.uvs]
    uvs = _numbers(rows, 2, "vt")
    if int(face_uvs.max()) >= len(uvs):
        raise ValueError(
            f"a face uses texture coordinate {int(face_uvs.max()) + 1} of {len(uvs)}; export or download it again"
        )
    if not without.any():
        return uvs, face_uvs
    for i in np.unique(owner[without]):
        notes.add(f"part '{names[i]}' has faces without texture coordinates; others have them")
    inside = np.where(without[:, None], len(uvs), face_uvs)
    return np.concatenate([uvs, np.zeros((1, 2))]), inside


def _normals(
    text: _Text, faces: np.ndarray, face_normals: np.ndarray, notes: Notes
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """(one normal a vertex, or one a corner where vertices have several)."""
    if not text.normals or (face_normals < 0).all():
        return None, None
    table = _numbers(text.normals, 3, "vn")
    if (face_normals < 0).any() or int(face_normals.max()) >= len(table):
        notes.add("some faces have no normals or wrong ones; the surface's own are used")
        return None, None
    corners = unit(torch.from_numpy(table[face_normals].astype(np.float32)))
    if not bool(torch.isfinite(corners).all()):
        notes.add("some normals are no numbers; the surface's own are used")
        return None, None
    index = torch.from_numpy(faces.reshape(-1).copy())
    flat = corners.reshape(-1, 3)
    count = len(text.vertices)
    if int(index.max()) >= count:
        raise ValueError(f"a face uses vertex {int(index.max()) + 1} of {count}; export or download it again")
    total = torch.zeros(count, 3)
    one = total.index_put((index,), flat)
    if torch.equal(one[index], flat):
        return one, None
    return unit(total.index_add(0, index, flat)), corners


def _materials(text: _Text, path: Path, root: Path, limits: Limits, notes: Notes) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for library in text.libraries:
        try:
            file = beside(path.parent, root, library)
        except Missing:
            notes.add(f"the material file '{library}' is missing: the materials' colours and textures are unknown")
            continue
        found |= read_mtl(file, root, set(text.names), limits, notes)
    if text.libraries and found:
        for name in text.names:
            if name not in found:
                notes.add(f"material '{name}' is not in the material file; it is white")
    return found
