"""The rows of a PLY file as columns of numbers, lists among them. Text and binary, from whatever wrote it.

What a header claims is held against the bytes that follow before memory is taken for it. Splats read their rows
themselves: they keep each word of a text file and each row of a binary one as it is, to save them again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...arrays import Array, shaped
from ...files.ply_header import KINDS, ORDERS, BadLine, Element, Header, parse_header
from .gltf.file import short
from .text_file import lines_of, numbers, without_mark

# (some exporters number their vertices in 64 bits)
_KINDS = {**KINDS, "int64": "i8", "uint64": "u8"}
_CUT = "it is cut off or damaged; export or download it again"
_HEAD = 1 << 20


@dataclass
class Column:
    """A property's values one after another; sizes: how many of them each row has, None for one each. kind: the type
    that the header names."""

    values: Array
    sizes: Array | None = None
    kind: str = "f8"


Table = dict[str, dict[str, Column]]


def read_header(data: bytes) -> Header:
    """The header, with a byte order mark before it and blanks behind it, and lines that the format does not know.

    Raises ValueError for what is no PLY header.
    """
    top = data[: _HEAD + 1]
    skipped = len(top) - len(without_mark(top))
    end = top.find(b"end_header")
    if not top[skipped:].startswith(b"ply") or end < 0:
        raise ValueError("it does not begin as a PLY file; export or download it again")
    start = end + len(b"end_header")
    while top[start : start + 1] in (b" ", b"\t"):
        start += 1
    start += 2 if top[start : start + 2] == b"\r\n" else 1
    try:
        header = parse_header(data[:start], top[skipped:end].splitlines(), "ascii", exact=False, kinds=_KINDS)
    except BadLine as error:
        line = short(" ".join(error.line.split()))
        raise ValueError(f"its header is damaged at '{line}'; export it again") from error
    if header.encoding not in ORDERS:
        raise ValueError(f"its format is '{short(header.encoding)}', which is unknown; export it again")
    if any(element.count < 0 for element in header.elements):
        raise ValueError("its header counts below 0; export it again")
    return header


def textures_of(header: Header) -> list[bytes]:
    """Names that comments "TextureFile NAME" give, as MeshLab writes them."""
    found = list[bytes]()
    for line in header.comments:
        if line.decode("ascii", "replace").split()[1:2] == ["TextureFile"]:
            found += line.split(None, 2)[2:]
    return [name.strip() for name in found]


def read_table(data: bytes, header: Header, wanted: set[str]) -> tuple[Table, bool]:
    """(columns of the elements in ``wanted``, whether lines of a text file hold more than the header says).

    Raises ValueError for rows that are not there.
    """
    if header.order:
        return _binary(data, header, wanted), False
    body = data[len(header.head) :]
    try:
        values = numbers(body)
    except ValueError as error:
        raise ValueError(_CUT) from error
    try:
        table, used = _words(values, header.elements, wanted)
        if used == len(values):
            return table, False
    except ValueError:
        pass
    # Rows that do not follow one another without gaps: each line is one, and what it holds beyond is left out.
    return _lines(values, body, header.elements, wanted), True


def _words(values: Array, elements: tuple[Element, ...], wanted: set[str]) -> tuple[Table, int]:
    """Rows one after another, whatever the line ends -> (table, how many words they take)."""
    table: Table = {}
    at = 0
    for element in elements:
        width = len(element.properties)
        if element.count * width > len(values) - at:
            raise ValueError(_CUT)
        if not element.listed:
            if element.name in wanted:
                block = shaped(values[at : at + element.count * width], -1, width)
                table[element.name] = {
                    name: Column(block[:, i], None, kind) for i, (name, _, kind) in enumerate(element.properties)
                }
            at += element.count * width
            continue
        spans = _Spans(element)
        for _ in range(element.count):
            at = spans.row(values, at, len(values))
        if element.name in wanted:
            table[element.name] = spans.columns(values)
    return table, at


def _lines(values: Array, body: bytes, elements: tuple[Element, ...], wanted: set[str]) -> Table:
    table: Table = {}
    lines = _places(body)
    for element in elements:
        spans = _Spans(element)
        if not element.properties:
            continue
        for number in range(element.count):
            start, end = next(lines, (0, 0))
            try:
                spans.row(values, start, end)
            except ValueError:
                raise ValueError(
                    f"row {number} of '{short(element.name)}' holds {end - start} values, fewer than its header says: "
                    f"{_CUT}"
                ) from None
        if element.name in wanted:
            table[element.name] = spans.columns(values)
    return table


def _places(body: bytes) -> Iterator[tuple[int, int]]:
    """(first word, word after the last) of every line that is not blank."""
    at = 0
    for line in lines_of(body.replace(b"\r", b"\n")):
        count = len(line.split())
        if count:
            yield at, at + count
            at += count


class _Spans:
    """Where the values of each property lie, row by row."""

    def __init__(self, element: Element) -> None:
        self.properties = element.properties
        self.starts = [array("q") for _ in element.properties]
        self.sizes = [array("q") for _ in element.properties]

    def row(self, values: Array, at: int, end: int) -> int:
        """Take one row of words from ``at`` -> where the next begins. Raises ValueError beyond ``end``."""
        for i, (_, count, _) in enumerate(self.properties):
            size = 1
            if count:
                if at >= end or not 0 <= values[at] <= end - at:
                    raise ValueError(_CUT)
                size = int(values[at])
                at += 1
            self.starts[i].append(at)
            self.sizes[i].append(size)
            at += size
        if at > end:
            raise ValueError(_CUT)
        return at

    def columns(self, values: Array) -> dict[str, Column]:
        return {
            name: Column(_gathered(values, *self._span(i)), self._span(i)[1] if count else None, kind)
            for i, (name, count, kind) in enumerate(self.properties)
        }

    def _span(self, i: int) -> tuple[Array, Array]:
        return np.array(self.starts[i], np.int64), np.array(self.sizes[i], np.int64)


def _binary(data: bytes, header: Header, wanted: set[str]) -> Table:
    table: Table = {}
    at = len(header.head)
    for element in header.elements:
        if not element.properties or not element.count:
            table[element.name] = {name: Column(np.zeros(0)) for name, _, _ in element.properties}
            continue
        least = sum(np.dtype(count or kind).itemsize for _, count, kind in element.properties)
        if least * element.count > len(data) - at:
            raise ValueError(f"its header claims {element.count} rows of '{short(element.name)}': {_CUT}")
        fixed = _fixed_rows(data, at, element, header.order)
        if fixed is None:
            columns, at = _loose_rows(data, at, element, header.order, element.name in wanted)
        else:
            rows, at = fixed
            columns = {}
            for i, (name, count, kind) in enumerate(element.properties):
                values = rows[f"v{i}"]
                sizes = np.full(element.count, values.shape[1]) if count else None
                columns[name] = Column(shaped(values, -1), sizes, kind)
        if element.name in wanted:
            table[element.name] = columns
    return table


def _fixed_rows(data: bytes, at: int, element: Element, order: str) -> tuple[Array, int] | None:
    """All rows in one go when every list is as long as in the first row, else None."""
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    place = at
    for i, (_, count, kind) in enumerate(element.properties):
        size = 1
        if count:
            size = _number(data, place, order + count)
            place += np.dtype(count).itemsize
            fields.append((f"c{i}", order + count))
        place += size * np.dtype(kind).itemsize
        if size < 0 or place > len(data):
            raise ValueError(_CUT)
        fields.append((f"v{i}", order + kind, (size,)) if count else (f"v{i}", order + kind))
    end = at + (place - at) * element.count
    if end > len(data):
        return None
    rows = np.frombuffer(data, np.dtype(fields), element.count, at)
    for i, (_, count, _) in enumerate(element.properties):
        if count and not (rows[f"c{i}"] == rows[f"c{i}"][0]).all():
            return None
    return rows, end


def _loose_rows(data: bytes, at: int, element: Element, order: str, kept: bool) -> tuple[dict[str, Column], int]:
    kinds = [
        (order + count if count else "", np.dtype(count or "u1").itemsize, np.dtype(kind).itemsize)
        for _, count, kind in element.properties
    ]
    starts, sizes = [array("q") for _ in kinds], [array("q") for _ in kinds]
    for _row in range(element.count):
        for i, (count, head, width) in enumerate(kinds):
            size = 1
            if count:
                size = _number(data, at, count)
                at += head
            if kept:
                starts[i].append(at)
                sizes[i].append(size)
            at += size * width
            if size < 0 or at > len(data):
                raise ValueError(_CUT)
    columns: dict[str, Column] = {}
    for i, (name, count, kind) in enumerate(element.properties) if kept else ():
        width, size = np.dtype(kind).itemsize, np.array(sizes[i], np.int64)
        taken = _gathered(np.frombuffer(data, np.uint8), np.array(starts[i], np.int64), size * width)
        columns[name] = Column(_read_as(taken, order + kind), size if count else None, kind)
    return columns, at


def _read_as(values: Array, kind: str) -> Array:
    """Bytes as numbers of another kind."""
    return values.view(kind)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _number(data: bytes, at: int, kind: str) -> int:
    """A count: a whole number, or a float that is one."""
    size = np.dtype(kind).itemsize
    if at + size > len(data):
        raise ValueError(_CUT)
    if kind[1] == "f":
        value = float(np.frombuffer(data, kind, 1, at)[0])
        if not value.is_integer():
            raise ValueError(_CUT)
        return int(value)
    return int.from_bytes(data[at : at + size], "big" if kind[0] == ">" else "little", signed=kind[1] == "i")


def _gathered(values: Array, starts: Array, sizes: Array) -> Array:
    """Values of spans one after another."""
    ends = np.cumsum(sizes)
    return values[np.arange(int(sizes.sum())) + np.repeat(starts - (ends - sizes), sizes)]
