"""A lock between processes of one machine, which the system gives back when its holder dies."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold the lock file ``path`` for a ``with`` block. Raises BlockingIOError when another process has it and ``wait``
    is False, OSError when the file cannot be made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while True:
            try:
                _take(handle)
                break
            except OSError as error:
                if not wait:
                    raise BlockingIOError(f"{path} is held by another process") from error
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)
