"""Errors as users see them: one line that names the node, the value and the fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class SyncError(ValueError):
    """An error whose message is already complete."""


@contextmanager
def named(node: str) -> Iterator[None]:
    """Put the node's name in front of the message of bad values and of exhausted memory."""
    try:
        yield
    except SyncError:
        raise
    except ValueError as error:
        raise SyncError(f"{node}: {error}") from error
    except MemoryError as error:
        raise MemoryError(f"{node}: {error}") from error
