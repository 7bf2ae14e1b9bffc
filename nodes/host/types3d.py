"""The host's own types of meshes, splats and 3D files, where it has them."""

from __future__ import annotations

import inspect
from io import BytesIO
from pathlib import Path
from typing import Any

from .files import folder_of

try:
    from comfy_api import latest as _latest
except ImportError:  # (a host older than this interface)
    _latest = None

_TYPES = getattr(_latest, "Types", None)
_MESH: Any = getattr(_TYPES, "MESH", None)
_SPLAT: Any = getattr(_TYPES, "SPLAT", None)
_FILE: Any = getattr(_TYPES, "File3D", None)

HAS_MESH, HAS_SPLAT, HAS_FILE_3D = _MESH is not None, _SPLAT is not None, _FILE is not None
# Whether the host says where its 3D viewer put a model (LOAD3D_MODEL_INFO). Viewers that do leave models where their
# files put them; older ones scale and move every model.
HAS_MODEL_INFO = getattr(getattr(_latest, "IO", None), "Load3DModelInfo", None) is not None


def new_mesh(**attributes: Any) -> Any:
    """The host's mesh with these attributes; those that its own constructor does not know are set all the same."""
    return _made(_MESH, attributes)


def new_splat(**attributes: Any) -> Any:
    """The host's splats with these attributes."""
    return _made(_SPLAT, attributes)


def _made(kind: Any, attributes: dict[str, Any]) -> Any:
    known = inspect.signature(kind).parameters
    value = kind(**{name: v for name, v in attributes.items() if name in known})
    for name in attributes.keys() - known.keys():
        setattr(value, name, attributes[name])
    return value


def saved_file_3d(below: str) -> Any | None:
    """The host's 3D file for one below its output folder; None where the host has no such thing."""
    return None if _FILE is None else _FILE(str(Path(folder_of("output"), below)))


def file_3d_content(value: Any) -> tuple[Path | bytes, str]:
    """(The path of a 3D file on disk, or its bytes in memory; its format in small letters without a dot, "" where it
    says none). Raises ValueError for what is no such file."""
    if not all(hasattr(value, name) for name in ("format", "get_source", "get_bytes")):
        raise ValueError(f"a {type(value).__name__} is no 3D file; connect a FILE_3D output, or nothing")
    kind = str(value.format or "").lower().lstrip(".")
    source = value.get_source()
    if isinstance(source, str | Path):
        return Path(source), kind or Path(source).suffix.lower().lstrip(".")
    data = value.get_bytes()
    return bytes(data.getvalue() if isinstance(data, BytesIO) else data), kind
