"""The socket MESH: the host's own type where it has one, read by its attributes.

vertices [B, V, 3], faces [B, F, 3], and on newer hosts uvs [B, V, 2] (v downwards, as in glTF), normals [B, V, 3],
vertex_counts and face_counts [B] or None where nothing is padded, and a look (``mesh_attributes``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ...renderers.mesh.files.pieces import Limits, unit
from ...renderers.mesh.mesh import Mesh
from ...renderers.mesh.one_look import one_look
from ...renderers.mesh.uvs.split import Split, split_seams
from .beside import keep_beside, kept_beside
from .mesh_attributes import ATTRIBUTES, attributes_of, colours_of, part_of
from .types3d import HAS_MESH, new_mesh


@dataclass(frozen=True, eq=False, repr=False)
class MeshSocket:
    """One mesh as a batch of one, for hosts without a type of their own: made from ``scene`` when their nodes ask.
    Nodes of this pack read ``scene`` itself, with its parts and without vertices split at seams."""

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


def to_socket(mesh: Mesh) -> Any:
    """A mesh as the host's nodes and this pack's pass it on: what ``from_socket`` reads as the very same mesh, until a
    node changes it or its copy."""
    if not HAS_MESH:
        return MeshSocket(mesh)
    return keep_beside(new_mesh(**attributes_of(one_look(mesh))), mesh, ATTRIBUTES)


def from_socket(value: Any) -> Mesh:
    """The mesh of a MESH socket.

    Raises ValueError for an object without vertices and faces, for more than one mesh, for texture coordinates,
    normals or colours of another number than vertices, for too many faces, and as ``Mesh``.
    """
    mesh = value.scene if isinstance(value, MeshSocket) else kept_beside(value)
    return mesh if isinstance(mesh, Mesh) else _read(value)


def _read(value: Any) -> Mesh:
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
    uvs, normals, colours = (_of_vertices(value, a, points, count) for a in ("uvs", "normals", "vertex_colors"))
    return Mesh(
        vertices=points,
        faces=index,
        uvs=torch.zeros(0, 2) if uvs is None else torch.stack([uvs[:, 0], 1 - uvs[:, 1]], 1),
        face_uvs=torch.zeros(0, 3, dtype=torch.int64) if uvs is None else index,
        part_of_face=torch.zeros(len(index), dtype=torch.int64),
        parts=(part_of(value),),
        normals=None if normals is None else unit(normals),
        colours=None if colours is None else colours_of(colours),
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
