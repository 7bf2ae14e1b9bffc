"""A lock between processes of one machine, which the system gives back when its holder dies; and patience with files
that another program has open."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

_HELD = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES)
# Windows lets nobody rename or remove what another program has open, and scanners open what was just written.
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6) if os.name == "nt" else ()  # seconds before further tries

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

    def _give(handle: int) -> None:  # closing the file gives it back, too, but nobody says when
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _give(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


Result = TypeVar("Result")


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock file ``path`` for a ``with`` block. Raises BlockingIOError when another process has it and ``wait``
    is False, OSError when the file cannot be made or its file system has no locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while True:
            try:
                _take(handle)
                break
            except OSError as error:
                if error.errno not in _HELD:
                    raise
                if not wait:
                    raise BlockingIOError(f"{path} is held by another process") from error
                time.sleep(0.1)
        try:
            yield
        finally:
            _give(handle)
    finally:
        os.close(handle)


def patiently(action: Callable[[], Result]) -> Result:
    """``action()``, again after each of ``PAUSES`` while it raises PermissionError."""
    for pause in PAUSES:
        try:
            return action()
        except PermissionError:
            time.sleep(pause)
    return action()
