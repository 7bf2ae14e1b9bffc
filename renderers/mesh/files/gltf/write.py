"""Meshes as GLB files: glTF 2.0, PBR base colour (Khronos, "glTF 2.0 Specification", 4.4 and 3.9)."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....arrays import Array, cross, norm, shaped
from ...light import linear
from ...mesh import Mesh
from ...uvs.split import Split, split_seams
from ..pictures import StoredPictures
from .look import material_of

_FLOAT, _SHORT, _INT = 5126, 5123, 5125
_CLAMP, _REPEAT = 33071, 10497


def glb(mesh: Mesh, extras: Mapping[str, Any] | None = None) -> bytes:
    """A mesh with its parts' textures -> a GLB file. extras: values of JSON that go along in ``asset.extras``, where
    readers do not look for anything.

    Vertices keep their order; copies along seams follow them. Texture coordinates are flipped to glTF's top left. A far
    origin is the translation of the node. Materials keep their opacity, maps and factors; each distinct picture is
    stored once. Raises ValueError for texture coordinates or pictures that hold NaN.
    """
    body, images = _Body(), StoredPictures()
    split = split_seams(mesh)
    attributes, inside = _attributes(mesh, split, body)
    kind = "<u2" if len(split.vertices) < 65535 else "<u4"
    materials: list[dict[str, Any]] = []
    primitives: list[dict[str, Any]] = []
    for number, part in enumerate(mesh.parts):
        materials.append(material_of(part, images, mesh.has_uvs))
        faces = split.faces[mesh.part_of_face == number].numpy()
        if len(faces):
            index = body.add(shaped(faces, -1, 1).astype(kind), "SCALAR", 34963)
            primitives.append({"attributes": attributes, "indices": index, "material": number, "mode": 4})
    views = [body.blob(data) for data in images.files]
    node: dict[str, Any] = {"name": mesh.name, "mesh": 0}
    if any(mesh.origin):
        node["translation"] = list(mesh.origin)
    tree: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "ComfyUI-SyncTweedies"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"name": mesh.name, "primitives": primitives}],
        "materials": materials,
        "accessors": body.accessors,
        "bufferViews": body.views,
        "buffers": [{"byteLength": len(body.data)}],
    }
    used = sorted({name for entry in materials for name in entry.get("extensions", {})})
    if used:
        tree["extensionsUsed"] = used
    if extras:
        tree["asset"]["extras"] = dict(extras)
    if views:
        wrap = _CLAMP if inside else _REPEAT
        tree["images"] = [{"mimeType": "image/png", "bufferView": view} for view in views]
        tree["textures"] = [{"sampler": 0, "source": i} for i in range(len(views))]
        tree["samplers"] = [{"magFilter": 9729, "minFilter": 9987, "wrapS": wrap, "wrapT": wrap}]
    return _container(tree, bytes(body.data))


def _attributes(mesh: Mesh, split: Split, body: _Body) -> tuple[dict[str, int], bool]:
    """(The vertices' arrays, whether all texture coordinates lie in the texture)."""
    found = {"POSITION": body.add(split.vertices.numpy().astype("<f4"), "VEC3", 34962, bounds=True)}
    if split.normals is not None:
        found["NORMAL"] = body.add(_whole_normals(split).numpy().astype("<f4"), "VEC3", 34962)
    inside = True
    if split.uvs is not None:
        uvs = split.uvs.numpy().astype("<f4")
        inside = bool(((uvs >= 0) & (uvs <= 1)).all())
        flipped = np.stack([uvs[:, 0], 1 - uvs[:, 1]], 1).astype("<f4")
        found["TEXCOORD_0"] = body.add(flipped, "VEC2", 34962)
    if mesh.colours is not None:
        light = mesh.colours[split.origin].double().clamp(0, 1)
        light = torch.cat([linear(light[:, :3]), light[:, 3:]], 1)
        found["COLOR_0"] = body.add(light.numpy().astype("<f4"), f"VEC{light.shape[1]}", 34962)
    return found, inside


def _whole_normals(split: Split) -> Tensor:
    """Unit normals; glTF allows no others: where there is none, the mean of the faces around, or up."""
    assert split.normals is not None
    normals = torch.nan_to_num(split.normals.double())
    length = norm(normals, 1, keepdim=True)
    if bool(((length - 1).abs() < 1e-4).all()):
        return split.normals
    a, b, c = split.vertices.double()[split.faces].unbind(1)
    around = torch.zeros_like(normals)
    face = cross(b - a, c - a)
    around.index_add_(0, split.faces.reshape(-1), face.repeat_interleave(3, 0))
    size = norm(around, 1, keepdim=True)
    around = torch.where(size > 1e-30, around / size.clamp_min(1e-30), torch.tensor([0.0, 1.0, 0.0]).double())
    return torch.where(length > 1e-6, normals / length.clamp_min(1e-6), around).float()


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

    def add(self, values: Array, shape: str, target: int, bounds: bool = False) -> int:
        stored: Any = values.dtype
        component = {"<f4": _FLOAT, "<u2": _SHORT, "<u4": _INT}[stored.str]
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
