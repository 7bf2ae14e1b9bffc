"""glTF 2.0 scenes -> pieces of surface in world coordinates, one part a material."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....arrays import Array, shaped, tensor_of, turned
from ...light import encoded
from ...mesh import Mesh
from ..pieces import Limits, Notes, Piece, join
from .file import Gltf, compressed, open_gltf, short
from .material import Materials, Place
from .nodes import cofactors, placed_meshes

# Extensions that change how the surface is read, and those that only change how it is lit or drawn.
_READ = {"KHR_mesh_quantization", "KHR_texture_transform", "EXT_texture_webp"}
_LOOKS = ("KHR_materials_", "KHR_lights_", "KHR_xmp", "KHR_texture_basisu")
_DRACO = "KHR_draco_mesh_compression"
_POINTS = {0: "points", 1: "lines", 2: "lines", 3: "lines"}


def read_gltf(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """A GLB or glTF file -> Mesh. Node transforms are applied; the file's vertex order is kept, UVs flipped to the
    bottom left. What has no place in a mesh (cameras, lights, lines, animation, skins) is told in ``notes``; animated
    files are read in their rest pose, skinned ones in their bind pose.

    Raises ValueError for Draco and other required extensions, for accessors that do not fit together, and as
    ``open_gltf``.
    """
    gltf = open_gltf(path, root)
    _refuse(gltf)
    _tell(gltf, notes)
    limits.check_faces(_count(gltf))
    reader = _Reader(gltf, limits, notes, Materials(gltf, limits, notes))
    for mesh, world in placed_meshes(gltf, notes):
        reader.mesh(mesh, world)
    return join(reader.pieces, reader.materials.finished(), path.stem, notes)


def _refuse(gltf: Gltf) -> None:
    needed = [str(e) for e in gltf.tree.get("extensionsRequired", [])]
    for name in needed:
        if name in (_DRACO, "EXT_meshopt_compression", "KHR_meshopt_compression"):
            raise compressed("Draco" if name == _DRACO else "meshopt", name)
        if name == "KHR_texture_basisu":
            raise ValueError(f"its textures are KTX2 ({name}); export it with PNG or JPEG textures")
        if name not in _READ and not name.startswith(_LOOKS):
            raise ValueError(f"it requires the extension {short(name)}, which is not known here; export it without")


def _tell(gltf: Gltf, notes: Notes) -> None:
    if gltf.items("animations"):
        notes.add("it is animated: its rest pose is used, and the animation is not saved")
    if gltf.items("skins"):
        notes.add("it is skinned: the pose in which its skin is bound is used, and bones and weights are not saved")
    if "EXT_mesh_gpu_instancing" in gltf.tree.get("extensionsUsed", []):
        notes.add("copies of a mesh (EXT_mesh_gpu_instancing) are left out: it is there once")


def _count(gltf: Gltf) -> int:
    """Triangles of the file's primitives, each counted once, before any is read."""
    total = 0
    for mesh in gltf.items("meshes"):
        for primitive in mesh.get("primitives", []):
            mode, attributes = primitive.get("mode", 4), primitive.get("attributes", {})
            if mode not in _POINTS and "POSITION" in attributes:
                count = gltf.count(primitive.get("indices", attributes["POSITION"]))
                total += count // (3 if mode == 4 else 1)
    return total


@dataclass
class _Reader:
    gltf: Gltf
    limits: Limits
    notes: Notes
    materials: Materials
    pieces: list[Piece] = field(default_factory=list[Piece])
    faces: int = 0
    vertices: int = 0
    coordinates: int = 0

    def mesh(self, mesh: dict[str, Any], world: Array) -> None:
        """Add the surface of a mesh that stands at ``world``."""
        shared: dict[Any, tuple[Array, Array | None, Array | None]] = {}
        shared_uvs: dict[Any, Array | None] = {}
        for primitive in mesh.get("primitives", []):
            mode, attributes = primitive.get("mode", 4), primitive.get("attributes", {})
            if mode in _POINTS:
                self.notes.add(f"{_POINTS[mode]} in the file are left out: they have no surface")
                continue
            if "POSITION" not in attributes:
                self.notes.add("a piece without positions is left out")
                continue
            if primitive.get("targets"):
                self.notes.add("shape keys (morph targets) are left out: the basic shape is used")
            places = self.gltf.item("accessors", attributes["POSITION"])
            if _DRACO in primitive.get("extensions", {}) and not {"bufferView", "sparse"} & set(places):
                raise compressed("Draco", _DRACO)
            key = tuple(attributes.get(name) for name in ("POSITION", "NORMAL", "COLOR_0"))
            if key not in shared:
                shared[key] = self._vertices(attributes, world)
            vertices, normals, colours = shared[key]
            faces = self._faces(primitive, len(vertices))
            self.faces += len(faces)
            self.limits.check_faces(self.faces)
            if not len(faces):
                continue
            if np.linalg.det(world[:3, :3]) < 0:
                faces = faces[:, ::-1]
            number, place = self.materials.part(primitive.get("material"))
            placed = (place, attributes.get(f"TEXCOORD_{place.number}"))
            if placed not in shared_uvs:
                shared_uvs[placed] = self._uvs(attributes, place, len(vertices))
            self.pieces.append(Piece(vertices, faces, number, shared_uvs[placed], normals=normals, colours=colours))

    def _vertices(self, attributes: dict[str, Any], world: Array) -> tuple[Array, Array | None, Array | None]:
        """(places, normals, colours) of an accessor's vertices."""
        # (of every time that they are used: a small file may name a large mesh very often)
        self.vertices += self.gltf.count(attributes["POSITION"])
        self.limits.check_vertices(self.vertices)
        vertices = _of_width(self.gltf.accessor(attributes["POSITION"]), 3, "positions").astype(np.float64, copy=False)
        normals = None
        if "NORMAL" in attributes:
            normals = _of_width(self.gltf.accessor(attributes["NORMAL"]), 3, "normals").astype(np.float64, copy=False)
            if len(normals) != len(vertices):
                raise ValueError(f"it has {len(normals)} normals for {len(vertices)} vertices; export it again")
        if not np.array_equal(world, np.eye(4)):
            vertices = vertices @ turned(world[:3, :3]) + world[:3, 3]
            if normals is not None:
                placed = normals @ turned(cofactors(world[:3, :3]))
                normals = placed / np.maximum(np.linalg.norm(placed, axis=1, keepdims=True), 1e-30)
        return vertices, normals, self._colours(attributes, len(vertices))

    def _colours(self, attributes: dict[str, Any], count: int) -> Array | None:
        """float32 [V, 3 or 4], encoded: linear light in the file."""
        if "COLOR_0" not in attributes:
            return None
        values = self.gltf.accessor(attributes["COLOR_0"])
        if len(values) != count or values.shape[1] not in (3, 4):
            raise ValueError(
                f"it has {len(values)} vertex colours of {values.shape[1]} numbers for {count} vertices; export it "
                "again"
            )
        if values.dtype.kind in "iu":  # (some writers forget to say that they are normalised)
            values = values / np.iinfo(values.dtype).max
        light = tensor_of(np.nan_to_num(values, nan=1.0).clip(0, 1))
        light[:, :3] = encoded(light[:, :3])
        return light.float().numpy()

    def _faces(self, primitive: dict[str, Any], count: int) -> Array:
        if "indices" in primitive:
            order = _of_width(self.gltf.accessor(primitive["indices"]), 1, "indices")[:, 0].astype(np.int64)
        else:
            order = np.arange(count)
        if order.size and int(order.max()) >= count:
            raise ValueError(f"a face uses vertex {int(order.max())} of {count}; export or download it again")
        mode = primitive.get("mode", 4)
        if mode == 4:
            return shaped(order[: len(order) // 3 * 3], -1, 3)
        if len(order) < 3:
            return np.zeros((0, 3), np.int64)
        if mode == 6:
            return np.stack([np.full(len(order) - 2, order[0]), order[1:-1], order[2:]], 1)
        strip = np.stack([order[:-2], order[1:-1], order[2:]], 1)
        strip[1::2] = strip[1::2][:, [1, 0, 2]]
        # Strips turn corners with triangles that name a vertex twice.
        return strip[(strip[:, 0] != strip[:, 1]) & (strip[:, 1] != strip[:, 2]) & (strip[:, 0] != strip[:, 2])]

    def _uvs(self, attributes: dict[str, Any], place: Place, count: int) -> Array | None:
        name = f"TEXCOORD_{place.number}"
        if name not in attributes:
            return None
        if any(a.startswith("TEXCOORD_") and a != name for a in attributes):
            self.notes.add(f"of several sets of texture coordinates, number {place.number} is used: the base colour's")
        self.coordinates += self.gltf.count(attributes[name])
        self.limits.check_vertices(self.coordinates)
        uvs = _of_width(self.gltf.accessor(attributes[name]), 2, "texture coordinates")
        if len(uvs) != count:
            raise ValueError(f"it has {len(uvs)} texture coordinates for {count} vertices; export it again")
        uvs = uvs.astype(np.float64, copy=False)
        if place != Place(place.number):
            c, s = np.cos(place.rotation), np.sin(place.rotation)
            uvs = (uvs * place.scale) @ np.array([[c, -s], [s, c]]) + place.offset
        return np.stack([uvs[:, 0], 1 - uvs[:, 1]], 1)


def _of_width(values: Array, width: int, what: str) -> Array:
    if values.shape[1] != width:
        raise ValueError(f"its {what} have {values.shape[1]} numbers each, not {width}; export it again")
    return values
