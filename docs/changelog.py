"""What the registry says of a version: ``python docs/changelog.py | comfy node publish --changelog-file - ...``.

Prints the beginning of a version's section in CHANGELOG.md, up to its list of everything; the version is the one of
pyproject.toml, or the one named on the command line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version() -> str:
    """The version in pyproject.toml."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert found, "pyproject.toml names no version"
    return found[1]


def summary(of: str) -> str:
    """The short form of a version's changes. Raises ValueError for a version that CHANGELOG.md does not have."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {re.escape(of)}\b[^\n]*\n(.*?)(?=^##|\Z)", text, re.M | re.S)
    if section is None:
        raise ValueError(f"CHANGELOG.md has no section {of}; write one, and a short form before its '### All of it'")
    return section[1].strip()


if __name__ == "__main__":
    print(summary(sys.argv[1] if len(sys.argv) > 1 else version()))
