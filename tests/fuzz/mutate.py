"""One random change after another in the bytes of a file: of bits, of numbers, of words, of lines, of its length."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

_WORD = re.compile(rb"[^\s,:\[\]{}\"]+")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_TOKENS = (
    *(b"0", b"-1", b"1", b"3", b"255", b"65536", b"2147483647", b"2147483648", b"-2147483649", b"4294967295"),
    *(b"18446744073709551616", b"1e400", b"-1e39", b"nan", b"inf", b"-inf", b"0.5", b"1e-400", b"00", b"+7"),
    *(b"", b"null", b"true", b"[]", b"{}", b'"', b"\\", b"\0", b"\xff", b"\xef\xbc\x9a", b"x" * 300, b"9" * 400),
    *(b"../..", b"/", b"C:\\", b"%00", b"#", b"1/", b"//", b"1//", b"-0"),
)
_WHOLE = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_REALS = (0.0, -0.0, 1.0, -1.0, 1e38, -1e38, 1e-40, float("inf"), float("-inf"), float("nan"))

Change = Callable[[bytearray, random.Random], None]


def mutated(data: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """The file after one to six changes; ``other`` is a file that pieces may come from. At most 4 times as long, and
    4 kB more."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice(CHANGES)(out, rng)
        if other and rng.random() < 0.05:
            at = rng.randrange(len(out) + 1)
            start = rng.randrange(len(other))
            out[at:at] = other[start : start + rng.randrange(1, 200)]
    return bytes(out[: 4 * len(data) + 4096])


def _flip(out: bytearray, rng: random.Random) -> None:
    if out:
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)


def _byte(out: bytearray, rng: random.Random) -> None:
    if out:
        out[rng.randrange(len(out))] = rng.choice((0, 1, 9, 10, 13, 32, 34, 47, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _cut(out: bytearray, rng: random.Random) -> None:
    del out[rng.randrange(len(out) + 1) :]


def _remove(out: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(out) + 1)
    del out[start : start + rng.randrange(1, 64)]


def _repeat(out: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(out) + 1)
    piece = out[start : start + rng.randrange(1, 128)]
    out[start:start] = piece * rng.choice((1, 1, 2, 8))


def _noise(out: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(out) + 1)
    length = rng.randrange(1, 32)
    out[start : start + length] = rng.randbytes(length)


def _packed(out: bytearray, rng: random.Random) -> None:
    """A binary field, at its place more often than not, takes an extreme value."""
    order = rng.choice("<<<>")
    packed = (
        struct.pack(f"{order}I", rng.choice(_WHOLE)),
        struct.pack(f"{order}Q", rng.choice(_WHOLE) * rng.choice((1, 1 << 32))),
        struct.pack(f"{order}f", rng.choice(_REALS)),
    )[rng.choice((0, 0, 1, 2))]
    if len(out) >= len(packed):
        at = rng.randrange(len(out) - len(packed) + 1)
        at -= at % 4 if rng.random() < 0.7 else 0
        out[at : at + len(packed)] = packed


def _in_head(out: bytearray, rng: random.Random) -> None:
    """As ``_packed``, in the first bytes, where lengths and counts stand."""
    head = out[:64]
    _packed(head, rng)
    out[:64] = head


def _token(out: bytearray, rng: random.Random, pattern: re.Pattern[bytes] = _WORD) -> None:
    found = [m.span() for m in pattern.finditer(bytes(out[: 1 << 14]))]
    if found:
        start, end = rng.choice(found)
        out[start:end] = rng.choice(_TOKENS)


def _number(out: bytearray, rng: random.Random) -> None:
    _token(out, rng, _NUMBER)


def _swap(out: bytearray, rng: random.Random) -> None:
    """Two words change places."""
    found = [m.span() for m in _WORD.finditer(bytes(out[: 1 << 14]))]
    if len(found) > 1:
        (a, b), (c, d) = sorted(rng.sample(found, 2))
        out[a:d] = out[c:d] + out[b:c] + out[a:b]


def _lines(out: bytearray, rng: random.Random) -> None:
    """A line is repeated, removed or moved."""
    lines = bytes(out).split(b"\n")
    at = rng.randrange(len(lines))
    line = lines.pop(at)
    for _ in range(rng.choice((0, 1, 2, 50))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    out[:] = b"\n".join(lines)


CHANGES: tuple[Change, ...] = (
    *(_flip, _byte, _cut, _remove, _repeat, _noise, _packed, _packed, _in_head, _in_head),
    *(_token, _token, _number, _number, _number, _swap, _lines),
)
