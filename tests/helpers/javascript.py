"""The front end's modules, run by node where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


def run(module: str, script: str) -> Any:
    """What a script that knows ``g`` (a module under web/) returns, through JSON."""
    path = json.dumps((WEB / module).as_uri())
    source = f"import * as g from {path};\nconsole.log(JSON.stringify(await (async () => {{ {script} }})()));"
    done = subprocess.run(
        [str(NODE), "--input-type=module", "-"], input=source, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(path: Path) -> None:
    """Fails for a script that cannot be parsed."""
    done = subprocess.run([str(NODE), "--check", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
