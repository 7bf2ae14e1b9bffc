"""Files that jobs read: found, hashed, and named so that every host can have them in its input folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

# Files that name others beside them; those travel along.
_NAMING = (".obj", ".mtl", ".gltf", ".json", ".txt")
_BESIDE_AT_MOST = 2000
_TEXT_AT_MOST = 64 << 20  # bytes of a file that is searched for names


@dataclass(frozen=True)
class InputFile:
    """A file of this machine (``path``) that a host shall have in its input folder as ``name`` (with slashes)."""

    name: str
    path: str
    sha256: str


def sha256_of(path: Path) -> str:
    """Of a file's content, as hex digits. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


@dataclass
class Files:
    """Looks files up in ``folders``, in that order, and hashes each once."""

    hashes: dict[Path, str] = field(default_factory=dict)

    def sha256(self, path: Path) -> str:
        if path not in self.hashes:
            self.hashes[path] = sha256_of(path)
        return self.hashes[path]

    def find(self, value: str, folders: Sequence[Path]) -> tuple[InputFile, ...]:
        """The file that ``value`` names, whole or below one of the folders, and those that it names itself; () for
        none. The first one's name is the value for the host. Raises OSError for one that cannot be read."""
        words = value.strip()
        if not PurePosixPath(words.replace("\\", "/")).suffix or "\0" in words or len(words) > 1000:
            return ()
        for folder in folders:
            path = folder / Path(words).expanduser()
            try:
                if path.is_file():
                    return self._named(path.resolve())
            except (OSError, RuntimeError):
                continue
        return ()

    def _named(self, path: Path) -> tuple[InputFile, ...]:
        others = list(_beside(path))
        own = self.sha256(path)
        if not others:
            # In the folder itself, where every node looks, under a name that no other content has.
            return (InputFile(f"{own[:12]}-{path.name}", str(path), own),)
        whole = hashlib.sha256(own.encode())
        for other in others:
            whole.update(f"{other.relative_to(path.parent).as_posix()} {self.sha256(other)}\n".encode())
        folder = f"3d/{whole.hexdigest()[:12]}"  # where hosts look for models of several files
        return tuple(
            InputFile(f"{folder}/{file.relative_to(path.parent).as_posix()}", str(file), self.sha256(file))
            for file in (path, *others)
        )


def _beside(path: Path) -> Iterator[Path]:
    """Files in the same folder or below whose names stand in the file, or in a file so found."""
    if path.suffix.lower() not in _NAMING:
        return
    around: list[Path] = []
    for file in path.parent.rglob("*"):
        if file != path and file.is_file():
            around.append(file)
            if len(around) > _BESIDE_AT_MOST:
                return
    around.sort()
    waiting, found = [path], {path}
    while waiting:
        asking = waiting.pop(0)
        if asking.suffix.lower() not in _NAMING or asking.stat().st_size > _TEXT_AT_MOST:
            continue
        text = asking.read_bytes().replace(b"\\", b"/")
        for file in around:
            name = file.relative_to(path.parent).as_posix()
            if file not in found and (name.encode() in text or name.replace(" ", "%20").encode() in text):
                found.add(file)
                waiting.append(file)
                yield file
