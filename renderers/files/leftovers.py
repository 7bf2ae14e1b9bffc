"""What killed processes leave behind: hidden files and folders that say whose they are, so that others may go."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_OURS = re.compile(r"\.?synctweedies-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{12}")
# Seconds after which what is left is nobody's, where its process cannot be asked: of another machine, or with a number
# that some other process has by now.
_OLD = 24 * 3600.0
# The same on Windows, which has no harmless way to ask: writing takes seconds.
_OLD_ON_WINDOWS = 3600.0


def own_name() -> str:
    """A name that no other process or thread uses, and that says whose it is."""
    return f"synctweedies-{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:12]}"


def hidden_beside(folder: Path) -> Path:
    """A path in the folder for something unfinished; short, since the finished name may be as long as names can be."""
    return folder / f".{own_name()}"


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that are gone left in a folder. What cannot be removed stays."""
    with os.scandir(folder) as entries:
        found = [Path(entry.path) for entry in entries if _OURS.fullmatch(entry.name)]
    for path in found:
        try:
            if not _abandoned(path):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        except OSError:
            continue


@contextmanager
def private_folder() -> Generator[Path, None, None]:
    """A folder for the files of another process, gone in the end; those of killed processes go with it."""
    base = Path(tempfile.gettempdir())
    remove_leftovers(base)
    folder = base / own_name()
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _abandoned(path: Path) -> bool:
    name = _OURS.fullmatch(path.name)
    assert name is not None
    age = time.time() - path.lstat().st_mtime
    if name[1] != _machine() or age > _OLD:
        return age > _OLD
    process = int(name[2])
    if process == os.getpid():
        return False
    return age > _OLD_ON_WINDOWS if os.name == "nt" else not _runs(process)


def _runs(process: int) -> bool:
    """Whether there is a process of that number, dead ones that nobody has asked after apart (not for Windows, where
    asking would end it)."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return True


@functools.cache
def _machine() -> str:
    """Of what process numbers count in: a machine, or a container on it."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {uuid.getnode()} {space}".encode()).hexdigest()[:8]
