"""Which other files a mesh file refers to: found fast and generously, to notice that one of them has changed.

Readers decide what a reference means; here whatever it may mean counts, as long as such a file is there.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

_LIBRARY = re.compile(rb"(?:^|[\r\n])[ \t]*mtllib[ \t]+([^\r\n]+)", re.I)
_PICTURE = re.compile(rb"(?:^|[\r\n])[ \t]*(?:map_\w+|bump|disp|decal|refl|norm)[ \t]+([^\r\n]+)", re.I)
_TEXTURE = re.compile(rb"(?:^|[\r\n])comment[ \t]+TextureFile[ \t]+([^\r\n]+)", re.I)
_URI = re.compile(rb'"uri"\s*:\s*("(?!data:)(?:[^"\\]|\\.)*")')
# A PLY file's header and the words of one reference that are looked at, at most.
_HEADER = 1 << 16
_WORDS = 64


def referred_files(path: Path, root: Path) -> tuple[Path, ...]:
    """The files that a mesh file and its material files name, as far as they are there and lie in ``root``; sorted.

    Raises OSError when the mesh file cannot be read.
    """
    search = _Search(path.parent, root.resolve())
    found: set[Path] = set()
    if path.suffix.lower() == ".obj":
        for library in search.files(_options(_matches(_LIBRARY, path)), path.parent):
            found.add(library)
            found.update(search.files(_options(_matches(_PICTURE, library)), library.parent))
    elif path.suffix.lower() in (".gltf", ".glb"):
        names = (name for name in map(_string, _URI.findall(_tree(path))) if name)
        found.update(search.files((n for name in names for n in (name, unquote(name))), path.parent))
    elif path.suffix.lower() == ".ply":
        with path.open("rb") as file:
            head = file.read(_HEADER).partition(b"end_header")[0]
        found.update(search.files(_options(_TEXTURE.findall(head)), path.parent))
    return tuple(sorted(found))


def _matches(pattern: re.Pattern[bytes], path: Path) -> list[bytes]:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return []
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return pattern.findall(content)


def _tree(path: Path) -> bytes:
    """The JSON of a glTF file."""
    with path.open("rb") as file:
        start = file.read(20)
        if start[:4] != b"glTF":
            return start + file.read()
        return file.read(min(int.from_bytes(start[12:16], "little"), os.fstat(file.fileno()).st_size))


def _string(literal: bytes) -> str:
    try:
        return str(json.loads(literal))
    except ValueError:
        return ""


def _options(lines: Iterable[bytes]) -> Iterator[str]:
    """What the rest of a line may name: all of it, one of its words, or its end behind options; in every encoding that
    such files have."""
    for line in dict.fromkeys(lines):
        for encoding in ("utf-8", "latin-1", "gb18030"):
            text = line.decode(encoding, "surrogateescape" if encoding == "utf-8" else "replace").strip()
            words = text.split()[:_WORDS]
            yield text
            yield from (part for part in text.split('"') if part.strip())
            yield from words
            yield from (text[text.find(word) :] for word in words[1:])


@dataclass
class _Search:
    """Files by name from a mesh's folder, in any spelling of small and capital letters; folders are listed once."""

    home: Path
    root: Path
    listed: dict[Path, dict[str, str]] = field(default_factory=dict[Path, dict[str, str]])

    def files(self, names: Iterable[str], folder: Path) -> set[Path]:
        found: set[Path] = set()
        for name in dict.fromkeys(names):
            clean = name.replace("\\", "/").strip().strip('"').strip()
            for start in dict.fromkeys((folder, self.home)):
                for option in dict.fromkeys((clean, clean.rsplit("/", 1)[-1])):
                    path = self.file(start, option)
                    if path is not None:
                        found.add(path)
        return found

    def file(self, folder: Path, name: str) -> Path | None:
        if not name or "\0" in name or len(name) > 4096:
            return None
        path = folder
        for part in name.split("/"):
            if part in ("", ".", ".."):
                path = path / part
            elif (own := self.names(path).get(part.casefold())) is not None:
                path = path / (part if (path / part).exists() else own)
            else:
                return None
        try:
            real = path.resolve()
            return real if real.is_relative_to(self.root) and real.is_file() else None
        except (OSError, ValueError, RuntimeError):
            return None

    def names(self, folder: Path) -> dict[str, str]:
        """Small letters -> the name in a folder."""
        if folder not in self.listed:
            try:
                # (outside of the root nothing is listed)
                inside = folder.resolve().is_relative_to(self.root)
                self.listed[folder] = {n.casefold(): n for n in os.listdir(folder)} if inside else {}
            except (OSError, ValueError, RuntimeError):
                self.listed[folder] = {}
        return self.listed[folder]
