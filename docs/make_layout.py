"""Lay out all workflows by rule (docs/layout): ``.venv/bin/python docs/make_layout.py [NAME ...]``.

A second run changes nothing, which a test holds; boxes of nodes are measured by docs/layout/measure.py.
"""

from __future__ import annotations

import json
import sys

from layout.apply import lay_out
from workflow_graphs import FOLDER


def main() -> None:
    names = sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("*.json"))
    for name in names:
        path = FOLDER / f"{name}.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(lay_out(data, name), encoding="utf-8")


if __name__ == "__main__":
    main()
