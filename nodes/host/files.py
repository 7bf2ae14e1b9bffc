"""Folders of the host."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from ...renderers.files.names import checked_prefix, with_dates


def picture_path(prefix: str, width: int, height: int, kind: str = "temp") -> tuple[str, str, int, str]:
    """(folder, file name, counter, subfolder) for a new picture in the host's temp folder, or the output folder. Raises
    ValueError for a prefix that leads outside of it, or is no name (see ``checked_prefix``)."""
    prefix = check_prefix(prefix, kind)
    try:
        return folder_paths_module().get_save_image_path(prefix, folder_of(kind), width, height)[:4]
    except Exception as error:  # (the host raises plain ones)
        reason = error.strerror if isinstance(error, OSError) else "ComfyUI refuses it"
        raise ValueError(f"filename_prefix '{prefix[:100]}' cannot be used ({reason}); choose another name") from error


def check_prefix(prefix: str, kind: str) -> str:
    """The prefix with its dates filled in. Raises ValueError as ``picture_path``."""
    prefix = checked_prefix(with_dates(prefix, datetime.now()), f"ComfyUI's {kind} folder")
    root = folder_of(kind)
    # (the host would say so in several lines)
    below = Path(os.path.abspath(os.path.join(root, prefix)))
    if not below.is_relative_to(os.path.abspath(root)):
        raise ValueError(f"filename_prefix '{prefix}' leads outside of ComfyUI's {kind} folder; use a name below it")
    return prefix


def metadata_disabled() -> bool:
    """Whether the host was started with --disable-metadata: nothing that it saves says where it came from."""
    from comfy.cli_args import args

    return bool(getattr(args, "disable_metadata", False))


def input_folder() -> str:
    return folder_of("input")


def folder_of(kind: str) -> str:
    """The host's folder of a kind: input, output or temp."""
    return getattr(folder_paths_module(), f"get_{kind}_directory")()


def user_folder() -> str:
    """Where the host keeps what belongs to its users; it lasts, unlike the temp folder."""
    paths = folder_paths_module()
    return paths.get_user_directory() if hasattr(paths, "get_user_directory") else paths.user_directory


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
