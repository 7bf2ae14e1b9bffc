"""Cameras that are written down, one a line: two to four numbers; ``#`` begins a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..typed import as_typed, shown, unquoted

NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)"
_CAMERA = re.compile(rf"\s*({NUMBER})[\s,;]+({NUMBER})(?:[\s,;]+({NUMBER}))?(?:[\s,;]+({NUMBER}))?\s*")


def typed_cameras(text: str, form: str) -> Iterator[tuple[int, float, float, float | None, float | None]]:
    """(number of the line, and its two to four numbers, None where it has no more) of every line that is not empty.

    form: what a line should be, in words. Raises ValueError naming the line that is none.
    """
    for number, line in enumerate(text.splitlines(), 1):
        plain = unquoted(as_typed(line).split("#")[0]).replace("\u00b0", "")
        if not plain:
            continue
        found = _CAMERA.fullmatch(plain)
        if found is None:
            raise ValueError(f"camera line {number} '{shown(plain)}' is not {form}")
        first, second, *others = found.groups()
        third, fourth = (float(v) if v else None for v in others)
        yield number, float(first), float(second), third, fourth
