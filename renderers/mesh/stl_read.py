"""STL and OFF: bare triangles, read by trimesh."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from .material import Part
from .mesh import Mesh
from .pieces import Limits, Notes, Piece, join


def read_stl(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """An STL file -> Mesh: corners at the same place become one vertex, in the order of the file.

    Raises ValueError as ``load_mesh``.
    """
    data = path.read_bytes()
    count = struct.unpack_from("<I", data, 80)[0] if len(data) >= 84 else 0
    if len(data) != 84 + 50 * count or not count:
        count = data.count(b"endfacet")
        if not count:
            raise ValueError("it holds no faces, or is cut off; export or download it again")
    limits.check_faces(count)
    mesh = _trimesh(path, "stl")
    if len(mesh.faces) != count:
        raise ValueError(f"it should hold {count} faces and {len(mesh.faces)} can be read; export it again")
    soup = np.ascontiguousarray(np.asarray(mesh.triangles, np.float32).reshape(-1, 3)) + 0.0  # (-0 is 0)
    _, first, inverse = np.unique(soup, axis=0, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    piece = Piece(soup[np.sort(first)], rank[inverse.reshape(-1)].reshape(-1, 3), 0)
    return join([piece], [Part("material")], path.stem, notes)


def read_off(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """An OFF file -> Mesh, vertex order kept. Raises ValueError as ``load_mesh``."""
    mesh = _trimesh(path, "off")
    limits.check_faces(len(mesh.faces))
    return join([Piece(np.asarray(mesh.vertices), np.asarray(mesh.faces), 0)], [Part("material")], path.stem, notes)


def _trimesh(path: Path, kind: str) -> Any:
    try:
        import trimesh
    except ImportError as error:
        raise ValueError(
            f"{kind.upper()} files need trimesh, which is not installed; install this pack's requirements.txt, or "
            "export the mesh as GLB"
        ) from error
    try:
        found = trimesh.load(path, file_type=kind, process=False)
    except MemoryError:
        raise
    except Exception as error:  # trimesh raises what it stumbles over
        raise ValueError(f"it is damaged or written wrongly ({type(error).__name__}); export it again") from error
    if not isinstance(found, trimesh.Trimesh) or len(found.faces) == 0:
        raise ValueError("it holds no faces; use a file with a surface, not a point cloud")
    return found
