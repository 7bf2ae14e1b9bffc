"""In tests/: `python -m fuzz [--runs N] [--seed S] [READER ...]`: thousands of changed files; exit code 1 when
one got through.

Runs in the environment of the tests. Prints a line a reader, and every run that failed with its number: ``--only N``
writes that run's files to the current folder instead.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import conftest  # noqa: F401  (makes the pack importable)

from fuzz.attack import attack, changed
from fuzz.readers import READERS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", default=[], metavar="READER", help=", ".join(READERS))
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="write the files of one run here and stop")
    options = parser.parse_args()
    unknown = [name for name in options.readers if name not in READERS]
    if unknown:
        parser.error(f"no reader {', '.join(unknown)}; there is: {', '.join(READERS)}")
    names = options.readers or list(READERS)
    if options.only is not None:
        for name, data in changed(READERS[names[0]].seeds(), options.seed, options.only).items():
            Path(Path(name).name).write_bytes(data)
        return 0
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found = attack(READERS[name], options.runs, options.seed, Path(folder))
        over = "unknown" if found.over is None else f"{max(found.over, 0) / 1e6:.0f} MB"
        print(
            f"{name}: {found.runs} files, {found.accepted} read, {found.refused} refused, {len(found.foreign)} others; "
            f"slowest {found.slowest:.2f} s, memory over 4 x file + 64 MB: {over}",
            flush=True,
        )
        for number, text in found.foreign[:20]:
            print(f"  {number}: {text}")
        failed += bool(found.foreign) or found.slowest > 5 or (found.over or 0) > 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
