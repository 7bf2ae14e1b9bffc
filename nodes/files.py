"""Files that users name: those of the host's input folder, nothing outside of it, and those that come with the pack;
and files that other nodes name, in any of the host's folders for them.

Files that come with the pack: where they are, and the exemplar pictures among them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..renderers.files.names import shortened
from . import host

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def shipped_pictures() -> list[str]:
    """Names of the shipped pictures, without ending."""
    return sorted(path.stem for path in ASSETS.glob("*.png"))


def load_picture(name: str) -> Tensor:
    """A shipped picture -> [1, H, W, 3] in [0, 1]. Raises ValueError for a name that is not shipped."""
    if name not in shipped_pictures():
        raise ValueError(f"picture '{name}' does not come with this pack; use one of {', '.join(shipped_pictures())}")
    with Image.open(ASSETS / f"{name}.png") as picture:
        return torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255.0)[None]


# Bytes of a file that is not read to see whether it has changed.
_LARGE = 64 << 20


def input_path(name: str) -> Path:
    """A path in the host's input folder, whether there is something or not. Raises ValueError when it leads outside."""
    return _inside(Path(host.input_folder()).resolve(), name, "input")


def input_file(name: str, shipped: Sequence[str] = (), fix: str = "copy it there and give its name") -> Path:
    """A file of the host's input folder, else the one of that name which comes with the pack.

    shipped: endings (".glb") of the pack's files that may be named. Raises ValueError with ``fix`` when there is none,
    and as ``input_path``.
    """
    path = input_path(name)
    if not path.is_file() and "\\" in name:  # (written on Windows)
        path = input_path(name.replace("\\", "/"))
    if path.is_file():
        return path
    if name.strip() in _shipped(shipped):
        return ASSETS / name.strip()
    raise ValueError(f"file '{_short(name)}' is not in ComfyUI's input folder; {fix}")


def given_file(path: str) -> tuple[Path, Path]:
    """(The file that another node names, the host's folder that it lies in: input, output or temp).

    path: whole, or below one of the three folders; ' [input]', ' [output]' or ' [temp]' behind it says which, as the
    host writes it. Raises ValueError for none, for a path outside the folders, for one that is not there, and for one
    that is there in several.
    """
    words = path.strip()
    if not words:
        raise ValueError("the path is empty; the node that it comes from names no file: choose one there")
    kinds = ("input", "output", "temp")
    for kind in kinds:
        if words.endswith(f"[{kind}]"):
            words, kinds = words.removesuffix(f"[{kind}]").strip(), (kind,)
            break
    roots = [Path(host.folder_of(kind)).resolve() for kind in kinds]
    inside = [(root, root / words) for root in roots if _leads_into(root, words)]
    if not inside:
        raise ValueError(f"'{_short(path)}' lies outside of ComfyUI's {' and '.join(kinds)} folders; copy it there")
    found = {file.resolve(): root for root, file in reversed(inside) if _is_file(file)}
    if not found:
        raise ValueError(f"there is no file '{_short(path)}' in ComfyUI's {' or '.join(kinds)} folder; check the path")
    if len(found) > 1:
        where = " and ".join(sorted(root.name for root in found.values()))
        raise ValueError(f"'{words}' is in {where}; write which is meant behind it, e.g. '{words} [output]'")
    return next(iter(found.items()))


def list_files(endings: Sequence[str], shipped: Sequence[str] = ()) -> list[str]:
    """Files with these endings in the host's input folder and below its folder 3d, where the host keeps models, and
    those that come with the pack; names as ``input_file`` takes them, sorted. Links that lead out of the input folder
    are left out: ``input_file`` and the host refuse them."""
    root = Path(host.input_folder())
    real = root.resolve()
    found = {p for p in (*root.glob("*"), *(root / "3d").rglob("*")) if p.suffix.lower() in endings and p.is_file()}
    inside = {p for p in found if p.resolve().is_relative_to(real)}
    return sorted({p.relative_to(root).as_posix() for p in inside} | set(_shipped(shipped)))


def _inside(root: Path, name: str, kind: str) -> Path:
    if "\0" in name:
        raise ValueError(f"{name!r} is no name of a file; type it again")
    if not _leads_into(root, name.strip()):
        raise ValueError(f"'{_short(name)}' lies outside of ComfyUI's {kind} folder; copy it there")
    path = (root / name.strip()).resolve()
    try:
        path.exists()
    except OSError as error:
        raise ValueError(f"'{_short(name)}' is no name of a file ({error.strerror}); type it again") from error
    return path


def _leads_into(root: Path, name: str) -> bool:
    try:
        return (root / name).resolve().is_relative_to(root)
    except (OSError, ValueError, RuntimeError):  # a null byte, a name that is too long, a circle of links
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _short(name: str) -> str:
    return shortened(name, 200)


def content_digest(path: Path) -> str:
    """Of a file that may be large. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def state_of(path: Path) -> str:
    """Changes when a file does: its content, or its size and date where reading it would take long. Raises OSError."""
    status = path.stat()
    if status.st_size > _LARGE:
        return f"{status.st_size} {status.st_mtime_ns}"
    return content_digest(path)


def input_state(name: str) -> str:
    """Changes when a file of the input folder does, which may be another one under the same name."""
    try:
        return f"{name} {state_of(input_file(name))}"
    except (OSError, ValueError):
        return name


def _shipped(endings: Sequence[str]) -> list[str]:
    return [p.name for p in ASSETS.iterdir() if p.suffix in endings]
