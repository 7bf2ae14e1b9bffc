"""The table of vertices in a PLY file: header, rows, and what else the file holds, to be saved again byte for byte.

Rows of text keep their words beside their numbers, and binary rows their layout; meshes need neither, and read theirs
as columns of numbers instead, lists among them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ...files.ply_header import BadLine, Element, Header, newline_of, parse_header

_LONGEST_HEADER = 1 << 16
# Characters of a number in text: the longest that a double needs is 767 digits, which nobody writes.
_LONGEST_WORD = 80


def read_header(file: BinaryIO, name: str) -> Header:
    """The header of an open file; reading goes on behind it. Raises ValueError when it is none."""
    start = file.read(_LONGEST_HEADER)
    if not start.startswith((b"ply\n", b"ply\r")):
        raise ValueError(f"file '{name}' is no PLY: it does not begin with 'ply'; check what it really is")
    # Which line end is used, the first line says: behind a lone CR, binary rows may begin with LF.
    newline = newline_of(start)
    stop = start.find(newline + b"end_header" + newline)
    if stop < 0:
        raise ValueError(
            f"file '{name}' has a PLY header without 'end_header'; it is cut off or damaged: copy it again"
        )
    head = start[: stop + len(newline) * 2 + len(b"end_header")]
    file.seek(len(head))
    try:
        header = parse_header(head, head[:stop].split(newline)[1:], "latin-1", exact=True)
    except BadLine as bad:
        if bad.twice:
            raise ValueError(f"file '{name}': property '{bad.twice}' is there twice; repair the PLY header") from None
        raise ValueError(
            f"file '{name}': the line '{bad.line.strip()[:60]}' of the PLY header is unknown; repair it"
        ) from None
    if not header.encoding:
        raise ValueError(f"file '{name}': the PLY header names no format; repair it, or save the scene anew")
    return header


def with_comments(file: bytes, comments: list[str]) -> bytes:
    """A PLY file with lines "comment NAME TEXT" behind its format, in place of comments of the same names; everything
    else keeps its bytes."""
    if not comments:
        return file
    newline = newline_of(file)
    names = tuple(" ".join(line.split(" ", 2)[:2]).encode() + b" " for line in comments)
    end = file.index(newline + b"end_header")
    lines = [line for line in file[:end].split(newline) if not line.startswith(names)]
    lines[2:2] = [line.encode("ascii", "backslashreplace") for line in comments]
    return newline.join(lines) + file[end:]


@dataclass(frozen=True)
class Table:
    """The rows of an element, as ``SplatRows`` keeps them."""

    rows: Any
    tail: bytes
    words: Any = None


def read_table(path: Path, header: Header, element: Element) -> Table:
    """The first element's rows [count]. Raises ValueError when the file ends too early, and for text that is no
    number."""
    dtype = np.dtype([(title, header.order + kind) for title, _, kind in element.properties])
    with path.open("rb") as file:
        file.seek(len(header.head))
        if header.encoding == "ascii":
            return _read_text(file.read(), element, dtype, path.name, newline_of(header.head))
        there = (os.fstat(file.fileno()).st_size - len(header.head)) // dtype.itemsize
        if there < element.count:
            raise ValueError(_cut_off(path.name, there, element.count))
        rows = np.fromfile(file, dtype, element.count)
        return Table(rows, file.read())


def _cut_off(name: str, there: int, count: int) -> str:
    return f"file '{name}' is cut off: it holds {there} of {count} rows; copy or save it again"


def _read_text(text: bytes, element: Element, dtype: np.dtype[Any], name: str, newline: bytes) -> Table:
    width, lines = len(dtype.names or ()), text.splitlines()
    taken = [line.split() for line in lines[: element.count]]
    if len(taken) < element.count or (taken and not taken[-1]):
        raise ValueError(_cut_off(name, sum(bool(line) for line in taken), element.count))
    wrong = next((i for i, line in enumerate(taken) if len(line) != width), None)
    if wrong is not None:
        raise ValueError(
            f"file '{name}': row {wrong} holds {len(taken[wrong])} values, the header names {width}; repair the file"
        )
    longest = max((max(map(len, line)) for line in taken), default=0)
    if longest > _LONGEST_WORD:
        raise ValueError(f"file '{name}' holds a word of {longest} characters, which is no number; repair the file")
    words = np.array(taken, dtype=bytes)
    rows = np.empty(element.count, dtype)
    for column, title in enumerate(dtype.names or ()):
        try:
            rows[title] = words[:, column].astype(dtype[title])
        except (ValueError, OverflowError):
            kind = cast(Any, dtype)[title].name
            raise ValueError(
                f"file '{name}': property '{title}' holds text that is no number of type {kind}; repair it"
            ) from None
    return Table(rows, b"".join(line + newline for line in lines[element.count :]), words)


def table_bytes(table: Table, changed: dict[str, Any], newline: bytes = b"\n") -> bytes:
    """Rows and tail with some columns set to other values (``changed``: name -> float32 [K]); where a value stays what
    it was, its bytes (its word, in text) stay too."""
    rows, names = table.rows.copy(), list(table.rows.dtype.names)
    words = None if table.words is None else table.words.astype(object)
    for name, values in changed.items():
        now = rows[name].astype(np.float32)
        moved = (now != values) & ~(np.isnan(now) & np.isnan(values))
        rows[name][moved] = values[moved].astype(rows.dtype[name])
        if words is not None:
            words[moved, names.index(name)] = [str(v).encode() for v in rows[name][moved]]
    if words is None:
        return rows.tobytes() + table.tail
    return b"".join(b" ".join(line) + newline for line in words) + table.tail
