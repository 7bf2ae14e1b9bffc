"""Names for files that users choose: dates in them, and what would lead out of a folder or be no name at all.

The rules of Windows are applied by what they say and not by asking the system, so that they hold wherever they are
tested (Microsoft, "Naming Files, Paths, and Namespaces").
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import re
from datetime import datetime

# What a prefix without a name means.
UNNAMED = "SyncTweedies"
# Bytes of a name that are left to the user: systems take 255, and a number, a part and an ending follow.
LONGEST = 220

_DATE = re.compile(r"%date:([^%]*)%")
_FIELD = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyyy|yy")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.I)


def with_dates(prefix: str, now: datetime) -> str:
    """``%date:yyyy-MM-dd%`` and the like filled in, as the host's page does it before it queues a workflow.

    d, M, h, m, s: day, month, hour, minute, second, two letters for two digits; yy, yyyy: the year.
    """
    values = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def field(found: re.Match[str]) -> str:
        letters = found[0]
        if letters[0] == "y":
            return f"{now.year:04}"[-len(letters) :]
        return f"{values[letters[0]]:0{len(letters)}}"

    return _DATE.sub(lambda found: _FIELD.sub(field, found[1]), prefix)


def checked_prefix(prefix: str, folder: str = "its folder", windows: bool = os.name == "nt") -> str:
    """A prefix (folder and beginning of a name, below some folder) that can be stored; ``UNNAMED`` where it is empty.

    folder: in words. windows: by the rules of Windows. Raises ValueError, with the fix, for one that leads outside, has
    signs that no file name may have, or is too long. A whole path is passed on: whether it lies inside, the system has
    to say.
    """
    rules = ntpath if windows else posixpath
    if _CONTROL.search(prefix):
        raise ValueError(
            f"filename_prefix {shortened(prefix)!r} holds a sign that no file name may have; type it again"
        )
    if rules.normpath(prefix) == ".":
        return UNNAMED
    drive, rest = rules.splitdrive(prefix)
    whole = rules.isabs(prefix) if not windows else bool(drive) and rest[:1] in ("\\", "/")
    parts = re.split(r"[\\/]" if windows else "/", rest)
    if not whole and (drive or (windows and rest[:1] in ("\\", "/")) or _climbs(parts, windows)):
        raise ValueError(f"filename_prefix '{shortened(prefix)}' leads outside of {folder}; use a name below it")
    if windows:
        _check_on_windows(prefix, parts)
        # (the system would drop trailing dots and blanks of folders without a word)
        rest = "/".join([*(p if p in (".", "..") else p.rstrip(" .") for p in parts[:-1]), parts[-1]])
    long = next((part for part in parts if len(os.fsencode(part)) > LONGEST), None)
    if long is not None:
        raise ValueError(f"a name of {len(os.fsencode(long))} bytes is too long; use at most {LONGEST} in each part")
    return drive + rest


def _climbs(parts: list[str], windows: bool) -> bool:
    """Whether a path ever leads above where it starts. On Windows '.. ' and '...' may be '..' as well."""
    depth = 0
    for part in parts:
        bare = part.replace(" ", "") if windows else part
        if bare in ("", "."):
            continue
        up = bare == ".." or (windows and not bare.strip("."))
        depth += -1 if up else 1
        if depth < 0:
            return True
    return False


def _check_on_windows(prefix: str, parts: list[str]) -> None:
    signs = sorted(set(_NOT_ON_WINDOWS.findall("".join(parts))))
    if signs:
        raise ValueError(
            f"filename_prefix '{shortened(prefix)}' holds {' '.join(signs)}, which names on Windows may not; "
            "leave it out"
        )
    device = next((part for part in parts[:-1] if _DEVICES.fullmatch(part.partition(".")[0].strip())), None)
    if device is not None:
        raise ValueError(f"'{device}' is the name of a device on Windows; call the folder something else")


def shortened(text: str, most: int = 100) -> str:
    """A name fit for a message: its beginning, where it has more than ``most`` letters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
