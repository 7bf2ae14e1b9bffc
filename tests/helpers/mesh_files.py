"""Small mesh files written by hand, byte by byte, for the tests of loading."""

import io
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

QUAD = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], "<f4")
QUAD_UVS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], "<f4")
TWO = np.array([0, 1, 2, 0, 2, 3], "<u2")


def picture(path: Path | None = None, size=(4, 3), mode="RGB", seed=0) -> bytes:
    """A PNG of random pixels."""
    channels = {"RGB": 3, "RGBA": 4}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    if path is not None:
        path.write_bytes(data.getvalue())
    return data.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes that claims 60000 x 60000 pixels."""
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


class Glb:
    """A GLB file in the making: ``tree`` is its JSON and may be changed at will before ``write``."""

    def __init__(self):
        self.body = b""
        self.tree = {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}]}
        self.tree |= {"meshes": [], "accessors": [], "bufferViews": [], "buffers": []}

    def view(self, data: bytes, **more) -> int:
        self.body += b"\0" * (-len(self.body) % 4)
        self.tree["bufferViews"].append({"buffer": 0, "byteOffset": len(self.body), "byteLength": len(data), **more})
        self.body += data
        return len(self.tree["bufferViews"]) - 1

    def accessor(self, values: np.ndarray, **more) -> int:
        kinds = {"<i1": 5120, "|i1": 5120, "|u1": 5121, "<i2": 5122, "<u2": 5123, "<u4": 5125, "<f4": 5126}
        shape = {1: "SCALAR", 2: "VEC2", 3: "VEC3"}[1 if values.ndim == 1 else values.shape[1]]
        entry = {"bufferView": self.view(values.tobytes()), "componentType": kinds[values.dtype.str], "type": shape}
        self.tree["accessors"].append({**entry, "count": len(values), **more})
        return len(self.tree["accessors"]) - 1

    def primitive(self, points=QUAD, uvs=QUAD_UVS, index=TWO, **more) -> dict:
        attributes = {"POSITION": self.accessor(points)}
        if uvs is not None:
            attributes["TEXCOORD_0"] = self.accessor(uvs)
        found = {"attributes": attributes, **more}
        if index is not None:
            found["indices"] = self.accessor(index)
        return found

    def texture(self, data: bytes) -> int:
        self.tree.setdefault("images", []).append({"bufferView": self.view(data), "mimeType": "image/png"})
        self.tree.setdefault("textures", []).append({"source": len(self.tree["images"]) - 1})
        return len(self.tree["textures"]) - 1

    def material(self, name: str, texture: int | None = None, **base) -> int:
        if texture is not None:
            base["baseColorTexture"] = {"index": texture, **base.get("baseColorTexture", {})}
        self.tree.setdefault("materials", []).append({"name": name, "pbrMetallicRoughness": base})
        return len(self.tree["materials"]) - 1

    def bytes(self) -> bytes:
        self.tree["buffers"] = [{"byteLength": len(self.body)}]
        text = json.dumps(self.tree).encode()
        text += b" " * (-len(text) % 4)
        body = self.body + b"\0" * (-len(self.body) % 4)
        head = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(body))
        return head + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body

    def write(self, path: Path) -> Path:
        path.write_bytes(self.bytes())
        return path


def quad_glb(**material) -> Glb:
    """Two triangles with texture coordinates and one material."""
    glb = Glb()
    number = glb.material("paint", **material)
    glb.tree["meshes"] = [{"primitives": [glb.primitive(material=number)]}]
    return glb
