"""The container of a glTF 2.0 file: its JSON, its buffers, its accessors. GLB and .gltf.

Khronos, "glTF 2.0 Specification" (2021): 3.6 (buffers, accessors, sparse, normalized) and 4.4 (GLB). Read here and not
by trimesh because trimesh ignores ``normalized`` and ``texCoord``, and takes extensions that it cannot read for plain
data.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

_TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_BROKEN = "the file is cut off or damaged; export or download it again"


class Missing(ValueError):
    """A file that this one names is not there."""


def beside(folder: Path, root: Path, name: str) -> Path:
    """The file ``name`` that a mesh file in ``folder`` refers to.

    A path from another machine is looked for beside the mesh by its last part. Raises Missing when it is not there or
    lies outside ``root``.
    """
    clean = name.replace("\\", "/").strip()
    for option in (clean, clean.rsplit("/", 1)[-1]):
        if not option:
            continue
        path = (folder / option).resolve()
        if path.is_relative_to(root.resolve()) and path.is_file():
            return path
    raise Missing(f"the file '{name}' that it refers to is missing; put it beside the mesh")


@dataclass
class Gltf:
    """An opened file: ``tree`` is its JSON, ``body`` a GLB's binary chunk, ``read`` the buffers looked at so far."""

    tree: dict[str, Any]
    folder: Path
    root: Path
    body: bytes = b""
    read: dict[int, bytes] = field(default_factory=dict)

    def items(self, kind: str) -> list[dict[str, Any]]:
        found = self.tree.get(kind, [])
        return found if isinstance(found, list) else []

    def item(self, kind: str, index: Any) -> dict[str, Any]:
        """Raises ValueError for an index that is not in the file."""
        found = self.items(kind)
        if not isinstance(index, int) or not 0 <= index < len(found):
            raise ValueError(f"it refers to {kind} {index}, and has {len(found)}; {_BROKEN}")
        return found[index]

    def uri(self, uri: str) -> bytes:
        """Bytes of a data URI or of a file beside this one. Raises Missing."""
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.partition(",")[2], validate=True)
            except binascii.Error as error:
                raise ValueError(_BROKEN) from error
        return beside(self.folder, self.root, unquote(uri)).read_bytes()

    def view(self, index: Any) -> tuple[bytes, int]:
        """(bytes, stride or 0) of a buffer view."""
        view = self.item("bufferViews", index)
        number = view.get("buffer", 0)
        buffer = self.item("buffers", number)
        if number not in self.read:
            self.read[number] = self.uri(buffer["uri"]) if "uri" in buffer else self.body if number == 0 else b""
        data = self.read[number]
        start, length = view.get("byteOffset", 0), view["byteLength"]
        if start < 0 or length < 0 or start + length > len(data):
            raise ValueError(_BROKEN)
        return data[start : start + length], view.get("byteStride", 0)

    def accessor(self, index: Any) -> np.ndarray:
        """Accessor -> array [count, width]: integers as stored, or float64 where it is float or ``normalized``.

        Raises ValueError for one that reaches beyond its buffer.
        """
        head = self.item("accessors", index)
        kind, width, count = head["componentType"], _WIDTHS[head["type"]], head["count"]
        if "bufferView" in head:
            data, stride = self.view(head["bufferView"])
            values = _strided(data, stride, head.get("byteOffset", 0), count, width, _TYPES[kind])
        else:
            values = np.zeros((count, width), _TYPES[kind])
        if "sparse" in head:
            values = values.copy()
            sparse = head["sparse"]
            rows = self._sparse(sparse["indices"], sparse["count"], 1, _TYPES[sparse["indices"]["componentType"]])
            if rows.size and int(rows.max()) >= count:
                raise ValueError(_BROKEN)
            values[rows[:, 0]] = self._sparse(sparse["values"], sparse["count"], width, _TYPES[kind])
        if kind == 5126:
            return values.astype(np.float64)
        if head.get("normalized"):
            return np.maximum(values / np.iinfo(values.dtype).max, -1.0)
        return values

    def _sparse(self, part: dict[str, Any], count: int, width: int, kind: str) -> np.ndarray:
        data, stride = self.view(part["bufferView"])
        return _strided(data, stride, part.get("byteOffset", 0), count, width, kind)


def _strided(data: bytes, stride: int, start: int, count: int, width: int, kind: str) -> np.ndarray:
    size = np.dtype(kind).itemsize
    stride = stride or size * width
    if count < 1 or start < 0 or stride < size * width or start + stride * (count - 1) + size * width > len(data):
        raise ValueError(_BROKEN)
    return np.ndarray((count, width), kind, data, start, (stride, size))


def open_gltf(path: Path, root: Path) -> Gltf:
    """Open a .glb or .gltf file. Raises ValueError when it is cut off, no glTF, or of another version than 2."""
    data = path.read_bytes()
    body = b""
    if data[:4] == b"glTF":
        if len(data) < 20:
            raise ValueError(_BROKEN)
        version, length = struct.unpack_from("<II", data, 4)
        if version != 2:
            raise ValueError(f"it is glTF version {version}; export it as glTF 2.0")
        if length > len(data):
            raise ValueError(f"it should have {length} bytes and has {len(data)}: {_BROKEN}")
        text, at = b"", 12
        while at + 8 <= length:
            size, kind = struct.unpack_from("<I4s", data, at)
            chunk = data[at + 8 : at + 8 + size]
            if len(chunk) < size:
                raise ValueError(_BROKEN)
            if kind == b"JSON" and not text:
                text = chunk
            elif kind == b"BIN\0" and not body:
                body = chunk
            at += 8 + size + (-size) % 4
    elif path.suffix.lower() == ".glb":
        raise ValueError("it does not begin as a GLB file; export or download it again")
    else:
        text = data
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(_BROKEN) from error
    if not isinstance(tree, dict) or not str(tree.get("asset", {}).get("version", "2")).startswith("2"):
        raise ValueError("it is no glTF 2.0 file; export it as glTF 2.0")
    return Gltf(tree, path.parent, root, body)
