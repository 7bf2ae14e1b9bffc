"""Files that users name: those of the host's input folder, nothing outside of it, and those that come with the pack."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from . import host
from .pictures import ASSETS


def input_path(name: str) -> Path:
    """A path in the host's input folder, whether there is something or not. Raises ValueError when it leads outside."""
    root = Path(host.input_folder()).resolve()
    if "\0" in name:
        raise ValueError(f"{name!r} is no name of a file; type it again")
    path = (root / name.strip()).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f"'{name}' lies outside of ComfyUI's input folder; copy it there")
    return path


def input_file(name: str, shipped: Sequence[str] = (), fix: str = "copy it there and give its name") -> Path:
    """A file of the host's input folder, else the one of that name which comes with the pack.

    shipped: endings (".glb") of the pack's files that may be named. Raises ValueError with ``fix`` when there is none,
    and as ``input_path``.
    """
    path = input_path(name)
    if path.is_file():
        return path
    if name.strip() in _shipped(shipped):
        return ASSETS / name.strip()
    raise ValueError(f"file '{name}' is not in ComfyUI's input folder; {fix}")


def list_files(endings: Sequence[str], shipped: Sequence[str] = ()) -> list[str]:
    """Files with these endings in the host's input folder and below its folder 3d, where the host keeps models, and
    those that come with the pack; names as ``input_file`` takes them, sorted."""
    root = Path(host.input_folder())
    found = {p for p in (*root.glob("*"), *(root / "3d").rglob("*")) if p.suffix.lower() in endings and p.is_file()}
    return sorted({p.relative_to(root).as_posix() for p in found} | set(_shipped(shipped)))


def content_digest(path: Path) -> str:
    """Of a file that may be large. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def _shipped(endings: Sequence[str]) -> list[str]:
    return [p.name for p in ASSETS.iterdir() if p.suffix in endings]
