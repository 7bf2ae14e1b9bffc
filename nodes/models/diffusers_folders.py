"""Model folders in the layout of the diffusers library: finding them, and reading them without running anything.

Only JSON and safetensors files are read; weights as pickles (.bin) can hold code and are refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from .. import host

UNET, TEXT, VAE = "diffusion_pytorch_model", "model", "diffusion_pytorch_model"
NO_FOLDER = "(no folder with unet/config.json in models/diffusers)"
NO_TEXT_FOLDER = "(no folder with text_encoder/config.json in models/diffusers)"
_DEPTH = 3


def list_folders(part: str) -> list[str]:
    """Names (relative, '/') of the folders below models/diffusers that hold ``part``/config.json, sorted."""
    found: set[str] = set()
    for root in host.model_folders("diffusers"):
        for here, below, _ in os.walk(root, followlinks=True):
            relative = PurePosixPath(Path(here).relative_to(root).as_posix())
            if len(relative.parts) >= _DEPTH:
                below.clear()
            if relative.parts and Path(here, part, "config.json").is_file():
                found.add(str(relative))
                below.clear()
    return sorted(found)


def find_folder(name: str, part: str) -> Path:
    """The folder of that name below one of the host's models/diffusers folders.

    Raises ValueError for a name that leads elsewhere, and when no such folder holds ``part``/config.json.
    """
    if name in (NO_FOLDER, NO_TEXT_FOLDER):
        raise ValueError(f"there is no model {name.strip('()')}; put one there and refresh the page")
    relative = PurePosixPath(name.replace("\\", "/"))
    parts = relative.parts
    if not parts or relative.is_absolute() or ".." in parts or ":" in name:
        raise ValueError(f"'{name}' is not the name of a folder below models/diffusers; choose one from the list")
    roots = host.model_folders("diffusers")
    for root in roots:
        folder = Path(root, *parts)
        if (folder / part / "config.json").is_file():
            return folder
    raise ValueError(f"'{name}' has no {part}/config.json; a diffusers folder has one: copy the whole folder again")


def folder_state(name: str, part: str) -> str:
    """Changes when a file that a node reads changes (path, size and time of all JSON and safetensors files)."""
    try:
        folder = find_folder(name, part)
    except ValueError:
        return ""
    digest = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.suffix in (".json", ".safetensors", ".txt", ".model")):
        status = file.stat()
        digest.update(f"{file.relative_to(folder)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object. Raises ValueError (one line) when the file is missing or is something else."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{_short(file)} is missing; copy the whole folder again") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{_short(file)} cannot be read ({first_line(error)}); copy it again") from error
    if not isinstance(value, dict):
        raise ValueError(f"{_short(file)} is not a JSON object; copy it again")
    return value


def weight_files(folder: Path, stem: str, half: bool) -> tuple[list[Path], str]:
    """The safetensors files of one part of a model, and their variant ('' or 'fp16').

    One file or several with an index; the fp16 variant first when ``half``. Raises ValueError when there are none, and
    for an index that names files elsewhere.
    """
    for variant in ("fp16", "") if half else ("", "fp16"):
        suffix = f".{variant}" if variant else ""
        single = folder / f"{stem}{suffix}.safetensors"
        if single.is_file():
            return [single], variant
        index = folder / f"{stem}.safetensors.index{suffix}.json"
        if index.is_file():
            return _of_index(index), variant
    if any(folder.glob("*.bin")) or any(folder.glob("*.ckpt")):
        raise ValueError(
            f"{folder.parent.name}/{folder.name} has its weights only as .bin, which can hold code and is never "
            "loaded; save it with safe_serialization=True, or download the .safetensors files"
        )
    raise ValueError(f"{folder.parent.name}/{folder.name} has no {stem}.safetensors; copy the whole folder again")


def _of_index(index: Path) -> list[Path]:
    names = sorted({str(n) for n in dict(read_json(index).get("weight_map") or {}).values()})
    if not names:
        raise ValueError(f"{_short(index)} names no files; copy it again")
    for name in names:
        if Path(name).name != name or "\\" in name or not name.endswith(".safetensors"):
            raise ValueError(f"{_short(index)} names '{name}', which is not a safetensors file beside it")
        if not (index.parent / name).is_file():
            raise ValueError(f"{_short(index.parent / name)} is missing; copy the whole folder again")
    return [index.parent / n for n in names]


def read_weights(folder: Path, stem: str, half: bool, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
    """All tensors of one part of a model, on the CPU and of type ``dtype`` (None: as stored).

    Converted one by one, so that both copies never lie in memory. Raises ValueError (one line).
    """
    from safetensors import safe_open

    tensors: dict[str, Tensor] = {}
    for file in weight_files(folder, stem, half)[0]:
        try:
            with safe_open(file, framework="pt", device="cpu") as opened:
                for key in opened.keys():  # noqa: SIM118 (it is no mapping)
                    tensors[key] = opened.get_tensor(key).to(dtype)
        except Exception as error:  # the library's own error class is not a ValueError
            raise ValueError(f"{_short(file)} is damaged ({first_line(error)}); copy it again") from error
    return tensors


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _short(file: Path) -> str:
    """folder/part/file: enough to find it, without the machine's paths."""
    return "/".join(file.parts[-3:])


class Missing:
    """An output that this folder cannot give: using it says why, in one line; not using it costs nothing."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise MissingPart(self._reason)


class MissingPart(ValueError, AttributeError):
    """Also an AttributeError, so that ``hasattr`` answers False instead of failing."""
