"""What every mesh format is read into before it becomes a ``Mesh``: pieces of surface, joined here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ...arrays import Array, norm, shaped, tensor_of, triple
from ...cameras.viewpoints import Vector
from ..material import Part
from ..mesh import Mesh
from .gltf.file import short
from .pictures import Pictures

MAX_FACES = 2_000_000
# Share of an object's size by which float32 may move its vertices.
_ROUNDING = 1e-5
_LARGEST = 1e30


@dataclass(frozen=True)
class Limits:
    """What a file may hold, and what is done about textures: ``load`` them or ``ignore`` them. pictures: those read so
    far; readers get textures from it, so that materials share them."""

    max_faces: int = MAX_FACES
    textures: str = "load"
    pictures: Pictures = field(default_factory=Pictures)

    def check_faces(self, count: int) -> None:
        """Raise ValueError above ``max_faces``."""
        if count > self.max_faces:
            raise ValueError(
                f"{count} faces are more than {self.max_faces}; reduce them first (Blender: Decimate modifier) or "
                "export a lower level of detail"
            )

    def check_vertices(self, count: int) -> None:
        """Raise ValueError when there are more vertices than so many faces could use."""
        if count > 3 * self.max_faces:
            raise ValueError(f"{count} vertices are more than {self.max_faces} faces can use; remove loose points")


@dataclass
class Piece:
    """Triangles of one material. vertices float [V, 3]; faces int [F, 3]; uvs [T, 2] with face_uvs [F, 3] or None;
    normals [V, 3] or None. part: index of its material. colours [V, 3 or 4] or None: of the vertices, sRGB."""

    vertices: Array
    faces: Array
    part: int
    uvs: Array | None = None
    face_uvs: Array | None = None
    normals: Array | None = None
    colours: Array | None = None


@dataclass
class Notes:
    """What the file holds and a mesh does not: one sentence each, every one once."""

    lines: list[str] = field(default_factory=list[str])

    def add(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)


def join(pieces: Sequence[Piece], parts: Sequence[Part], name: str, notes: Notes) -> Mesh:
    """Pieces one after another, vertex order kept. Pieces that are the same array of vertices share them.

    Faces of pieces without texture coordinates, where others have them, all point at one coordinate (0, 0): they have
    no area in the texture. Coordinates that float32 cannot hold are taken relative to an ``origin`` (``far_origin``).
    Raises ValueError as ``Mesh``.
    """
    if not pieces:
        raise ValueError("it holds no triangles; use a file with a surface, not points or lines")
    some_uvs = any(piece.uvs is not None for piece in pieces)
    vertices: list[Array] = []
    normals: list[Array] = []
    colours: list[Array | None] = []
    uvs: list[Array] = []
    faces: list[Array] = []
    face_uvs: list[Array] = []
    owner: list[Array] = []
    seen: dict[int, int] = {}
    seen_uvs: dict[int, int] = {}
    count = count_uvs = 0
    for piece in pieces:
        if id(piece.vertices) not in seen:
            seen[id(piece.vertices)] = count
            vertices.append(piece.vertices)
            colours.append(piece.colours)
            if piece.normals is not None:
                normals.append(piece.normals)
            count += len(piece.vertices)
        faces.append(piece.faces + seen[id(piece.vertices)])
        owner.append(np.full(len(piece.faces), piece.part))
        if not some_uvs:
            continue
        own = piece.uvs if piece.uvs is not None else np.zeros((1, 2))
        if piece.uvs is None:
            notes.add(f"part '{parts[piece.part].name}' has faces without texture coordinates; others have them")
        if id(own) not in seen_uvs:
            seen_uvs[id(own)] = count_uvs
            uvs.append(own)
            count_uvs += len(own)
        inside = piece.face_uvs if piece.face_uvs is not None else piece.faces
        inside = inside if piece.uvs is not None else np.zeros_like(piece.faces)
        face_uvs.append(inside + seen_uvs[id(own)])
    all_normals = np.concatenate(normals) if normals else None
    if all_normals is not None and len(all_normals) != count:
        notes.add("some parts have normals and others have none; the surface's own are used")
        all_normals = None
    if all_normals is not None and not np.isfinite(all_normals).all():
        notes.add("some normals are no numbers; the surface's own are used")
        all_normals = None
    used, numbers = np.unique(np.concatenate(owner), return_inverse=True)
    places, index = np.concatenate(vertices), np.concatenate(faces).astype(np.int64)
    origin = far_origin(places, index)
    if origin != (0.0, 0.0, 0.0):
        places = places - np.array(origin)
        x, y, z = origin
        notes.add(
            f"the coordinates are too far from 0 for the precision of pictures of them: {x:.15g}, {y:.15g}, {z:.15g} "
            "is taken from them, and added again when the mesh is saved"
        )
    return Mesh(
        vertices=tensor_of(places.astype(np.float32)),
        faces=tensor_of(index),
        uvs=tensor_of(np.concatenate(uvs).astype(np.float32)) if some_uvs else torch.zeros(0, 2),
        face_uvs=tensor_of(np.concatenate(face_uvs).astype(np.int64))
        if some_uvs
        else torch.zeros(0, 3, dtype=torch.int64),
        part_of_face=tensor_of(shaped(numbers, -1).astype(np.int64)),
        parts=tuple(parts[int(i)] for i in used),
        normals=None if all_normals is None else unit(tensor_of(all_normals.astype(np.float32))),
        name=name,
        colours=_colours(vertices, colours),
        origin=origin,
    )


def far_origin(vertices: Array, faces: Array) -> Vector:
    """What to take from float64 vertices [V, 3] before they become float32: the middle of what faces [F, 3] use, where
    rounding would move a vertex by more than ``_ROUNDING`` of the object's size; else 0. It is a multiple of a power of
    two, so that taking it away rounds nothing."""
    corners = shaped(faces, -1)
    inside = (corners >= 0) & (corners < len(vertices))
    used = vertices[np.unique(corners[inside])].astype(np.float64)
    if not len(used) or not np.isfinite(used).all() or np.abs(used).max() > _LARGEST:
        return (0.0, 0.0, 0.0)
    low, high = used.min(0), used.max(0)
    radius = float(np.linalg.norm(high - low)) / 2
    if radius <= 0 or float(np.abs(used.astype(np.float32) - used).max()) <= _ROUNDING * radius:
        return (0.0, 0.0, 0.0)
    grid = 2.0 ** np.floor(np.log2(radius))
    return triple(tensor_of(np.rint((low + high) / 2 / grid) * grid))


def _colours(vertices: Sequence[Array], colours: Sequence[Array | None]) -> torch.Tensor | None:
    """One row a vertex: vertices of pieces without colours are white, so that nothing multiplies them. None where all
    are white."""
    known = [c for c in colours if c is not None and not (c == 1).all()]
    if not known:
        return None
    width = max(c.shape[1] for c in known)
    rows: list[Array] = []
    for points, own in zip(vertices, colours, strict=True):
        row = np.ones((len(points), width), np.float32)
        if own is not None:
            row[:, : own.shape[1]] = own
        rows.append(row)
    return tensor_of(np.concatenate(rows)).clamp(0, 1)


def parted(mesh: Mesh, owner: Array, parts: Sequence[Part]) -> Mesh:
    """The mesh with the part ``owner`` [F] of each face; parts without faces are left out."""
    used, numbers = np.unique(owner, return_inverse=True)
    return replace(
        mesh,
        part_of_face=tensor_of(shaped(numbers, -1).astype(np.int64)),
        parts=tuple(parts[int(i)] for i in used),
    )


def listed(names: Sequence[str]) -> str:
    """Names in quotes, the first few of many."""
    shown = ", ".join(f"'{short(name)}'" for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def unit(normals: torch.Tensor) -> torch.Tensor:
    """Vectors [..., 3] at length 1; those of length 0 stay."""
    length = norm(normals, -1, keepdim=True)
    # A file's own unit vectors come back bit for bit.
    return torch.where((length - 1).abs() < 1e-5, normals, normals / length.clamp_min(1e-30))
