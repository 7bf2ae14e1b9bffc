"""The folder a host works in: this pack linked into custom_nodes, the pictures of assets/ as input images."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# No dots: the pip host imports a pack under its folder name, where a dot would mean a parent package.
PACK_FOLDER = "ComfyUI-SyncTweedies"
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".run", "output", "__pycache__", ".*_cache", ".hypothesis")


def build(base: Path, root: Path, models: Path | None = None) -> None:
    """Lay out ``base`` for a host. Safe to repeat on an existing folder."""
    for name in ("custom_nodes", "input", "user", "temp"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link_folder(root, base / "custom_nodes" / PACK_FOLDER)
    for picture in sorted((root / "assets").glob("*.png")):
        shutil.copyfile(picture, base / "input" / picture.name)
    if models is not None:
        models.mkdir(parents=True, exist_ok=True)
        link_folder(models, base / "models")


def link_folder(source: Path, target: Path) -> None:
    """Make ``target`` show ``source``: a symlink, a junction where Windows allows no symlink, else a copy."""
    remove_link(target)
    if target.exists():
        shutil.rmtree(target)
    try:
        target.symlink_to(source, target_is_directory=True)
        return
    except (OSError, NotImplementedError):
        pass
    if os.name == "nt":
        made = subprocess.run(["cmd", "/c", "mklink", "/J", str(target), str(source)], capture_output=True)
        if made.returncode == 0:
            return
    shutil.copytree(source, target, ignore=_NOT_COPIED)


def remove_link(target: Path) -> None:
    """Take away a link or junction, never what it points to. A real folder stays."""
    if target.is_symlink():
        target.unlink()
    elif os.name == "nt" and target.exists() and os.path.realpath(target) != os.path.abspath(target):
        os.rmdir(target)


def unlink(base: Path) -> None:
    """Take the links out of a base folder, so that nothing walks in circles through it."""
    for link in (base / "custom_nodes" / PACK_FOLDER, base / "models"):
        remove_link(link)


def discard(base: Path) -> None:
    """Delete a temporary base folder, links first so that nothing behind them is touched."""
    unlink(base)
    shutil.rmtree(base, ignore_errors=True)
