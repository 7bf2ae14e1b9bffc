"""The model files that a workflow names: found where the host looks for models, and hashed.

A file is read once: its hash is remembered on its machine, in .run/model-hashes.json, until size or time of it change.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..client import BROKEN
from ..server import Server
from .inputs import sha256_of
from .locks import locked

YOUNG = 2.0  # seconds in which a file may change and keep the time that its disk notes


def folders_of(server: Server, *models: Path) -> dict[str, list[Path]]:
    """Kind of model ('checkpoints') -> where the host looks for it. ``models``: folders of a folder for each kind, for
    hosts of 2024, which do not say."""
    with contextlib.suppress(*BROKEN, ValueError, AttributeError, TypeError):
        said: Any = json.loads(server.get("/internal/folder_paths"))
        if all(isinstance(paths, list) for paths in said.values()):
            return {str(kind): [Path(path) for path in paths] for kind, paths in said.items()}
    found: dict[str, list[Path]] = {}
    for folder in models:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.is_dir():
                found.setdefault(path.name, []).append(path)
    return found


@dataclass(frozen=True)
class Models:
    """See above. ``folders`` as of ``folders_of``; ``memory``: the file of known hashes."""

    folders: Mapping[str, Sequence[Path]]
    memory: Path

    def hashes(self, name: str) -> dict[str, str]:
        """'checkpoints/name' -> sha256 of every file that a host may mean by ``name``, each file once; {} for none.
        Raises OSError for one that cannot be read."""
        found: dict[Path, str] = {}
        for kind, folders in self.folders.items():
            for folder in folders:
                path = folder / name
                if path.is_file():
                    found.setdefault(path.resolve(), f"{kind}/{Path(name).as_posix()}")
                    break  # a host takes the first
        return {shown: self._sha256(path) for path, shown in found.items()}

    def _sha256(self, path: Path) -> str:
        with locked(self.memory.with_suffix(".lock")):  # of several workers one reads
            known = _read(self.memory)
            stat = path.stat()
            state = [stat.st_size, stat.st_mtime_ns]
            entry = known.get(str(path))
            if isinstance(entry, list) and entry[:2] == state:
                return str(entry[2])
            digest = sha256_of(path)
            if time.time() - stat.st_mtime > YOUNG:
                known = {other: entry for other, entry in known.items() if Path(other).is_file()}
                known[str(path)] = [*state, digest]
                part = self.memory.with_suffix(".part")
                part.write_text(json.dumps(known, indent=0), encoding="utf-8")
                os.replace(part, self.memory)
            return digest


def _read(memory: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(memory.read_text(encoding="utf-8"))
        return known if isinstance(known, dict) else {}
    return {}
