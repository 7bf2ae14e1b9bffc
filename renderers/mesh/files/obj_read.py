"""Wavefront OBJ with its MTL: vertices, texture coordinates and normals keep the file's own order and indices.

Read here and not by trimesh, which splits vertices at seams and renumbers them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from ...arrays import Array, shaped, tensor_of
from ..material import Part
from ..mesh import Mesh
from .gltf.file import Missing, short
from .mtl import read_mtl
from .pieces import Limits, Notes, Piece, join, listed, parted, unit
from .polygons import cut_faces
from .text_file import decoded, lines_of, named_file, plain_text

_NOT_SURFACE = {b"l": "lines", b"p": "points", b"curv": "curves", b"curv2": "curves", b"surf": "free-form surfaces"}
# Names may hold the sign that begins a comment.
_NAMES = (b"usemtl", b"mtllib", b"o", b"g")
# Material files that are looked for.
_LIBRARIES = 100


@dataclass
class _Text:
    """What the lines say. vertices, uvs, normals, colours: numbers one after another; colours [V, 3] once a vertex has
    one. corners: vertex, uv and normal indices of every polygon's corners, -1 for none."""

    vertices: array[float] = field(default_factory=lambda: array("d"))
    colours: array[float] = field(default_factory=lambda: array("f"))
    uvs: array[float] = field(default_factory=lambda: array("d"))
    normals: array[float] = field(default_factory=lambda: array("f"))
    corners: array[int] = field(default_factory=lambda: array("i"))
    sizes: array[int] = field(default_factory=lambda: array("i"))
    owner: array[int] = field(default_factory=lambda: array("i"))
    names: dict[bytes, int] = field(default_factory=dict[bytes, int])
    libraries: dict[bytes, None] = field(default_factory=dict[bytes, None])
    objects: int = 0


def read_obj(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """An OBJ file -> Mesh; polygons are cut into triangles, one part a material, colours after coordinates are those of
    the vertices.

    Raises ValueError for lines that cannot be read, for indices of vertices that point nowhere, for a texture that is
    missing, and as ``Mesh``. A missing .mtl file and missing texture coordinates are told in ``notes``.
    """
    text = _lines(plain_text(path, "OBJ"), limits, notes)
    if not text.sizes:
        raise ValueError("it holds no faces; use a file with a surface, not points or lines")
    corners = shaped(np.frombuffer(text.corners, np.int32), -1, 3)
    vertices = shaped(np.frombuffer(text.vertices, np.float64), -1, 3) if text.vertices else np.zeros((0, 3))
    picked, polygon = cut_faces(vertices, corners[:, 0], np.frombuffer(text.sizes, np.int32), limits, notes)
    owner = np.frombuffer(text.owner, np.int32)[polygon]
    faces, face_uvs, face_normals = (corners[:, i].astype(np.int64)[picked] for i in range(3))
    if int(faces.max()) >= len(vertices):
        raise ValueError(f"a face uses vertex {int(faces.max()) + 1} of {len(vertices)}; export or download it again")
    names = [decoded(name) for name in text.names]
    uvs, inside = _texture_coordinates(text, face_uvs, owner, names, notes)
    piece = Piece(vertices, faces, 0, uvs, inside, None, _colours(text, len(vertices)))
    mesh = join([piece], [Part("material")], path.stem, notes)
    normals, corner_normals = _normals(text, mesh, face_normals, notes)
    materials = _materials(text, names, path, root, limits, notes)
    mesh = parted(mesh, owner, [materials.get(name, Part(name)) for name in names])
    if text.objects > 1 and len(mesh.parts) == 1:
        notes.add(f"{text.objects} objects share one material, and so one texture")
    return replace(mesh, normals=normals, corner_normals=corner_normals)


def _lines(data: bytes, limits: Limits, notes: Notes) -> _Text:
    text = _Text()
    current = 0
    sizes, owner, vertices = text.sizes, text.owner, text.vertices
    # A backslash at the end of a line continues it.
    for number, line in enumerate(lines_of(data.replace(b"\\\n", b" ")), 1):
        words = line.split()
        if not words:
            continue
        key = words[0]
        if b"#" in line and key not in _NAMES:
            words = line[: line.index(b"#")].split()
            if not words:
                continue
            key = words[0]
        if key == b"v":
            _append(vertices, words, 3, number)
            if len(words) >= 7:
                text.colours.extend([1.0] * (len(vertices) - 3 - len(text.colours)))
                _append(text.colours, [key, *words[4:7]], 3, number)
        elif key == b"vt":
            _append(text.uvs, words if len(words) > 2 else [*words, b"0"], 2, number)
        elif key == b"vn":
            _append(text.normals, words, 3, number)
        elif key == b"f":
            try:
                count = _face(text, words)
            except (ValueError, OverflowError) as error:
                shown = short(line.decode(errors="replace"))
                raise ValueError(f"line {number} is no face: '{shown}'; export or download it again") from error
            if count < 3:
                notes.add("faces with fewer than three corners are left out")
                continue
            if not text.names:
                text.names[b"material"] = 0
            sizes.append(count)
            owner.append(current)
            if len(sizes) > limits.max_faces:
                limits.check_faces(data.count(b"\nf "))
        elif key == b"usemtl":
            name = b" ".join(line.split(None, 1)[1:]).strip() or b"material"
            current = text.names.setdefault(name, len(text.names))
        elif key == b"mtllib" and len(words) > 1:
            text.libraries[line.split(None, 1)[1].strip()] = None
        elif key == b"o":
            text.objects += 1
        elif key in _NOT_SURFACE:
            notes.add(f"{_NOT_SURFACE[key]} in the file are left out")
    return text


def _append(values: array[float], words: list[bytes], count: int, number: int) -> None:
    """The numbers after the key of a line."""
    try:
        found = [float(word) for word in words[1 : count + 1]]
    except ValueError:
        found = []
    if len(found) != count:
        raise ValueError(
            f"a line '{short(words[0].decode(errors='replace'))}' does not hold {count} numbers (line {number}); "
            "export or download it again"
        )
    values.extend(found)


def _face(text: _Text, words: list[bytes]) -> int:
    """Append the corners of a line 'f' unless they are fewer than three -> how many they are.

    b'v/vt/vn' are indices from 1; negative ones count from the end of what was read so far. Raises ValueError.
    """
    have = (len(text.vertices) // 3, len(text.uvs) // 2, len(text.normals) // 3)
    found: list[int] = []
    for word in words[1:]:
        corner = [-1, -1, -1]
        for i, piece in enumerate(word.split(b"/", 3)[:3]):
            if piece:
                index = int(piece)
                corner[i] = index - 1 if index > 0 else have[i] + index
                if index == 0 or corner[i] < 0:
                    raise ValueError(word)
        if corner[0] < 0:
            raise ValueError(word)
        found += corner
    if len(found) >= 9:
        text.corners.extend(found)
    return len(found) // 3


def _colours(text: _Text, count: int) -> Array | None:
    if not text.colours:
        return None
    colours = np.ones((count, 3), np.float32)
    known = shaped(np.frombuffer(text.colours, np.float32), -1, 3)
    # Some write 0 to 255.
    colours[: len(known)] = known / 255 if known.max() > 1 else known
    return colours


def _texture_coordinates(
    text: _Text, face_uvs: Array, owner: Array, names: list[str], notes: Notes
) -> tuple[Array | None, Array | None]:
    count = len(text.uvs) // 2
    nowhere = face_uvs >= count
    if nowhere.any():
        notes.add(
            f"faces use texture coordinate {int(face_uvs.max()) + 1} and the file has {count}: such faces have none"
        )
        face_uvs = np.where(nowhere, -1, face_uvs)
    without = np.asarray((face_uvs < 0).any(1))
    if without.all():
        return None, None
    uvs = shaped(np.frombuffer(text.uvs, np.float64), -1, 2)
    if not without.any():
        return uvs, face_uvs
    parts = [names[int(i)] for i in np.unique(owner[without])]
    notes.add(f"part {listed(parts)} has faces without texture coordinates; others have them")
    return np.concatenate([uvs, np.zeros((1, 2))]), np.where(without[:, None], count, face_uvs)


def _normals(
    text: _Text, mesh: Mesh, face_normals: Array, notes: Notes
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """(one normal a vertex, or one a corner where vertices have several)."""
    if not text.normals or (face_normals < 0).all():
        return None, None
    table = shaped(np.frombuffer(text.normals, np.float32), -1, 3)
    if (face_normals < 0).any() or int(face_normals.max()) >= len(table):
        notes.add("some faces have no normals or wrong ones; the surface's own are used")
        return None, None
    corners = unit(tensor_of(table[face_normals]))
    if not bool(torch.isfinite(corners).all()):
        notes.add("some normals are no numbers; the surface's own are used")
        return None, None
    index, flat = mesh.faces.reshape(-1), corners.reshape(-1, 3)
    total = torch.zeros(len(mesh.vertices), 3)
    one = total.index_put((index,), flat)
    if torch.equal(one[index], flat):
        return one, None
    return unit(total.index_add(0, index, flat)), corners


def _materials(text: _Text, names: list[str], path: Path, root: Path, limits: Limits, notes: Notes) -> dict[str, Part]:
    """Part of each name that a material file knows. A name that is not found may have a comment at its end."""
    plain = {name: name.split("#")[0].strip() for name in names}
    found: dict[str, Part] = {}
    missing: list[str] = []
    files: dict[Path, None] = {}
    for library in list(text.libraries)[:_LIBRARIES]:
        for file in _library_files(library, path.parent, root, missing):
            files[file] = None
    for file in files:
        wanted = ({*names} | {*plain.values()}) - found.keys()
        found = read_mtl(file, path.parent, root, wanted, limits, notes) | found
    if missing:
        notes.add(f"the material file {listed(missing)} is missing: the materials' colours and textures are unknown")
    if len(text.libraries) > _LIBRARIES:
        notes.add(f"it names {len(text.libraries)} material files; {_LIBRARIES} are looked for")
    for name in names:
        if name not in found and plain[name] in found:
            found[name] = replace(found[plain[name]], name=plain[name])
    unknown = [name for name in names if name not in found]
    if files and unknown:
        notes.add(f"material {listed(unknown)} is not in the material file; it is white")
    return found


def _library_files(line: bytes, folder: Path, root: Path, missing: list[str]) -> Iterable[Path]:
    """The files of a line mtllib: one whose name may hold blanks, or several, of which each ends in .mtl or stands in
    quotes. Names of files that are not there go to ``missing``."""
    try:
        return [named_file(line, [folder], root)]
    except Missing:
        pass
    names, words = list[bytes](), line.split()
    while words:
        name = words.pop(0)
        ends = (b'"',) if name.startswith(b'"') else (b".mtl",)
        while words and not (name.lower().endswith(ends) and len(name) > 1):
            name += b" " + words.pop(0)
        if name.startswith(b"#"):
            break
        names.append(name.strip(b'"'))
    found: list[Path] = []
    for name in names[:_LIBRARIES]:
        try:
            found.append(named_file(name, [folder], root))
        except Missing:
            missing.append(short(decoded(name)))
    return found
