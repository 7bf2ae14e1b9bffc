"""A mesh as the pack sees it: the file's own vertices and faces, its texture coordinates, its parts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..arrays import cross, distinct, norm, triple
from ..cameras.viewpoints import Vector
from .material import Part


@dataclass(frozen=True)
class Mesh:
    """Triangles with texture coordinates.

    vertices: float32 [V, 3], the file's coordinates and order. faces: int64 [F, 3] into them, counter-clockwise seen
    from outside. uvs: float32 [T, 2], origin at the bottom left of each part's texture; face_uvs: int64 [F, 3] into
    them, so that a seam splits texture coordinates and not vertices. Both empty ([0, 2], [0, 3]) when the mesh has
    none. normals: float32 [V, 3], unit, or None. part_of_face: int64 [F] into ``parts``. corner_normals: float32
    [F, 3, 3] where the file gives a vertex several normals (hard edges), else None. colours: float32 [V, 3 or 4] of the
    vertices, which multiply the parts' colours, encoded as pictures are (sRGB), or None. origin: what was taken from
    the file's coordinates because float32 cannot hold them (georeferenced files); saving adds it again.

    Raises ValueError when the pieces do not fit together.
    """

    vertices: Tensor
    faces: Tensor
    uvs: Tensor
    face_uvs: Tensor
    part_of_face: Tensor
    parts: tuple[Part, ...] = (Part("material"),)
    normals: Tensor | None = None
    name: str = "mesh"
    corner_normals: Tensor | None = None
    colours: Tensor | None = None
    origin: Vector = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.faces.shape[0] == 0 or self.vertices.shape[0] == 0:
            raise ValueError(f"mesh '{self.name}' has no faces; use a file with a surface, not a point cloud")
        if not bool(torch.isfinite(self.vertices).all()):
            raise ValueError(f"mesh '{self.name}' has vertices that are no numbers (NaN or infinite); repair the file")
        for what, index, count in (("face", self.faces, len(self.vertices)), ("uv", self.face_uvs, len(self.uvs))):
            if index.numel() and (int(index.min()) < 0 or int(index.max()) >= count):
                raise ValueError(f"mesh '{self.name}': a {what} index lies outside 0 to {count - 1}; repair the file")
        if self.has_uvs and self.face_uvs.shape[0] != self.faces.shape[0]:
            raise ValueError(
                f"mesh '{self.name}' has texture coordinates for {self.face_uvs.shape[0]} of "
                f"{self.faces.shape[0]} faces"
            )
        if self.normals is not None and self.normals.shape != self.vertices.shape:
            raise ValueError(f"mesh '{self.name}' has {len(self.normals)} normals for {len(self.vertices)} vertices")
        if self.corner_normals is not None and self.corner_normals.shape != (*self.faces.shape, 3):
            raise ValueError(
                f"mesh '{self.name}' has normals for {len(self.corner_normals)} of {len(self.faces)} faces"
            )
        if self.colours is not None and len(self.colours) != len(self.vertices):
            raise ValueError(f"mesh '{self.name}' has {len(self.colours)} colours for {len(self.vertices)} vertices")
        if self.part_of_face.shape != self.faces.shape[:1] or int(self.part_of_face.max()) >= len(self.parts):
            raise ValueError(f"mesh '{self.name}': faces and parts do not fit together")

    @property
    def has_uvs(self) -> bool:
        return self.face_uvs.numel() > 0

    @cached_property
    def centre(self) -> Vector:
        """Middle of the bounding box."""
        return triple((self.used.amin(0) + self.used.amax(0)) / 2)

    @cached_property
    def radius(self) -> float:
        """Largest distance of a vertex from ``centre``. Raises ValueError when all vertices coincide."""
        radius = float(norm(self.used - torch.tensor(self.centre), 1).max())
        if radius <= 0:
            raise ValueError(f"mesh '{self.name}' is a single point; use a file with a surface")
        return radius

    @cached_property
    def used(self) -> Tensor:
        """Vertices that some face with an area uses: stray ones must not decide how large the object is, or how near
        it is seen. Without any area, all that faces use."""
        solid = self.face_normals.any(1)
        return self.vertices[distinct(self.faces[solid] if bool(solid.any()) else self.faces)]

    @cached_property
    def face_normals(self) -> Tensor:
        """float32 [F, 3]: unit geometric normals; 0 for faces without area."""
        a, b, c = (self.vertices.double()[self.faces[:, i]] for i in range(3))
        normal = cross(b - a, c - a)
        return (normal / norm(normal, 1, keepdim=True).clamp_min(1e-300)).float()

    @cached_property
    def fingerprint(self) -> str:
        """Of everything geometry depends on; what is built from a mesh is kept under it."""
        digest = hashlib.sha256()
        for tensor in (self.vertices, self.faces, self.uvs, self.face_uvs, self.part_of_face):
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()
