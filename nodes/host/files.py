"""Folders of the host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def picture_path(prefix: str, width: int, height: int, kind: str = "temp") -> tuple[str, str, int, str]:
    """(folder, file name, counter, subfolder) for a new picture in the host's temp folder, or the output folder. Raises
    ValueError for a prefix that leads outside of it."""
    folder_paths = folder_paths_module()
    root = folder_paths.get_output_directory() if kind == "output" else folder_paths.get_temp_directory()
    # (the host would say so in several lines)
    below = Path(os.path.abspath(os.path.join(root, prefix)))
    if not below.is_relative_to(os.path.abspath(root)):
        raise ValueError(f"filename_prefix '{prefix}' leads outside of ComfyUI's {kind} folder; use a name below it")
    return folder_paths.get_save_image_path(prefix, root, width, height)[:4]


def input_folder() -> str:
    return folder_of("input")


def folder_of(kind: str) -> str:
    """The host's folder of a kind: input, output or temp."""
    return getattr(folder_paths_module(), f"get_{kind}_directory")()


def folder_paths_module() -> Any:
    """The host's module of folders, under whichever name this release keeps it."""
    try:
        import folder_paths
    except ImportError:
        from comfy.cmd import folder_paths
    return folder_paths


def model_folders(kind: str) -> list[str]:
    """The folders where users keep models of a kind ('diffusers', 'checkpoints', ...)."""
    return [str(p) for p in folder_paths_module().get_folder_paths(kind)]
