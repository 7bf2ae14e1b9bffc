"""GLB files that our writer does not make: every index type, interleaved and normalised data, nodes, strips."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

_COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
_SHAPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


class Builder:
    """A glTF tree and its binary chunk while they grow."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.tree: dict[str, Any] = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": []}],
            "nodes": [],
            "meshes": [],
            "accessors": [],
            "bufferViews": [],
        }

    def view(self, data: bytes, **more: Any) -> int:
        self.body += b"\0" * (-len(self.body) % 4)
        head = {"buffer": 0, "byteOffset": len(self.body), "byteLength": len(data)}
        self.tree["bufferViews"].append({**head, **more})
        self.body += data
        return len(self.tree["bufferViews"]) - 1

    def accessor(self, values: Any, kind: str, **more: Any) -> int:
        array = np.asarray(values, dtype=f"<{kind}")
        array = array.reshape(len(array), -1)
        return self._add(self.view(array.tobytes()), array, kind, **more)

    def interleaved(self, *arrays: Any) -> list[int]:
        """Float arrays of one length in one buffer view."""
        columns = [np.asarray(a, dtype="<f4") for a in arrays]
        whole = np.concatenate(columns, 1)
        view = self.view(whole.tobytes(), byteStride=4 * whole.shape[1])
        starts = np.cumsum([0, *(4 * c.shape[1] for c in columns[:-1])]).tolist()
        return [self._add(view, c, "f4", byteOffset=s) for c, s in zip(columns, starts, strict=True)]

    def _add(self, view: int, array: np.ndarray, kind: str, **more: Any) -> int:
        head = {"bufferView": view, "componentType": _COMPONENTS[kind], "count": len(array)}
        self.tree["accessors"].append({**head, "type": _SHAPES[array.shape[1]], **more})
        return len(self.tree["accessors"]) - 1

    def mesh(self, *primitives: dict[str, Any]) -> int:
        self.tree["meshes"].append({"primitives": list(primitives)})
        return len(self.tree["meshes"]) - 1

    def node(self, root: bool = True, **more: Any) -> int:
        self.tree["nodes"].append(more)
        number = len(self.tree["nodes"]) - 1
        if root:
            self.tree["scenes"][0]["nodes"].append(number)
        return number

    def file(self) -> bytes:
        body = bytes(self.body) + b"\0" * (-len(self.body) % 4)
        text = json.dumps({**self.tree, "buffers": [{"byteLength": len(self.body)}]}).encode()
        text += b" " * (-len(text) % 4)
        head = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(body))
        return head + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
