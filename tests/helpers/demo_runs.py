"""Shipped workflows run by ``run.py demo`` on the host at hand, for the tests that look at what they make."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_demo(names: Sequence[str], output: Path, changes: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """The finished process; ``changes`` are the words behind --set. Skips where there is no host."""
    official = bool(os.environ.get("COMFYUI_DIR"))
    if not official and importlib.util.find_spec("comfy") is None:
        pytest.skip("no ComfyUI host: set COMFYUI_DIR or install comfyui==0.0.1")
    command = [sys.executable, "run.py", "demo", *names, "--host", "official" if official else "pip"]
    command += ["--output", str(output), "--set", *changes]
    environment = {**os.environ, "SYNCTWEEDIES_PYTHON": sys.executable}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
