"""3D files that other nodes hand over (FILE_3D): on disk or in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...renderers.files.atomic import write_all
from ...renderers.files.leftovers import private_folder
from .files import folder_of
from .types3d import file_3d_content

# What an input has that nothing is linked to: None is what a node gives that has no file.
NOTHING: Any = ""
_MARKS = ((b"glTF", "glb"), (b"ply", "ply"))


@contextmanager
def model_file(model: Any, endings: Sequence[str], other: str) -> Iterator[tuple[Path, Path]]:
    """(A 3D file as one on disk, the folder that its textures must lie in), while it is being read.

    endings: ".glb" and the like, that can be read; other: what to do with others. Raises ValueError for None, for what
    is no 3D file, for one that is not there, and for other formats.
    """
    if model is None:
        raise ValueError("the node that model_3d comes from gives no file; choose one there")
    content, kind = file_3d_content(model)
    if isinstance(content, Path) and not content.is_file():
        raise ValueError(f"there is no file '{content}'; run the node that model_3d comes from again")
    if not kind:
        head = content.open("rb").read(4) if isinstance(content, Path) else content[:4]
        kind = next((name for mark, name in _MARKS if head.startswith(mark)), "")
    if f".{kind}" not in endings:
        said = f"of format '{kind}'" if kind else "that says no format"
        raise ValueError(f"a 3D file {said} cannot be read here: {other}")
    if isinstance(content, Path) and content.suffix.lower() == f".{kind}":
        yield content.resolve(), _folder(content.resolve())
        return
    data = content.read_bytes() if isinstance(content, Path) else content
    with private_folder() as folder:
        (path,) = write_all(folder.resolve(), {f"model.{kind}": data})
        yield path, path.parent


def _folder(path: Path) -> Path:
    """The host's folder that a file lies in, else its own."""
    roots = [Path(folder_of(kind)).resolve() for kind in ("input", "output", "temp")]
    return next((root for root in roots if path.is_relative_to(root)), path.parent)
