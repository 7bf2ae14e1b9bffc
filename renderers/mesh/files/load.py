"""Mesh files: OBJ, GLB, glTF, PLY, STL, OFF -> ``Mesh``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ...arrays import norm
from ..mesh import Mesh
from .gltf.file import short
from .gltf.read import read_gltf
from .obj_read import read_obj
from .off_read import read_off
from .pieces import MAX_FACES, Limits, Notes
from .ply_read import read_ply
from .stl_read import read_stl

_READERS: dict[str, Callable[[Path, Path, Limits, Notes], Mesh]] = {
    ".obj": read_obj,
    ".glb": read_gltf,
    ".gltf": read_gltf,
    ".ply": read_ply,
    ".stl": read_stl,
    ".off": read_off,
}
ENDINGS = tuple(_READERS)


@dataclass(frozen=True)
class Loaded:
    """A mesh, and in plain sentences what its file held besides."""

    mesh: Mesh
    notes: tuple[str, ...]


def load_mesh(
    path: str | Path, textures: str = "load", root: str | Path | None = None, max_faces: int = MAX_FACES
) -> Loaded:
    """Read a mesh file.

    The file's coordinates, vertex order, texture coordinates, normals and materials are kept; a seam splits texture
    coordinates, not vertices, where the format can say so (OBJ). textures: ``load`` those that the file names, or
    ``ignore`` them. root: the folder in which referred files (MTL, textures, buffers) must lie; the mesh's own by
    default.

    Raises ValueError, one line that names the file and the fix, for: an unknown format; a file without faces, with NaN,
    cut off or damaged; more than ``max_faces`` faces; a missing texture; Draco or other required extensions; textures
    of too many pixels; too little memory; a file that cannot be read.
    """
    path = Path(path)
    if textures not in ("load", "ignore"):
        raise ValueError(f"textures '{textures}' is unknown; use load or ignore")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"'{path.name}' is no format that is read; use {', '.join(e[1:].upper() for e in ENDINGS)}")
    if not path.is_file():
        raise ValueError(f"the file '{path.name}' does not exist; check its name")
    notes = Notes()
    try:
        if path.stat().st_size == 0:
            raise ValueError("it is empty; export or download it again")
        mesh = reader(path, Path(root) if root is not None else path.parent, Limits(max_faces, textures), notes)
        if not bool(torch.isfinite(norm(mesh.used.double(), 1)).all()):
            raise ValueError("its coordinates are too large; scale it down")
        _ = mesh.radius
    except OSError as error:
        raise ValueError(f"'{path.name}': it cannot be read ({error.strerror or error}); check the file") from error
    except (MemoryError, RecursionError) as error:
        raise ValueError(f"'{path.name}': it needs more memory than there is; use a smaller file") from error
    except ValueError as error:
        raise ValueError(f"'{path.name}': {' '.join(str(error).split())[:900]}") from error
    except Exception as error:  # a reader stumbled over what no writer should have written
        said = short(f"{type(error).__name__}: {error}")
        raise ValueError(f"'{path.name}': it is damaged or written wrongly ({said}); export it again") from error
    return Loaded(mesh, tuple(notes.lines))
