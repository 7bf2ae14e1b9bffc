"""glTF 2.0 scenes -> pieces of surface in world coordinates, one part a material."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .gltf_file import Gltf, open_gltf
from .material import Part
from .mesh import Mesh
from .pictures import read_picture
from .pieces import Limits, Notes, Piece, join

# Extensions that change how the surface is read, and those that only change how it is lit or drawn.
_READ = {"KHR_mesh_quantization", "KHR_texture_transform", "EXT_texture_webp"}
_LOOKS = ("KHR_materials_", "KHR_lights_", "KHR_xmp", "KHR_texture_basisu")
_POINTS = {0: "points", 1: "lines", 2: "lines", 3: "lines"}


def read_gltf(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """A GLB or glTF file -> Mesh. Node transforms are applied; the file's vertex order is kept, UVs flipped to the
    bottom left. What has no place in a mesh (cameras, lights, lines, other texture maps) is told in ``notes``.

    Raises ValueError for Draco and other required extensions, for animated and skinned files, for accessors that do
    not fit together, and as ``open_gltf``.
    """
    gltf = open_gltf(path, root)
    _refuse(gltf)
    limits.check_faces(_count(gltf))
    reader = _Reader(gltf, limits, notes)
    reader.scene()
    return join(reader.pieces, reader.parts, path.stem, notes)


def _refuse(gltf: Gltf) -> None:
    needed = [str(e) for e in gltf.tree.get("extensionsRequired", [])]
    for name in needed:
        if name in ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression"):
            kind = "Draco" if "draco" in name else "meshopt"
            raise ValueError(f"it is compressed with {kind} ({name}); export it without compression")
        if name == "KHR_texture_basisu":
            raise ValueError(f"its textures are KTX2 ({name}); export it with PNG or JPEG textures")
        if name not in _READ and not name.startswith(_LOOKS):
            raise ValueError(f"it requires the extension {name}, which is not known here; export it without")
    for kind, word in (("animations", "animated"), ("skins", "skinned")):
        if gltf.items(kind):
            raise ValueError(
                f"it is {word} ({len(gltf.items(kind))} {kind}), and only its rest pose could be textured; export it "
                "static: apply the pose and leave animation and skinning out"
            )


def _count(gltf: Gltf) -> int:
    """Triangles of the file's primitives, each counted once, before any is read."""
    total = 0
    for mesh in gltf.items("meshes"):
        for primitive in mesh.get("primitives", []):
            if primitive.get("mode", 4) in _POINTS:
                continue
            index = primitive.get("indices", primitive.get("attributes", {}).get("POSITION"))
            total += gltf.item("accessors", index).get("count", 0) // (3 if primitive.get("mode", 4) == 4 else 1)
    return total


@dataclass
class _Reader:
    gltf: Gltf
    limits: Limits
    notes: Notes
    pieces: list[Piece] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    numbers: dict[Any, int] = field(default_factory=dict)
    faces: int = 0

    def scene(self) -> None:
        scenes = self.gltf.items("scenes")
        if scenes:
            roots = self.gltf.item("scenes", self.gltf.tree.get("scene", 0)).get("nodes", [])
            if len(scenes) > 1:
                self.notes.add(f"the file has {len(scenes)} scenes; the default one is used")
        else:
            children = {c for node in self.gltf.items("nodes") for c in node.get("children", [])}
            roots = [i for i in range(len(self.gltf.items("nodes"))) if i not in children]
        waiting = [(index, np.eye(4), 0) for index in reversed(roots)]
        while waiting:
            index, above, depth = waiting.pop()
            if depth > len(self.gltf.items("nodes")):
                raise ValueError("its nodes form a circle; export it again")
            node = self.gltf.item("nodes", index)
            world = above @ _transform(node)
            for kind in ("camera", "light"):
                if kind in node or kind in node.get("extensions", {}).get("KHR_lights_punctual", {}):
                    self.notes.add(f"{kind}s in the file are left out")
            if "mesh" in node:
                self._mesh(self.gltf.item("meshes", node["mesh"]), world)
            waiting += [(child, world, depth + 1) for child in reversed(node.get("children", []))]

    def _mesh(self, mesh: dict[str, Any], world: np.ndarray) -> None:
        shared: dict[Any, tuple[np.ndarray, np.ndarray | None]] = {}
        shared_uvs: dict[Any, np.ndarray | None] = {}
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
            if "COLOR_0" in attributes:
                self.notes.add("vertex colours are left out")
            key = (attributes["POSITION"], attributes.get("NORMAL"))
            if key not in shared:
                shared[key] = self._vertices(attributes, world)
            vertices, normals = shared[key]
            faces = self._faces(primitive, len(vertices))
            self.faces += len(faces)
            self.limits.check_faces(self.faces)
            if np.linalg.det(world[:3, :3]) < 0:
                faces = faces[:, ::-1]
            number, texture = self._part(primitive.get("material"))
            placed = (str(texture), str(sorted(attributes.items())))
            if placed not in shared_uvs:
                shared_uvs[placed] = self._uvs(attributes, texture, len(vertices))
            self.pieces.append(Piece(vertices, faces, number, shared_uvs[placed], normals=normals))

    def _vertices(self, attributes: dict[str, Any], world: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        self.limits.check_vertices(self.gltf.item("accessors", attributes["POSITION"]).get("count", 0))
        vertices = _of_width(self.gltf.accessor(attributes["POSITION"]), 3, "positions").astype(np.float64)
        normals = None
        if "NORMAL" in attributes:
            normals = _of_width(self.gltf.accessor(attributes["NORMAL"]), 3, "normals").astype(np.float64)
            if len(normals) != len(vertices):
                raise ValueError(f"it has {len(normals)} normals for {len(vertices)} vertices; export it again")
        if not np.array_equal(world, np.eye(4)):
            vertices = vertices @ world[:3, :3].T + world[:3, 3]
            if normals is not None:
                # Cofactors: the inverse transpose, up to a scale, for singular transforms too.
                turned = normals @ _cofactors(world[:3, :3]).T
                normals = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-30)
        return vertices, normals

    def _faces(self, primitive: dict[str, Any], count: int) -> np.ndarray:
        if "indices" in primitive:
            order = _of_width(self.gltf.accessor(primitive["indices"]), 1, "indices")[:, 0].astype(np.int64)
        else:
            order = np.arange(count)
        if order.size and int(order.max()) >= count:
            raise ValueError(f"a face uses vertex {int(order.max())} of {count}; export or download it again")
        mode = primitive.get("mode", 4)
        if mode == 4:
            return order[: len(order) // 3 * 3].reshape(-1, 3)
        if len(order) < 3:
            return np.zeros((0, 3), np.int64)
        if mode == 6:
            return np.stack([np.full(len(order) - 2, order[0]), order[1:-1], order[2:]], 1)
        strip = np.stack([order[:-2], order[1:-1], order[2:]], 1)
        strip[1::2] = strip[1::2][:, [1, 0, 2]]
        # Strips turn corners with triangles that name a vertex twice.
        return strip[(strip[:, 0] != strip[:, 1]) & (strip[:, 1] != strip[:, 2]) & (strip[:, 0] != strip[:, 2])]

    def _uvs(self, attributes: dict[str, Any], texture: dict[str, Any], count: int) -> np.ndarray | None:
        placed = texture.get("extensions", {}).get("KHR_texture_transform", {})
        number = placed.get("texCoord", texture.get("texCoord", 0))
        if f"TEXCOORD_{number}" not in attributes:
            return None
        more = [a for a in attributes if a.startswith("TEXCOORD_") and a != f"TEXCOORD_{number}"]
        if more:
            self.notes.add(f"of several sets of texture coordinates, number {number} is used: the base colour's")
        uvs = _of_width(self.gltf.accessor(attributes[f"TEXCOORD_{number}"]), 2, "texture coordinates")
        if len(uvs) != count:
            raise ValueError(f"it has {len(uvs)} texture coordinates for {count} vertices; export it again")
        uvs = uvs.astype(np.float64)
        if placed:
            angle, (dx, dy), (sx, sy) = (
                placed.get("rotation", 0.0),
                placed.get("offset", (0, 0)),
                placed.get("scale", (1, 1)),
            )
            c, s = np.cos(angle), np.sin(angle)
            uvs = (uvs * (sx, sy)) @ np.array([[c, -s], [s, c]]) + (dx, dy)
        return np.stack([uvs[:, 0], 1 - uvs[:, 1]], 1)

    def _part(self, material: int | None) -> tuple[int, dict[str, Any]]:
        """(number of the part, what the material says about its base colour texture)."""
        entry = {} if material is None else self.gltf.item("materials", material)
        base = entry.get("pbrMetallicRoughness", {})
        texture, factor = base.get("baseColorTexture"), base.get("baseColorFactor", [1, 1, 1, 1])
        older = entry.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
        if texture is None and older:
            texture, factor = older.get("diffuseTexture"), older.get("diffuseFactor", [1, 1, 1, 1])
        if material not in self.numbers:
            others = [k for k in ("normalTexture", "occlusionTexture", "emissiveTexture") if k in entry]
            others += ["metallicRoughnessTexture"] if "metallicRoughnessTexture" in base else []
            for other in others:
                self.notes.add(f"the {other[:-7]} map of a material is left out: only the base colour is kept")
            picture = self._texture(texture) if texture is not None and self.limits.textures == "load" else None
            # Factors are linear light in glTF, a part's colour is encoded.
            r, g, b = (to_srgb(float(v)) for v in factor[:3])
            name = str(entry.get("name") or f"material {len(self.parts)}")
            self.numbers[material] = len(self.parts)
            self.parts.append(Part(name, picture, (r, g, b, float(factor[3]))))
        return self.numbers[material], texture or {}

    def _texture(self, texture: dict[str, Any]) -> Any:
        entry = self.gltf.item("textures", texture.get("index"))
        source = entry.get("source", entry.get("extensions", {}).get("EXT_texture_webp", {}).get("source"))
        if source is None:
            self.notes.add("a texture in a format that is not read (KTX2) is left out")
            return None
        image = self.gltf.item("images", source)
        data = self.gltf.uri(image["uri"]) if "uri" in image else self.gltf.view(image.get("bufferView"))[0]
        named = image.get("name") or (image["uri"] if not image.get("uri", "data:").startswith("data:") else source)
        return read_picture(data, f"texture '{named}'")


def to_srgb(value: float) -> float:
    """Linear light -> encoded, both in [0, 1] (IEC 61966-2-1)."""
    return round(12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055, 9)


def _of_width(values: np.ndarray, width: int, what: str) -> np.ndarray:
    if values.shape[1] != width:
        raise ValueError(f"its {what} have {values.shape[1]} numbers each, not {width}; export it again")
    return values


def _cofactors(matrix: np.ndarray) -> np.ndarray:
    rows = [np.cross(matrix[1], matrix[2]), np.cross(matrix[2], matrix[0]), np.cross(matrix[0], matrix[1])]
    return np.stack(rows)


def _transform(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    world = np.eye(4)
    world[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)))
    world[:3, 3] = node.get("translation", (0, 0, 0))
    return world
