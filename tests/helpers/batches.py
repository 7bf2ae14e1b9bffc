"""`run.py batch` as a program, on the ComfyUI of tiny_comfyui.py."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers import tiny_comfyui

ROOT = Path(__file__).resolve().parents[2]
PROMPT = {
    "1": {"class_type": "Paint", "inputs": {"text": "a", "seed": 1, "seconds": 0.0, "mode": "paint", "file": "none"}}
}


@dataclass
class Batch:
    """A folder with a table and a checkout; every call starts run.py there."""

    folder: Path
    python: str = sys.executable
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environ |= tiny_comfyui.checkout(self.folder / "comfy")
        (self.folder / "paint.json").write_text(json.dumps(PROMPT))

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        lines = [json.dumps({"workflow": "paint.json", **row}) for row in rows]
        (self.folder / "jobs.jsonl").write_text("\n".join(lines))

    def start(self, *words: object) -> subprocess.Popen[str]:
        command = [self.python, str(ROOT / "run.py"), "batch", "jobs.jsonl", "--output", "out", *map(str, words)]
        environ = {**os.environ, **self.environ}
        pipe = subprocess.PIPE
        # (started in the background of a shell, this process ignores the signal, and its children would)
        hears = (lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) if os.name == "posix" else None
        return subprocess.Popen(
            command, cwd=self.folder, env=environ, stdout=pipe, stderr=pipe, text=True, preexec_fn=hears
        )

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        started = self.start(*words)
        out, err = started.communicate(timeout=120)
        return subprocess.CompletedProcess(started.args, started.returncode, out, err)

    def record(self, name: str) -> dict[str, Any]:
        return json.loads((self.out / name / "job.json").read_text())

    def made(self) -> dict[str, str]:
        """Path below the output folder -> hash, of all that jobs made."""
        files = [path for path in self.out.glob("*/**/*") if path.is_file() and path.name != "job.json"]
        return {
            path.relative_to(self.out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
            if path.relative_to(self.out).parts[0] != ".batch"
        }

    def done(self) -> list[str]:
        return sorted(path.parent.name for path in self.out.glob("*/job.json") if "." not in path.parent.name)

    def hosts(self) -> list[int]:
        """Processes of hosts of this checkout, guards apart."""
        return [number for number, words in processes() if str(self.folder) in words and "guard.py" not in words]


def processes() -> list[tuple[int, str]]:
    """(number, command line) of what runs a tiny ComfyUI, directly or as its guard."""
    found: list[tuple[int, str]] = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if "main.py --base-directory" in words:
            found.append((int(path.name), words))
    return found


def parent(number: int) -> int:
    """The parent process of a process."""
    return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])


def until(true: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What ``true`` gives once that is something; fails when it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")
