"""PLY meshes: text and binary, triangles and polygons mixed, texture coordinates of vertices or of faces' corners.

Turk, "The PLY Polygon File Format" (1994). Read here because trimesh refuses binary files that mix triangles and quads,
as Blender writes them, and splits or smears texture coordinates of corners.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .gltf_file import Missing, beside
from .material import Part
from .mesh import Mesh
from .pieces import Limits, Notes, Piece, join
from .polygons import triangles

_KINDS = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4"}
_KINDS |= {"double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
_KINDS |= {"float32": "f4", "float64": "f8"}
_CUT = "it is cut off or damaged; export or download it again"
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))


@dataclass
class _Element:
    """An element of the header. properties: (name, kind of the count or '', kind)."""

    name: str
    count: int
    properties: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass
class _Column:
    """A property's values one after another; sizes: how many of them each row has, None for one each."""

    values: np.ndarray
    sizes: np.ndarray | None = None


def read_ply(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """A PLY file -> Mesh; a ``comment TextureFile`` is its texture. Raises ValueError as ``load_mesh``."""
    data = path.read_bytes()
    form, elements, textures, start = _header(data)
    counts = {element.name: element.count for element in elements}
    if not counts.get("face"):
        raise ValueError(
            f"it holds {counts.get('vertex', 0)} points and no faces (a point cloud, or splats); use a mesh"
        )
    limits.check_faces(counts["face"])
    limits.check_vertices(counts.get("vertex", 0))
    read = _text if form == "ascii" else _binary
    table = read(data[start:], elements, ">" if "big" in form else "<")
    vertex, face = table["vertex"], table["face"]
    vertices = np.stack([vertex[axis].values for axis in "xyz"], 1).astype(np.float64)
    index = face.get("vertex_indices", face.get("vertex_index"))
    if index is None or index.sizes is None:
        raise ValueError("its faces name no vertices; export it again")
    piece = Piece(vertices, *_faces(vertices, index, face, limits, notes))
    if piece.uvs is None:
        for u, v in _UV_NAMES:
            if u in vertex and v in vertex:
                piece.uvs = np.stack([vertex[u].values, vertex[v].values], 1)
                break
    if all(axis in vertex for axis in ("nx", "ny", "nz")):
        piece.normals = np.stack([vertex[axis].values for axis in ("nx", "ny", "nz")], 1).astype(np.float64)
    if "red" in vertex or "red" in face:
        notes.add("vertex colours are left out")
    for element in elements:
        if element.name not in ("vertex", "face") and element.count:
            notes.add(f"{element.count} '{element.name}' entries are left out")
    return join([piece], _parts(textures, path, root, limits, face, notes), path.stem, notes)


def _parts(
    textures: list[str], path: Path, root: Path, limits: Limits, face: dict[str, _Column], notes: Notes
) -> list[Part]:
    if limits.textures != "load" or not textures:
        return [Part("material")]
    if len(textures) > 1 and "texnumber" in face:
        raise ValueError(f"it has {len(textures)} textures in one part, which PLY readers disagree on; use OBJ or GLB")
    try:
        return [
            Part("material", limits.pictures.read(beside(path.parent, root, textures[0]), f"texture '{textures[0]}'"))
        ]
    except Missing as error:
        raise Missing(f"{error}, or set textures to ignore") from None


def _faces(
    vertices: np.ndarray, index: _Column, face: dict[str, _Column], limits: Limits, notes: Notes
) -> tuple[np.ndarray, int, np.ndarray | None, np.ndarray | None]:
    """(faces [F, 3], part 0, uvs and face_uvs where corners have their own)."""
    sizes, corners = index.sizes, index.values.astype(np.int64)
    assert sizes is not None
    if corners.size and (int(corners.min()) < 0 or int(corners.max()) >= len(vertices)):
        raise ValueError(f"a face uses vertex {int(corners.max())} of {len(vertices)}; export or download it again")
    own = face.get("texcoord")
    uvs = None
    if own is not None and own.sizes is not None:
        if np.array_equal(own.sizes, 2 * sizes):
            uvs = own.values.reshape(-1, 2).astype(np.float64)
        elif own.sizes.any():
            raise ValueError(
                f"it has {int(own.sizes.sum()) // 2} texture coordinates for {len(corners)} corners; export it again"
            )
    keep = sizes >= 3
    if not keep.all():
        notes.add("faces with fewer than three corners are left out")
        at = np.repeat(keep, sizes)
        corners, sizes, uvs = corners[at], sizes[keep], uvs if uvs is None else uvs[at]
        if not len(sizes):
            raise ValueError("it holds no faces; use a file with a surface")
    picked, _ = triangles(vertices, corners, sizes)
    limits.check_faces(len(picked))
    if (sizes > 3).any():
        notes.add(f"{int((sizes > 3).sum())} faces with more than three corners were cut into triangles")
    if uvs is None:
        return corners[picked], 0, None, None
    # Corners of one vertex with the same coordinate share it: what is joined in the texture stays joined.
    rows = np.concatenate([corners[:, None].astype(np.float64), uvs], 1)
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return corners[picked], 0, uvs[first], inverse.reshape(-1)[picked]


def _header(data: bytes) -> tuple[str, list[_Element], list[str], int]:
    end = data[:65536].find(b"end_header")
    if not data.startswith(b"ply") or end < 0:
        raise ValueError("it does not begin as a PLY file; export or download it again")
    form, elements, textures = "", [], []
    for line in data[:end].decode("ascii", "replace").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "format":
            form = words[1]
        elif words[0] == "element":
            elements.append(_Element(words[1], int(words[2])))
        elif words[0] == "property" and words[1] == "list":
            elements[-1].properties.append((words[4], _KINDS[words[2]], _KINDS[words[3]]))
        elif words[0] == "property":
            elements[-1].properties.append((words[2], "", _KINDS[words[1]]))
        elif words[:2] == ["comment", "TextureFile"]:
            textures.append(line.split(None, 2)[2].strip())
    if form not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise ValueError(f"its format is '{form}', which is unknown; export it again")
    return form, elements, textures, data.index(b"\n", end) + 1


def _text(data: bytes, elements: list[_Element], _: str) -> dict[str, dict[str, _Column]]:
    try:
        numbers = np.array(data.split(), dtype="S32").astype(np.float64)
    except ValueError as error:
        raise ValueError(_CUT) from error
    table: dict[str, dict[str, _Column]] = {}
    at = 0
    for element in elements:
        if not any(count for _, count, _ in element.properties):
            width = len(element.properties)
            block = numbers[at : at + element.count * width]
            if len(block) < element.count * width:
                raise ValueError(_CUT)
            block = block.reshape(-1, width)
            table[element.name] = {name: _Column(block[:, i]) for i, (name, _, _) in enumerate(element.properties)}
            at += element.count * width
            continue
        spans: dict[str, list[tuple[int, int]]] = {name: [] for name, _, _ in element.properties}
        for _row in range(element.count):
            for name, count, _kind in element.properties:
                if at >= len(numbers):
                    raise ValueError(_CUT)
                size = int(numbers[at]) if count else 1
                at += bool(count)
                spans[name].append((at, size))
                at += size
        if at > len(numbers):
            raise ValueError(_CUT)
        table[element.name] = {
            name: _gathered(numbers, np.array(spans[name], np.int64).reshape(-1, 2), bool(count))
            for name, count, _ in element.properties
        }
    return table


def _binary(data: bytes, elements: list[_Element], order: str) -> dict[str, dict[str, _Column]]:
    table: dict[str, dict[str, _Column]] = {}
    at = 0
    for element in elements:
        fixed = _fixed_rows(data, at, element, order)
        if fixed is None:
            columns, at = _loose_rows(data, at, element, order)
        else:
            rows, at = fixed
            columns = {}
            for i, (name, count, _) in enumerate(element.properties):
                values = rows[f"v{i}"]
                sizes = np.full(element.count, values.shape[1]) if count else None
                columns[name] = _Column(values.reshape(-1), sizes)
        table[element.name] = columns
    return table


def _fixed_rows(data: bytes, at: int, element: _Element, order: str) -> tuple[np.ndarray, int] | None:
    """All rows in one go when every list is as long as in the first row, else None."""
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    place = at
    for i, (_, count, kind) in enumerate(element.properties):
        size = 1
        if count and element.count:
            size = _number(data, place, order + count)
            place += np.dtype(count).itemsize
            fields.append((f"c{i}", order + count))
        fields.append((f"v{i}", order + kind, (size,)) if count else (f"v{i}", order + kind))
        place += size * np.dtype(kind).itemsize
    row = np.dtype(fields)
    end = at + row.itemsize * element.count
    if end > len(data):
        if any(count for _, count, _ in element.properties):
            return None
        raise ValueError(_CUT)
    rows = np.frombuffer(data, row, element.count, at)
    for i, (_, count, _) in enumerate(element.properties):
        if count and element.count and not (rows[f"c{i}"] == rows[f"c{i}"][0]).all():
            return None
    return rows, end


def _loose_rows(data: bytes, at: int, element: _Element, order: str) -> tuple[dict[str, _Column], int]:
    spans: dict[str, list[tuple[int, int]]] = {name: [] for name, _, _ in element.properties}
    kinds = [
        (name, order + count if count else "", np.dtype(count or "u1").itemsize, np.dtype(kind).itemsize)
        for name, count, kind in element.properties
    ]
    for _row in range(element.count):
        for name, count, head, width in kinds:
            size = 1
            if count:
                size = _number(data, at, count)
                at += head
            spans[name].append((at, size))
            at += size * width
    if at > len(data):
        raise ValueError(_CUT)
    columns: dict[str, _Column] = {}
    for name, count, kind in element.properties:
        width = np.dtype(kind).itemsize
        place = np.array(spans[name], np.int64).reshape(-1, 2)
        taken = _gathered(np.frombuffer(data, np.uint8), np.stack([place[:, 0], place[:, 1] * width], 1), True)
        columns[name] = _Column(taken.values.view(order + kind), place[:, 1] if count else None)
    return columns, at


def _number(data: bytes, at: int, kind: str) -> int:
    size = np.dtype(kind).itemsize
    if at + size > len(data):
        raise ValueError(_CUT)
    return int.from_bytes(data[at : at + size], "big" if kind[0] == ">" else "little", signed=kind[1] == "i")


def _gathered(values: np.ndarray, spans: np.ndarray, listed: bool) -> _Column:
    """Values of spans (start, size) one after another."""
    start, sizes = spans[:, 0], spans[:, 1]
    if (sizes < 0).any():
        raise ValueError(_CUT)
    ends = np.cumsum(sizes)
    index = np.arange(int(sizes.sum())) + np.repeat(start - (ends - sizes), sizes)
    return _Column(values[index], sizes if listed else None)
