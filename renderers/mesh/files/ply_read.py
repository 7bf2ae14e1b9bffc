"""PLY meshes: triangles, polygons and strips, texture coordinates and colours of vertices or of faces' corners.

Read here because trimesh refuses binary files that mix triangles and quads, as Blender writes them, and splits or
smears texture coordinates of corners.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...arrays import Array, shaped
from ...files.ply_header import Header
from ..material import Part
from ..mesh import Mesh
from .gltf.file import Missing, short
from .pieces import Limits, Notes, Piece, join, parted
from .ply_table import Column, read_header, read_table, textures_of
from .polygons import cut_faces
from .text_file import decoded, named_file

_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))
_COLOURS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))


def read_ply(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """A PLY file -> Mesh; a ``comment TextureFile`` is its texture, several are parts by the faces' ``texnumber``.
    Raises ValueError as ``load_mesh``."""
    data = path.read_bytes()
    header = read_header(data)
    faces, points = header.count("face"), header.count("vertex")
    if not faces and not header.count("tristrips"):
        raise ValueError(f"it holds {points} points and no faces (a point cloud, or splats); use a mesh")
    limits.check_faces(faces)
    limits.check_vertices(points)
    table, longer = read_table(data, header, {"vertex", "face", "tristrips"})
    if longer:
        notes.add("its lines hold more values than its header says: what is beyond is left out")
    vertex, face = table.get("vertex", {}), table.get("face", {})
    vertices = _columns(vertex, ("x", "y", "z"))
    if vertices is None:
        raise ValueError("its vertices have no x, y and z; export it again")
    index = face.get("vertex_indices", face.get("vertex_index"))
    if faces and (index is None or index.sizes is None):
        raise ValueError("its faces name no vertices; export it again")
    numbers = None
    if faces and index is not None:
        piece, numbers = _faces(vertices, index, face, limits, notes)
    else:
        piece = Piece(vertices, _strips(table["tristrips"], len(vertices), limits), 0)
    if piece.uvs is None:
        piece.uvs = next((uvs for names in _UV_NAMES if (uvs := _columns(vertex, names)) is not None), None)
    piece.normals = _columns(vertex, ("nx", "ny", "nz"))
    piece.colours = _colours(vertex)
    if piece.colours is None and any(name in vertex for names in _COLOURS[:2] for name in names):
        notes.add("vertex colours are left out: they are not red, green and blue")
    for element in header.elements:
        if element.name not in ("vertex", "face") and element.count and (faces or element.name != "tristrips"):
            notes.add(f"{element.count} '{short(element.name)}' entries are left out")
    parts = _parts(header, path, root, limits, numbers, face, notes)
    mesh = join([piece], parts[:1], path.stem, notes)
    return mesh if numbers is None or len(parts) == 1 else parted(mesh, numbers, parts)


def _columns(table: dict[str, Column], names: tuple[str, ...]) -> Array | None:
    """float64 [rows, names], None where one is missing or is a list."""
    found = [table[name] for name in names if name in table and table[name].sizes is None]
    return np.stack([c.values.astype(np.float64) for c in found], 1) if len(found) == len(names) else None


def _colours(vertex: dict[str, Column]) -> Array | None:
    """float32 [V, 3], or [V, 4] where opacities say something; whole numbers are shares of their type's largest."""
    for names in _COLOURS:
        for wanted in ((*names, "alpha"), names):
            found = _columns(vertex, wanted)
            if found is None:
                continue
            for i, name in enumerate(wanted):
                kind = vertex[name].kind
                if kind[0] != "f":
                    found[:, i] /= 255 if kind[1] in "148" else np.iinfo(kind).max
            if found.max(initial=0) > 1:  # floats of 0 to 255
                found /= 255
            whole = found.shape[1] == 4 and (found[:, 3] >= 1).all()
            return (found[:, :3] if whole else found).astype(np.float32)
    return None


def _parts(
    header: Header,
    path: Path,
    root: Path,
    limits: Limits,
    numbers: Array | None,
    face: dict[str, Column],
    notes: Notes,
) -> list[Part]:
    """One part a texture, if faces say which they have; else one with the first texture."""
    material = Part("material", None, _face_colour(face, notes))
    names = textures_of(header)
    if limits.textures != "load" or not names:
        return [material]
    several = len(names) > 1 and numbers is not None
    if len(names) > 1 and not several:
        notes.add(f"it names {len(names)} textures and no face says which it has: the first is used")
    wanted = set(np.unique(numbers).tolist()) if numbers is not None and several else {0}
    if not (min(wanted) >= 0 and max(wanted) < len(names)):
        raise ValueError(f"a face has texture {max(wanted)} of {len(names)}; export it again")
    parts: list[Part] = []
    for number, name in enumerate(names if several else names[:1]):
        if number not in wanted:
            parts.append(Part(f"material {number + 1}"))
            continue
        shown = short(decoded(name))
        try:
            texture = limits.pictures.read(named_file(name, [path.parent], root), f"texture '{shown}'")
        except Missing as error:
            raise Missing(f"{error}, or set textures to ignore") from None
        parts.append(Part(f"material {number + 1}" if several else "material", texture))
    return parts


def _face_colour(face: dict[str, Column], notes: Notes) -> tuple[float, float, float, float]:
    """The one colour of all faces; white, and a note, where they have several."""
    found = _colours(face)
    if found is None or not len(found):
        return (1.0, 1.0, 1.0, 1.0)
    if not (found == found[0]).all():
        notes.add("colours of faces are left out")
        return (1.0, 1.0, 1.0, 1.0)
    r, g, b = found[0, :3].clip(0, 1).tolist()
    return r, g, b, 1.0


def _faces(
    vertices: Array, index: Column, face: dict[str, Column], limits: Limits, notes: Notes
) -> tuple[Piece, Array | None]:
    """(faces with the texture coordinates that corners have of their own, the texture's number of each face)."""
    corners = _whole(index.values, len(vertices))
    sizes = index.sizes if index.sizes is not None else np.zeros(0, np.int64)
    own, uvs = face.get("texcoord"), None
    if own is not None and own.sizes is not None:
        if np.array_equal(own.sizes, 2 * sizes):
            uvs = shaped(own.values, -1, 2).astype(np.float64)
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
    picked, polygon = cut_faces(vertices, corners, sizes, limits, notes)
    texture = face.get("texnumber")
    numbers = None
    if texture is not None and texture.sizes is None:
        numbers = np.nan_to_num(texture.values.astype(np.float64), nan=-1).astype(np.int64)[keep][polygon]
    if uvs is None:
        return Piece(vertices, corners[picked], 0), numbers
    # Corners of one vertex with the same coordinate share it: what is joined in the texture stays joined.
    rows = np.concatenate([corners[:, None].astype(np.float64), uvs], 1)
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return Piece(vertices, corners[picked], 0, uvs[first], shaped(inverse, -1)[picked]), numbers


def _whole(values: Array, count: int) -> Array:
    """Indices of vertices. Raises ValueError for others than 0 to count - 1."""
    if values.size and not ((values >= 0) & (values < count)).all():
        raise ValueError(f"a face uses a vertex that is none of 0 to {count - 1}; export or download it again")
    return values.astype(np.int64)


def _strips(table: dict[str, Column], count: int, limits: Limits) -> Array:
    """Strips of triangles, ended by -1 or by their row -> faces [F, 3]; every second one turns over."""
    index = table.get("vertex_indices", table.get("vertex_index"))
    if index is None or index.sizes is None:
        raise ValueError("its strips name no vertices; export it again")
    limits.check_faces(len(index.values) // 3)
    ends = np.cumsum(index.sizes)
    values = np.insert(index.values.astype(np.int64), ends, -1)
    stops = values == -1
    _whole(values[~stops], count)
    place = np.arange(len(values))
    step = place - np.maximum.accumulate(np.where(stops, place + 1, 0))
    three = np.stack([values[:-2], values[1:-1], values[2:]], 1)
    whole = ~(stops[:-2] | stops[1:-1] | stops[2:])
    whole &= (three[:, 0] != three[:, 1]) & (three[:, 1] != three[:, 2]) & (three[:, 0] != three[:, 2])
    three[step[:-2] % 2 == 1] = three[step[:-2] % 2 == 1][:, [1, 0, 2]]
    if not whole.any():
        raise ValueError("it holds no faces; use a file with a surface")
    limits.check_faces(int(whole.sum()))
    return three[whole]
