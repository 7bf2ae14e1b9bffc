"""The header of a PLY file: which rows it announces, of which properties, and where they begin.

Turk, "The PLY Polygon File Format" (1994): lines of text name elements and the types of their properties; rows of the
elements follow in that order, as text or in either byte order. Where a header ends and what a refusal says, each reader
decides: meshes are taken from whatever wrote them, splats are saved again byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_OLD = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4"}
_NEW = {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4"}

KINDS: Mapping[str, str] = {**_OLD, **_NEW, "double": "f8", "float64": "f8"}
"""The format's types of properties, as numpy names them."""

ORDERS: Mapping[str, str] = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
"""Encodings of rows: text, or the byte order."""


class Property(NamedTuple):
    """kind: numpy's name of its type; counted: that of the count before a list's values, '' for one value a row."""

    name: str
    counted: str
    kind: str


@dataclass(frozen=True)
class Element:
    """One kind of row, and how many there are."""

    name: str
    count: int
    properties: tuple[Property, ...]

    @property
    def listed(self) -> bool:
        """Whether rows may differ in length."""
        return any(counted for _, counted, _ in self.properties)


@dataclass(frozen=True)
class Header:
    """encoding: as the file names it, '' where it does not. head: the header's own bytes, the rows begin behind them.
    comments: their lines whole."""

    encoding: str
    elements: tuple[Element, ...]
    head: bytes
    comments: tuple[bytes, ...]

    @property
    def order(self) -> str:
        """'' for text, '<' or '>'. Raises KeyError for an encoding that is none of ``ORDERS``."""
        return ORDERS[self.encoding]

    def element(self, name: str) -> Element | None:
        """The first of that name."""
        return next((element for element in self.elements if element.name == name), None)

    def count(self, name: str) -> int:
        """Rows of all elements of that name."""
        return sum(element.count for element in self.elements if element.name == name)


class BadLine(ValueError):
    """A line of a header that is not followed. twice: the property that it names again, where that is why."""

    def __init__(self, line: str, twice: str = "") -> None:
        super().__init__(line)
        self.line, self.twice = line, twice


@dataclass
class _Announced:
    name: str
    count: int
    properties: list[Property] = field(default_factory=list[Property])


def parse_header(
    head: bytes, lines: Iterable[bytes], letters: str, exact: bool, kinds: Mapping[str, str] = KINDS
) -> Header:
    """The lines between a header's first and its last.

    letters: the encoding of names; kinds: the types that are known; exact: a line that the format does not know word
    for word, or that names a property of its element again, is refused. Else such lines, and words behind those that
    count, are passed over, the last format holds, whatever it is, and a count may be below 0. Raises BadLine for a line
    of a format, an element or a property that does not say what it has to, and for what ``exact`` refuses.
    """
    encoding, elements, comments = "", list[_Announced](), list[bytes]()
    for line in lines:
        text = line.decode(letters, "replace")
        words = text.split()
        if exact and not _exact(words):
            raise BadLine(text)
        try:
            if words[:1] == ["format"]:
                encoding = words[1]
            elif words[:1] == ["element"]:
                elements.append(_Announced(words[1], int(words[2])))
            elif words[:2] == ["property", "list"]:
                elements[-1].properties.append(Property(words[4], kinds[words[2]], kinds[words[3]]))
            elif words[:1] == ["property"]:
                elements[-1].properties.append(Property(words[2], "", kinds[words[1]]))
            elif words[:1] == ["comment"]:
                comments.append(line)
        except (IndexError, KeyError, ValueError) as error:
            raise BadLine(text) from error
        if exact and words[:1] == ["property"] and _again(elements[-1].properties):
            raise BadLine(text, words[2])
    announced = tuple(Element(one.name, one.count, tuple(one.properties)) for one in elements)
    return Header(encoding, announced, head, tuple(comments))


def _exact(words: list[str]) -> bool:
    """Whether a line has the words that the format gives it, no fewer and no more."""
    match words:
        case ["format", encoding, "1.0"]:
            return encoding in ORDERS
        case ["element", _, count]:
            return count.isascii() and count.isdigit() and len(count) < 19
        case ["property", "list", _, _, _] | ["property", _, _]:
            return True
        case [] | ["comment" | "obj_info", *_] | ["end_header"]:
            return True
        case _:
            return False


def _again(properties: list[Property]) -> bool:
    """Whether the last one is no list and has the name of another that is none."""
    *before, last = properties
    return not last.counted and any(one.name == last.name and not one.counted for one in before)


def newline_of(head: bytes) -> bytes:
    """How a PLY file ends its lines: as it ends its first."""
    return b"\r\n" if head.startswith(b"ply\r\n") else head[3:4]
