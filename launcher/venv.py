"""Virtual environments: create, install layer by layer, and remember what is installed so a second run is quick."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import LauncherError

STAMP = "installed-by-run-py.json"


@dataclass(frozen=True)
class Layer:
    """A named set of packages: ``steps`` are the argument lists of successive ``pip install`` calls.

    ``files`` are requirement files whose *content* counts as part of the layer; ``note`` is shown while installing.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]
    files: tuple[Path, ...] = ()
    note: str = ""

    def fingerprint(self) -> str:
        """Hash of everything that decides what this layer installs."""
        digest = hashlib.sha256(json.dumps(self.steps).encode())
        for file in self.files:
            digest.update(file.read_bytes())
        return digest.hexdigest()


def say(text: str) -> None:
    """Progress for people goes to stderr; stdout is kept for results."""
    print(text, file=sys.stderr, flush=True)


def script(venv: Path, name: str) -> Path:
    """Path of an executable inside a virtual environment, on any system."""
    return venv / "Scripts" / f"{name}.exe" if os.name == "nt" else venv / "bin" / name


def supported_python(lowest: tuple[int, int], highest: tuple[int, int]) -> str:
    """A Python within [lowest, highest]: this one if it fits, else one on PATH.

    Raises LauncherError when there is none.
    """
    if lowest <= sys.version_info[:2] <= highest:
        return sys.executable
    for minor in range(highest[1], lowest[1] - 1, -1):
        found = shutil.which(f"python{highest[0]}.{minor}")
        if found:
            return found
    have = ".".join(map(str, sys.version_info[:2]))
    wanted = f"{lowest[0]}.{lowest[1]} to {highest[0]}.{highest[1]}"
    raise LauncherError(
        f"this is Python {have}, the registry's ComfyUI needs {wanted}: install one of them and start run.py with it, "
        "or set COMFYUI_DIR to a ComfyUI checkout"
    )


def read_stamp(venv: Path) -> dict[str, str]:
    """Layer name -> fingerprint of what is installed in ``venv``; empty when unknown or unreadable."""
    try:
        data = json.loads((venv / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in data.items()} if isinstance(data, dict) else {}


def ensure_venv(venv: Path, layers: Sequence[Layer], python: str | None = None) -> Path:
    """Make ``venv`` hold every layer and return its interpreter.

    A layer already recorded in the stamp file is not looked at again. An environment whose interpreter no longer runs
    (a moved folder, an upgraded system Python) is made anew. Raises LauncherError naming the step that failed.
    """
    interpreter = script(venv, "python")
    if not _runs(interpreter):
        _create(venv, python or sys.executable)
    stamp = read_stamp(venv)
    for layer in layers:
        if stamp.get(layer.name) == layer.fingerprint():
            continue
        began = time.monotonic()
        say(f"installing {layer.name} into {venv.name}{' (' + layer.note + ')' if layer.note else ''} ...")
        for step in layer.steps:
            _pip(interpreter, step, layer.name)
        stamp[layer.name] = layer.fingerprint()
        (venv / STAMP).write_text(json.dumps(stamp, indent=1), encoding="utf-8")
        say(f"installed {layer.name} in {time.monotonic() - began:.0f} s")
    return interpreter


def _runs(interpreter: Path) -> bool:
    if not interpreter.exists():
        return False
    try:
        done = subprocess.run([str(interpreter), "-c", "import pip"], capture_output=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _create(venv: Path, python: str) -> None:
    say(f"creating {venv.name} with {python}")
    done = subprocess.run([python, "-m", "venv", "--clear", str(venv)], capture_output=True, text=True)
    if done.returncode != 0:
        reason = _last_line(done.stderr or done.stdout)
        raise LauncherError(f"cannot create {venv}: {reason} (on Debian and Ubuntu: apt install python3-venv)")


def _pip(interpreter: Path, arguments: Sequence[str], layer: str) -> None:
    # --no-compile: bytecode is written for the modules that are really imported, not for all of torch.
    command = [str(interpreter), "-m", "pip", "install", "--no-compile", "--disable-pip-version-check", *arguments]
    bar = sys.stderr.isatty()
    if not bar:
        command.insert(4, "-q")
    done = subprocess.run(
        command, stdout=sys.stderr if bar else subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        raise LauncherError(f"pip could not install {layer}: {_last_line(done.stderr, 'ERROR')}")


def _last_line(text: str, prefer: str = "") -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wanted = [line for line in lines if prefer in line]
    return (wanted or lines or ["no message"])[-1]
