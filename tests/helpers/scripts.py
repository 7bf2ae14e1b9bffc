"""The scripts of docs/, which tests run again to compare."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).resolve().parents[2] / "docs"


def script(name: str) -> ModuleType:
    """A module of docs/, by its name."""
    if (folder := str(DOCS)) not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)
