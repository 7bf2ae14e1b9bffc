"""The table of vertices in a PLY file: header, rows, and what else the file holds.

After the public description of the format (Greg Turk, Stanford, 1994): a text header names elements and the types of
their properties; the elements follow in that order, as text or in either byte order.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ...files.ply_kinds import KINDS, ORDERS

_LONGEST_HEADER = 1 << 16
# Characters of a number in text: the longest that a double needs is 767 digits, which nobody writes.
_LONGEST_WORD = 80


@dataclass(frozen=True)
class Element:
    """One kind of row. properties: (name, numpy type) in order; lists: names of properties of varying length."""

    name: str
    count: int
    properties: tuple[tuple[str, str], ...]
    lists: tuple[str, ...] = ()


@dataclass(frozen=True)
class Header:
    """encoding: a key of the format's three; head: the header's own bytes, the rows begin behind them."""

    encoding: str
    elements: tuple[Element, ...]
    head: bytes

    def element(self, name: str) -> Element | None:
        return next((e for e in self.elements if e.name == name), None)

    def dtype(self, element: Element) -> np.dtype[Any]:
        order = ORDERS[self.encoding]
        return np.dtype([(name, order + kind) for name, kind in element.properties])


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
    encoding, elements = "", list[Element]()
    for line in head.decode("latin-1").split(newline.decode())[1:]:
        words = line.split()
        match words:
            case ["format", kind, "1.0"] if kind in ORDERS:
                encoding = kind
            case ["element", title, count] if count.isascii() and count.isdigit() and len(count) < 19:
                elements.append(Element(title, int(count), ()))
            case ["property", "list", counted, kind, title] if elements and counted in KINDS and kind in KINDS:
                last = elements[-1]
                elements[-1] = Element(last.name, last.count, last.properties, (*last.lists, title))
            case ["property", kind, title] if elements and kind in KINDS:
                last = elements[-1]
                if title in dict(last.properties):
                    raise ValueError(f"file '{name}': property '{title}' is there twice; repair the PLY header")
                elements[-1] = Element(last.name, last.count, (*last.properties, (title, KINDS[kind])), last.lists)
            case [] | ["comment" | "obj_info", *_] | ["end_header"]:
                pass
            case _:
                raise ValueError(
                    f"file '{name}': the line '{line.strip()[:60]}' of the PLY header is unknown; repair it"
                )
    if not encoding:
        raise ValueError(f"file '{name}': the PLY header names no format; repair it, or save the scene anew")
    return Header(encoding, tuple(elements), head)


def newline_of(head: bytes) -> bytes:
    """How a PLY file ends its lines."""
    return b"\r\n" if head.startswith(b"ply\r\n") else head[3:4]


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
    dtype = header.dtype(element)
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
