"""Files written whole or not at all. Everything that the pack writes goes through here.

Contents go into hidden files beside their places first, and get their names when all are complete. Whatever ends a
process on the way, there is never half a file under a right name; hidden files of processes that are gone are removed
at the next save into their folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from .leftovers import hidden_beside, remove_leftovers
from .names import shortened

# Contents by file name. The first may name the others, and gets its name after them.
Contents = Mapping[str, bytes]

# How many taken numbers are passed over.
_TRIES = 10_000
_FIXES = {
    errno.ENOSPC: "free space on the disk, or save elsewhere",
    errno.EDQUOT: "free space on the disk, or save elsewhere",
    errno.EFBIG: "the disk takes no files that large: save elsewhere",
    errno.EACCES: "allow writing there, or save elsewhere",
    errno.EPERM: "allow writing there, or save elsewhere",
    errno.EROFS: "allow writing there, or save elsewhere",
    errno.ENAMETOOLONG: "use a shorter name",
}


def write_all(folder: Path, files: Contents) -> tuple[Path, ...]:
    """Write files, in place of those that are there, all or none -> their paths, in order.

    The folder is made where it is missing. Raises ValueError, one line with the reason and the fix, where the system
    does not let them be written.
    """
    with _complete(folder, files, True) as waiting:
        _replace(waiting)
    return tuple(final for _, final in waiting)


def write_new(folder: Path, make: Callable[[int], Contents], first: int = 1, lasting: bool = True) -> tuple[Path, ...]:
    """Write files under a number that no file has, all or none -> their paths, in order.

    make: the files for a number. Numbers from ``first`` are tried until none of the names is taken, so nothing is ever
    overwritten, whoever else saves at the same time. lasting: see to it that a power failure takes nothing; previews
    need not. Raises ValueError as ``write_all``.
    """
    for number in range(first, first + _TRIES):
        files = make(number)
        if any(os.path.lexists(folder / name) for name in files):
            continue
        with _complete(folder, files, lasting) as waiting:
            if _claim_all(waiting):
                return tuple(final for _, final in waiting)
    raise ValueError(f"{_TRIES} files of this name are there, from number {first} on; choose another name")


@contextmanager
def _complete(folder: Path, files: Contents, lasting: bool) -> Generator[list[tuple[Path, Path]], None, None]:
    """(Complete hidden file, the place it is meant for) for each; hidden ones that are left go in the end."""
    waiting: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        for name, content in files.items():
            hidden = hidden_beside(folder)
            waiting.append((hidden, folder / name))
            with hidden.open("xb") as file:
                file.write(content)
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
        yield waiting
    except OSError as error:
        name = waiting[-1][1].name if waiting else folder.name
        name = Path(error.filename2).name if isinstance(error.filename2, str) else name
        fix = _FIXES.get(error.errno or 0, "save elsewhere")
        raise ValueError(
            f"the file '{shortened(name)}' could not be written ({error.strerror or error}); {fix}"
        ) from error
    finally:
        for hidden, _ in waiting:
            with suppress(OSError):
                hidden.unlink(missing_ok=True)


def _claim_all(waiting: list[tuple[Path, Path]]) -> bool:
    """Give all their names, the first last; none, and False, where one is taken."""
    done: list[Path] = []
    try:
        for hidden, final in reversed(waiting):
            _claim(hidden, final)
            done.append(final)
    except BaseException as error:
        for final in done:
            final.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            return False
        raise
    return True


def _claim(hidden: Path, final: Path) -> None:
    """Give a file its name. Raises FileExistsError where it is taken."""
    if os.name == "nt":
        os.rename(hidden, final)
        return
    try:
        os.link(hidden, final)
    except FileExistsError:
        raise
    except OSError:
        # No hard links (FAT, some shared folders): the name is taken first, and stands empty for an instant.
        os.close(os.open(final, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(hidden, final)
        except BaseException:
            final.unlink(missing_ok=True)
            raise


def _replace(waiting: list[tuple[Path, Path]]) -> None:
    """Give all their names, the first last; after an error everything is as it was."""
    kept: list[tuple[Path, Path | None]] = []
    try:
        for hidden, final in reversed(waiting):
            kept.append((final, _kept(final) if len(waiting) > 1 and final.exists() else None))
            os.replace(hidden, final)
    except BaseException:
        # (the last one was not replaced)
        for final, old in kept[:-1]:
            if old is None:
                final.unlink(missing_ok=True)
            else:
                os.replace(old, final)
        raise
    finally:
        for _, old in kept:
            if old is not None:
                old.unlink(missing_ok=True)


def _kept(path: Path) -> Path:
    """The same file under a hidden name as well."""
    hidden = hidden_beside(path.parent)
    try:
        os.link(path, hidden)
    except OSError:
        shutil.copyfile(path, hidden)
    return hidden
