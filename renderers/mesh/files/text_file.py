"""Text files as people have them: marks at their beginning, all line ends, numbers of any length, names in encodings
that the file does not tell."""

from __future__ import annotations

import io
import os
import re
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...arrays import Array
from .gltf.file import Missing, beside, short

_SPACE = re.compile(rb"\s")
_CHUNK = 1 << 18
# Tried in this order: of a name that is right in several, the file that is there decides.
_ENCODINGS = ("utf-8", "gb18030", "cp932", "big5", "cp949", "cp1251", "cp1252", "latin-1")
# Entries of a folder that are compared with a name.
_ENTRIES = 20_000


def plain_text(path: Path, kind: str) -> bytes:
    """A text file's bytes, lines ended by line feeds alone, without the mark that editors put first.

    ``kind`` names the format in errors. Raises ValueError for UTF-16 and for what is no text.
    """
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it is UTF-16 text; save it as UTF-8 (Notepad: Save as, encoding UTF-8)")
    if b"\0" in data[:4096]:
        raise ValueError(f"it is no text, so it is no {kind} file; export or download it again")
    return without_mark(data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def without_mark(data: bytes) -> bytes:
    """Without a UTF-8 byte order mark."""
    return data[3:] if data.startswith(b"\xef\xbb\xbf") else data


def lines_of(data: bytes) -> Iterator[bytes]:
    """Lines one after another: a list of all would be several times the file."""
    return io.BytesIO(data)


def numbers(data: bytes) -> Array:
    """All words -> float64 [n]. Raises ValueError for a word that is no number."""
    found = array("d")
    at = 0
    while at < len(data):
        end = _SPACE.search(data, at + _CHUNK)
        stop = end.start() if end else len(data)
        piece = data[at:stop]
        if b"_" in piece:  # (Python reads 1_000)
            raise ValueError("a word is no number")
        found.extend(map(float, piece.split()))
        at = stop
    return np.frombuffer(found, np.float64) if found else np.zeros(0)


def decoded(name: bytes) -> str:
    """A name to show: UTF-8 where it is that, else what its bytes look like (pairs of high bytes are Chinese)."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        pass
    runs = re.findall(rb"[\x80-\xff]+", name)
    if all(len(run) % 2 == 0 and min(run) >= 0xA1 for run in runs):
        try:
            return name.decode("gb18030")
        except UnicodeDecodeError:
            pass
    return name.decode("cp1252", "replace")


def named_file(name: bytes, folders: Sequence[Path], root: Path) -> Path:
    """The file that a text file names: below one of ``folders``, inside ``root``.

    Names are tried in the encodings that exporters use, then without regard to case and to how accents are composed,
    then without a comment at their end. Raises Missing.
    """
    for text in dict.fromkeys((name, name.split(b"#")[0].strip())):
        spelled = list(dict.fromkeys(_spellings(text)))
        for find in (_exactly, _nearly):
            for folder in folders:
                for spelling in spelled:
                    path = find(spelling, folder, root)
                    if path is not None:
                        return path
    raise Missing(f"the file '{short(decoded(name))}' that it refers to is missing; put it beside the mesh")


def _spellings(name: bytes) -> Iterator[str]:
    for encoding in _ENCODINGS:
        try:
            yield name.decode(encoding).strip().strip("\"'")
        except UnicodeDecodeError:
            continue


def _exactly(name: str, folder: Path, root: Path) -> Path | None:
    try:
        return beside(folder, root, name)
    except Missing:
        return None


def _nearly(name: str, folder: Path, root: Path) -> Path | None:
    parts = name.replace("\\", "/").split("/")
    for above in dict.fromkeys(("/".join(parts[:-1]), "")):
        try:
            place = (folder / above).resolve()
            if not place.is_relative_to(root.resolve()):
                continue
            with os.scandir(place) as entries:
                for _, entry in zip(range(_ENTRIES), entries, strict=False):
                    if _plain(entry.name) == _plain(parts[-1]):
                        return _exactly(f"{above}/{entry.name}" if above else entry.name, folder, root)
        except (OSError, ValueError):
            continue
    return None


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
