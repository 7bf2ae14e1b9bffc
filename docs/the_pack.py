"""The pack for the scripts of this folder: as ``syncpack``, and on a host where they use nodes."""

from __future__ import annotations

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def importable() -> None:
    """Make the pack importable as ``syncpack``. The root itself is not put on sys.path: its ``nodes`` would stand
    before a host's."""
    alias = types.ModuleType("syncpack")
    alias.__path__ = [str(ROOT)]
    sys.modules.setdefault("syncpack", alias)


def on_a_host() -> None:
    """The same, and a host in this process."""
    importable()
    if (folder := str(ROOT / "benchmarks")) not in sys.path:
        sys.path.insert(0, folder)
    from unets import start_host

    start_host()
