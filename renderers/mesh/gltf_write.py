"""Meshes as GLB files: glTF 2.0, PBR base colour (Khronos, "glTF 2.0 Specification", 4.4 and 3.9)."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from .mesh import Mesh
from .pictures import png
from .split import split_seams

_FLOAT, _SHORT, _INT = 5126, 5123, 5125
_CLAMP, _REPEAT = 33071, 10497


def glb(mesh: Mesh, textures: Sequence[Tensor | None], extras: Mapping[str, Any] | None = None) -> bytes:
    """A mesh and one texture a part (float [H, W, 3 or 4] in [0, 1], or None) -> a GLB file. extras: values of JSON
    that go along in ``asset.extras``, where readers do not look for anything.

    Vertices keep their order; copies along seams follow them. Texture coordinates are flipped to glTF's top left.
    A part with a texture is shown by the texture alone, one without by its colour. Materials are matt and two-sided.
    """
    body = _Body()
    split = split_seams(mesh)
    attributes = {"POSITION": body.add(split.vertices.numpy().astype("<f4"), "VEC3", 34962, bounds=True)}
    if split.normals is not None:
        attributes["NORMAL"] = body.add(split.normals.numpy().astype("<f4"), "VEC3", 34962)
    inside = True
    if split.uvs is not None:
        uvs = split.uvs.numpy().astype("<f4")
        inside = bool(((uvs >= 0) & (uvs <= 1)).all())
        flipped = np.stack([uvs[:, 0], 1 - uvs[:, 1]], 1).astype("<f4")
        attributes["TEXCOORD_0"] = body.add(flipped, "VEC2", 34962)
    kind = "<u2" if len(split.vertices) < 65535 else "<u4"
    images: list[dict[str, Any]] = []
    stored: dict[int, int] = {}
    materials: list[dict[str, Any]] = []
    primitives: list[dict[str, Any]] = []
    for number, (part, texture) in enumerate(zip(mesh.parts, textures, strict=True)):
        look: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
        clear = part.colour[3] < 1
        if texture is not None:
            if id(texture) not in stored:
                stored[id(texture)] = len(images)
                view = body.blob(png(texture))
                images.append({"name": part.name, "mimeType": "image/png", "bufferView": view})
            look["baseColorTexture"] = {"index": stored[id(texture)]}
            clear = texture.shape[-1] == 4 and bool((texture[..., 3] < 1).any())
        else:
            look["baseColorFactor"] = [*(to_linear(v) for v in part.colour[:3]), part.colour[3]]
        material: dict[str, Any] = {"name": part.name, "pbrMetallicRoughness": look, "doubleSided": True}
        materials.append({**material, "alphaMode": "BLEND"} if clear else material)
        faces = split.faces[mesh.part_of_face == number].numpy()
        if len(faces):
            index = body.add(faces.reshape(-1, 1).astype(kind), "SCALAR", 34963)
            primitives.append({"attributes": attributes, "indices": index, "material": number, "mode": 4})
    tree: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "ComfyUI-SyncTweedies"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": mesh.name, "mesh": 0}],
        "meshes": [{"name": mesh.name, "primitives": primitives}],
        "materials": materials,
        "accessors": body.accessors,
        "bufferViews": body.views,
        "buffers": [{"byteLength": len(body.data)}],
    }
    if extras:
        tree["asset"]["extras"] = dict(extras)
    if images:
        wrap = _CLAMP if inside else _REPEAT
        tree["images"] = images
        tree["textures"] = [{"sampler": 0, "source": i} for i in range(len(images))]
        tree["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": wrap, "wrapT": wrap}]
    return _container(tree, bytes(body.data))


class _Body:
    """The binary chunk while it grows."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def blob(self, data: bytes, target: int | None = None) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.views.append(view if target is None else {**view, "target": target})
        self.data += data
        return len(self.views) - 1

    def add(self, values: np.ndarray, shape: str, target: int, bounds: bool = False) -> int:
        component = {"<f4": _FLOAT, "<u2": _SHORT, "<u4": _INT}[values.dtype.str]
        entry: dict[str, Any] = {
            "bufferView": self.blob(values.tobytes(), target),
            "componentType": component,
            "count": len(values),
            "type": shape,
        }
        if bounds:
            entry |= {"min": values.min(0).tolist(), "max": values.max(0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1


def _container(tree: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body += b"\0" * (-len(body) % 4)
    whole = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(body))
    return whole + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body


def to_linear(value: float) -> float:
    """Encoded -> linear light, both in [0, 1] (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
