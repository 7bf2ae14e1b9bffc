"""The socket MESH: hosts have such objects; they are read, and ours are made, by their attributes.

vertices [B, V, 3], faces [B, F, 3], and on newer hosts uvs [B, V, 2] (v downwards, as in glTF), normals [B, V, 3],
texture [B, H, W, 3], vertex_counts and face_counts [B] or None where nothing is padded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..renderers.mesh.material import Part
from ..renderers.mesh.mesh import Mesh
from ..renderers.mesh.pieces import Limits, unit
from ..renderers.mesh.split import Split, split_seams


@dataclass(frozen=True, eq=False, repr=False)
class MeshSocket:
    """One mesh as a batch of one: what the host's nodes ask for, made from ``scene`` when they do. Nodes of this pack
    read ``scene`` itself, with its parts and without vertices split at seams."""

    scene: Mesh

    vertex_counts = None
    face_counts = None
    vertex_colors = None

    @cached_property
    def _split(self) -> Split:
        return split_seams(self.scene)

    @property
    def vertices(self) -> Tensor:
        return self._split.vertices[None]

    @property
    def faces(self) -> Tensor:
        return self._split.faces[None]

    @property
    def uvs(self) -> Tensor | None:
        found = self._split.uvs
        return None if found is None else torch.stack([found[:, 0], 1 - found[:, 1]], 1)[None]

    @property
    def normals(self) -> Tensor | None:
        found = self._split.normals
        return None if found is None else found[None]

    @property
    def texture(self) -> Tensor | None:
        """Of a mesh with one texture; the host's meshes have no more."""
        pictures = {id(p.texture): p.texture for p in self.scene.parts}
        only = next(iter(pictures.values())) if len(pictures) == 1 else None
        return None if only is None else only[None, ..., :3]

    def _comfy_cache_tensors(self) -> tuple[Tensor, ...]:
        """What newer hosts count when memory is short."""
        mesh = self.scene
        return (mesh.vertices, mesh.faces, mesh.uvs, *(p.texture for p in mesh.parts if p.texture is not None))

    def __repr__(self) -> str:
        return f"MeshSocket({self.scene.name}, {len(self.scene.faces)} faces)"


def to_socket(mesh: Mesh) -> MeshSocket:
    """A mesh as the host's nodes and this pack's pass it on."""
    return MeshSocket(mesh)


def from_socket(value: Any) -> Mesh:
    """The mesh of a MESH socket.

    Raises ValueError for an object without vertices and faces, for more than one mesh, for texture coordinates or
    normals of another number than vertices, for too many faces, and as ``Mesh``.
    """
    if isinstance(value, MeshSocket):
        return value.scene
    vertices, faces = _tensor(value, "vertices"), _tensor(value, "faces")
    if vertices is None or faces is None:
        missing = "vertices" if vertices is None else "faces"
        raise ValueError(f"what is connected as a mesh has no {missing}; connect SyncTweediesLoadMesh or a MESH output")
    if vertices.ndim != 3 or faces.ndim != 3 or faces.shape[0] != 1:
        batch = faces.shape[0] if faces.ndim == 3 else "an unknown number of"
        raise ValueError(f"{batch} meshes in one batch; connect one mesh")
    count, sides = (_count(value, name) for name in ("vertex_counts", "face_counts"))
    points, index = vertices[0, :count].float().cpu(), faces[0, :sides].long().cpu()
    Limits().check_faces(len(index))
    if index.shape[-1] != 3:
        raise ValueError(f"faces of {index.shape[-1]} corners; connect a mesh of triangles")
    uvs, normals = _of_vertices(value, "uvs", points, count), _of_vertices(value, "normals", points, count)
    picture = _tensor(value, "texture")
    texture = None if picture is None else picture.reshape(-1, *picture.shape[-3:])[0].float().cpu()
    return Mesh(
        vertices=points,
        faces=index,
        uvs=torch.zeros(0, 2) if uvs is None else torch.stack([uvs[:, 0], 1 - uvs[:, 1]], 1),
        face_uvs=torch.zeros(0, 3, dtype=torch.int64) if uvs is None else index,
        part_of_face=torch.zeros(len(index), dtype=torch.int64),
        parts=(Part("material", texture),),
        normals=None if normals is None else unit(normals),
    )


def _tensor(value: Any, name: str) -> Tensor | None:
    found = getattr(value, name, None)
    return found if isinstance(found, Tensor) else None


def _count(value: Any, name: str) -> int | None:
    """How many rows of a padded mesh are its own."""
    found = _tensor(value, name)
    return None if found is None else int(found.reshape(-1)[0])


def _of_vertices(value: Any, name: str, vertices: Tensor, count: int | None) -> Tensor | None:
    found = _tensor(value, name)
    if found is None:
        return None
    rows = found[0, :count].float().cpu()
    if len(rows) != len(vertices):
        raise ValueError(f"the mesh has {len(rows)} {name} for {len(vertices)} vertices; connect another, or unwrap it")
    return rows
