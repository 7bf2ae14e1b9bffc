"""OFF and its family: colours (C), normals (N), texture coordinates (ST) of vertices, a fourth coordinate (4).

Phillips, Levy, Munzner, "Geomview manual" (1996), 4.2.1. Read here and not by trimesh, which cuts every face into a fan
from its first corner, and drops what vertices have besides their place.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...arrays import Array, shaped
from ..material import Part
from ..mesh import Mesh
from .pieces import Limits, Notes, Piece, join
from .polygons import cut_faces
from .text_file import lines_of, numbers, plain_text

# Some write the counts right behind the word.
_FIRST = re.compile(rb"(ST)?(C)?(N)?(4)?(n)?OFF(?![A-Za-z_])(.*)", re.DOTALL)
_SHORT = "it is cut off or damaged; export or download it again"


@dataclass
class _Kind:
    """What a row of a vertex holds: ``places`` coordinates, then normal, colour and texture coordinates, if any."""

    places: int = 3
    normals: bool = False
    colours: bool = False
    uvs: bool = False

    @property
    def least(self) -> int:
        return self.places + 3 * self.normals + 2 * self.uvs


@dataclass
class _Rows:
    """vertices [V, n], all rows of the width of the first. corners, sizes: of the faces. colours: those of faces, each
    once (no more than two are kept)."""

    vertices: Array
    corners: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    colours: list[tuple[float, ...]] = field(default_factory=list[tuple[float, ...]])


def read_off(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """An OFF file -> Mesh, vertex order kept; COFF, NOFF, STOFF and 4OFF give colours, normals and texture coordinates.

    Raises ValueError for binary OFF, for other dimensions than three, and as ``load_mesh``.
    """
    data = plain_text(path, "OFF")
    kind, count, faces, start = _head(data)
    if not count or not faces:
        raise ValueError(f"it holds {count} points and {faces} faces; use a file with a surface, not a point cloud")
    limits.check_faces(faces)
    limits.check_vertices(count)
    if 2 * (count + faces) > len(data):
        raise ValueError(f"its head says {count} vertices and {faces} faces, which it is too short for: {_SHORT}")
    body = data[start:]
    rows = _by_lines(body, kind, count, faces) or _by_words(body, kind, count, faces)
    if rows is None:
        raise ValueError(_SHORT)
    return _mesh(rows, kind, path.stem, limits, notes)


def _head(data: bytes) -> tuple[_Kind, int, int, int]:
    """(kind, vertices, faces, where the rows begin)."""
    kind, wanted, found, at, known = _Kind(), 2, list[int](), 0, False
    for line in lines_of(data):
        at += len(line)
        text = line.split(b"#")[0].strip()
        if not known and text:
            first = _FIRST.match(text)
            known = True
            if first:
                st, colour, normal, four, n, text = first.groups()
                kind = _Kind(4 if four else 3, normal is not None, colour is not None, st is not None)
                wanted = 3 if n else 2
        if text[:6].upper().strip() == b"BINARY":
            raise ValueError("it is a binary OFF file; save it as text, or as PLY or GLB")
        try:
            found += [int(word) for word in text.split()]
        except ValueError:
            raise ValueError("it does not begin as an OFF file; export or download it again") from None
        if len(found) >= wanted:
            break
    if len(found) < wanted or min(found) < 0:
        raise ValueError("it does not say how many vertices and faces it holds; export or download it again")
    if wanted == 3 and found.pop(0) != 3:
        raise ValueError("its vertices do not have three dimensions; export it again")
    return kind, found[0], found[1], at


def _by_lines(data: bytes, kind: _Kind, count: int, faces: int) -> _Rows | None:
    """One row a line, as nearly all are written; None where a line holds too little."""
    lines = _rows(data)
    values, width = array("d"), 0
    for _, words in zip(range(count), lines, strict=False):
        width = width or len(words)
        if len(words) < max(kind.least, width):
            return None
        values.extend(_floats(words[:width]))
    if not width or len(values) < count * width:
        return None
    rows = _Rows(shaped(np.frombuffer(values, np.float64), count, width))
    for _, words in zip(range(faces), lines, strict=False):
        try:
            size = int(words[0])
            corners = [int(word) for word in words[1 : size + 1]]
        except ValueError as error:
            raise ValueError(_SHORT) from error
        if size < 0 or len(corners) < size:
            return None
        _add_face(rows, corners)
        colour = tuple(_floats(words[size + 1 : size + 5]))
        if len(rows.colours) < 2 and colour not in rows.colours:
            rows.colours.append(colour)
    return rows if len(rows.sizes) == faces else None


def _rows(data: bytes) -> Iterator[list[bytes]]:
    for line in lines_of(data):
        words = line.split(b"#", 1)[0].split()
        if words:
            yield words


def _by_words(data: bytes, kind: _Kind, count: int, faces: int) -> _Rows | None:
    """Rows that do not keep to lines: then a face has no colour, and colours of vertices have four numbers."""
    try:
        values = numbers(re.sub(rb"#[^\n]*", b"", data))
    except ValueError as error:
        raise ValueError(_SHORT) from error
    width = kind.least + 4 * kind.colours
    at = count * width
    if at > len(values):
        return None
    rows = _Rows(shaped(values[:at], count, width))
    for _ in range(faces):
        if at >= len(values) or not 0 <= values[at] < len(values) - at:
            return None
        size = int(values[at])
        corners = values[at + 1 : at + 1 + size]
        if not (np.abs(corners) < 2**62).all():
            return None
        _add_face(rows, corners.astype(np.int64).tolist())
        at += 1 + size
    return rows


def _add_face(rows: _Rows, corners: list[int]) -> None:
    try:
        rows.corners.extend(corners)
    except OverflowError as error:
        raise ValueError(_SHORT) from error
    rows.sizes.append(len(corners))


def _floats(words: list[bytes]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise ValueError(_SHORT) from error


def _mesh(rows: _Rows, kind: _Kind, name: str, limits: Limits, notes: Notes) -> Mesh:
    table = rows.vertices
    vertices = table[:, :3]
    if kind.places == 4:
        with np.errstate(all="ignore"):
            vertices = vertices / table[:, 3:4]
    at = kind.places
    normals = table[:, at : at + 3] if kind.normals else None
    at += 3 * kind.normals
    end = table.shape[1] - 2 * kind.uvs
    colours = _colours(table[:, at:end]) if kind.colours and end - at >= 3 else None
    if end > at and colours is None:
        notes.add("words behind the vertices' coordinates are left out")
    sizes, corners = np.frombuffer(rows.sizes, np.int64), np.frombuffer(rows.corners, np.int64)
    keep = sizes >= 3
    if not keep.all():
        notes.add("faces with fewer than three corners are left out")
        corners, sizes = corners[np.repeat(keep, sizes)], sizes[keep]
    if not len(sizes):
        raise ValueError("it holds no faces; use a file with a surface, not a point cloud")
    if int(corners.min()) < 0 or int(corners.max()) >= len(vertices):
        raise ValueError(f"a face uses a vertex that is none of 0 to {len(vertices) - 1}; {_SHORT}")
    picked, _ = cut_faces(vertices, corners, sizes, limits, notes)
    piece = Piece(vertices, corners[picked], 0, table[:, end:] if kind.uvs else None, None, normals, colours)
    return join([piece], [_part(rows.colours, notes)], name, notes)


def _colours(values: Array) -> Array:
    """Red, green, blue and opacity, of 0 to 1 or of 0 to 255."""
    values = values[:, :4]
    if values.shape[1] == 4 and (values[:, 3] >= (255 if values.max() > 1 else 1)).all():
        values = values[:, :3]
    return (values / 255 if values.max() > 1 else values).astype(np.float32)


def _part(colours: list[tuple[float, ...]], notes: Notes) -> Part:
    """One colour of all faces is the material's."""
    colour = np.array(colours[0][:3]) if len(colours) == 1 and len(colours[0]) >= 3 else None
    if colour is None or not np.isfinite(colour).all():
        if any(colours):
            notes.add("colours of faces are left out")
        return Part("material")
    r, g, b = (min(max(float(v), 0.0), 1.0) for v in (colour / 255 if colour.max() > 1 else colour))
    return Part("material", None, (r, g, b, 1.0))
