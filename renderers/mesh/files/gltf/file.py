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
from typing import Any, cast
from urllib.parse import unquote

import numpy as np

from ....arrays import Array

_TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_BROKEN = "the file is cut off or damaged; export or download it again"
_MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")
# Bytes of zeros that any file may ask for (sparse accessors without data below them).
_ZEROS = 1 << 20
_NOTHING = memoryview(b"")


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
        try:
            path = (folder / option).resolve()
            if path.is_relative_to(root.resolve()) and path.is_file():
                return path
        except (OSError, ValueError, RuntimeError):  # no name that a file could have
            continue
    raise Missing(f"the file '{short(name)}' that it refers to is missing; put it beside the mesh")


def short(name: object) -> str:
    """A name out of a file, fit for a message: on one line, and not endless."""
    line = " ".join(str(name).split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= 80 else f"{line[:60]}... ({len(line)} characters)"


def compressed(kind: str, name: str) -> ValueError:
    """What to raise for data that only a decoder of ``kind`` could read."""
    return ValueError(f"it is compressed with {kind} ({name}); export it without compression")


@dataclass
class Gltf:
    """An opened file: ``tree`` is its JSON, ``body`` a GLB's binary chunk, ``size`` how many bytes it has, ``read`` the
    buffers looked at so far."""

    tree: dict[str, Any]
    folder: Path
    root: Path
    body: memoryview = _NOTHING
    size: int = 0
    read: dict[int, memoryview] = field(default_factory=dict[int, memoryview])

    def items(self, kind: str) -> list[dict[str, Any]]:
        found: Any = self.tree.get(kind, [])
        return cast("list[dict[str, Any]]", found) if isinstance(found, list) else []

    def item(self, kind: str, index: Any) -> dict[str, Any]:
        """Raises ValueError for an index that is not in the file."""
        found = self.items(kind)
        if not isinstance(index, int) or not 0 <= index < len(found):
            raise ValueError(f"it refers to {kind} {short(index)}, and has {len(found)}; {_BROKEN}")
        return found[index]

    def uri(self, uri: str) -> bytes:
        """Bytes of a data URI or of a file beside this one. Raises Missing."""
        if uri.startswith("data:"):
            try:
                return base64.b64decode(uri.partition(",")[2], validate=True)
            except binascii.Error as error:
                raise ValueError(_BROKEN) from error
        return beside(self.folder, self.root, unquote(uri)).read_bytes()

    def view(self, index: Any) -> tuple[memoryview, int]:
        """(bytes, stride or 0) of a buffer view. Raises ValueError for one beyond its buffer, or compressed without
        data that can be read instead."""
        view = self.item("bufferViews", index)
        number = view.get("buffer", 0)
        buffer = self.item("buffers", number)
        if number not in self.read:
            self.read[number] = self._bytes(number, buffer)
        data = self.read[number]
        start, length = _whole(view.get("byteOffset", 0)), _whole(view["byteLength"])
        if start + length > len(data):
            for name in _MESHOPT:
                if name in view.get("extensions", {}):
                    raise compressed("meshopt", name)
            raise ValueError(_BROKEN)
        return data[start : start + length], _whole(view.get("byteStride", 0))

    def _bytes(self, number: int, buffer: dict[str, Any]) -> memoryview:
        if "uri" in buffer:
            return memoryview(self.uri(buffer["uri"]))
        return self.body if number == 0 else _NOTHING

    def count(self, index: Any) -> int:
        """How many elements an accessor says it has."""
        return _whole(self.item("accessors", index).get("count", 0))

    def accessor(self, index: Any) -> Array:
        """Accessor -> array [count, width]: integers as stored, or float64 where it is float or ``normalized``.

        Raises ValueError, before memory is taken, for one that reaches beyond its buffer or claims far more values than
        the file has bytes.
        """
        head = self.item("accessors", index)
        kind, width, count = head["componentType"], _WIDTHS[head["type"]], _whole(head["count"])
        if "bufferView" in head:
            data, stride = self.view(head["bufferView"])
            values: Array = _strided(data, stride, _whole(head.get("byteOffset", 0)), count, width, _TYPES[kind])
        else:
            held = self.size + sum(map(len, self.read.values()))
            if count * width * np.dtype(_TYPES[kind]).itemsize > max(_ZEROS, held):
                raise ValueError(f"it claims {count} values that it does not hold; {_BROKEN}")
            values = np.zeros((count, width), _TYPES[kind])
        if "sparse" in head:
            values = np.array(values)
            sparse = head["sparse"]
            rows = self._sparse(sparse["indices"], sparse["count"], 1, _TYPES[sparse["indices"]["componentType"]])
            if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < count:
                raise ValueError(_BROKEN)
            values[rows[:, 0]] = self._sparse(sparse["values"], sparse["count"], width, _TYPES[kind])
        if kind == 5126:
            return values.astype(np.float64)
        if head.get("normalized"):
            return np.maximum(values / np.iinfo(values.dtype).max, -1.0)
        return values

    def _sparse(self, part: dict[str, Any], count: Any, width: int, kind: str) -> Array:
        data, stride = self.view(part["bufferView"])
        return _strided(data, stride, _whole(part.get("byteOffset", 0)), _whole(count), width, kind)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(_BROKEN)
    return value


def _strided(data: memoryview, stride: int, start: int, count: int, width: int, kind: str) -> Array:
    size = np.dtype(kind).itemsize
    stride = stride or size * width
    if count < 1 or stride < size * width or start + stride * (count - 1) + size * width > len(data):
        raise ValueError(_BROKEN)
    return np.ndarray((count, width), kind, data, start, (stride, size))


def _number(text: str) -> float:
    """A number with a point; whole ones are integers, since some programs write an index as 0.0."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def open_gltf(path: Path, root: Path) -> Gltf:
    """Open a .glb or .gltf file. Raises ValueError when it is cut off, no glTF, or of another version than 2."""
    data = path.read_bytes()
    text, body = memoryview(data), _NOTHING
    if data[:4] == b"glTF":
        text, body = _chunks(data)
    elif path.suffix.lower() == ".glb":
        raise ValueError("it does not begin as a GLB file; export or download it again")
    try:
        tree: Any = json.loads(bytes(text), parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise ValueError(_BROKEN) from error
    found = cast("dict[str, Any]", tree) if isinstance(tree, dict) else None
    if found is None or not str(found.get("asset", {}).get("version", "2")).startswith("2"):
        raise ValueError("it is no glTF 2.0 file; export it as glTF 2.0")
    return Gltf(found, path.parent, root, body, len(data))


def _chunks(data: bytes) -> tuple[memoryview, memoryview]:
    """(JSON, binary chunk) of a GLB."""
    if len(data) < 20:
        raise ValueError(_BROKEN)
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise ValueError(f"it is glTF version {version}; export it as glTF 2.0")
    if length > len(data):
        raise ValueError(f"it should have {length} bytes and has {len(data)}: {_BROKEN}")
    whole = memoryview(data)
    text, body, at = None, _NOTHING, 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, at)
        end = at + 8 + size
        if end > len(data):
            raise ValueError(_BROKEN)
        if kind == b"JSON" and text is None:
            text = whole[at + 8 : end]
        elif kind == b"BIN\0" and not body:
            body = whole[at + 8 : end]
        # A chunk begins where the one before ends. Some writers pad chunks to 4 bytes and do not count the padding.
        padded = end + -size % 4
        at = padded if data[end + 4 : end + 8] != b"BIN\0" and data[padded + 4 : padded + 8] == b"BIN\0" else end
    if text is None:
        raise ValueError(_BROKEN)
    return text, body
