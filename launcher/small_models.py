"""The small model files of random weights that a run may name (--set, a workflow of yours; none that is shipped does):
written by assets/make_small_models.py when they are needed.

They lie in .run/small-models, apart from the user's own models, and a host is told to look there too.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .errors import HostError
from .venv import say

# The script, which needs torch, knows which files there are; names of this form are asked of it.
_NAME = re.compile(r"synctweedies_tiny\w*\.(?:ckpt|safetensors)")
_FOLDERS = ("checkpoints", "loras", "controlnet")


def named_in(workflows: Iterable[Any], settings: Sequence[str] = ()) -> list[str]:
    """Names of small files in workflows (as read from JSON) and in --set arguments, each once."""
    texts = [json.dumps(workflow) for workflow in workflows]
    return sorted({name for text in (*texts, *settings) for name in _NAME.findall(text)})


def provide(python: str, root: Path, names: Sequence[str]) -> Path | None:
    """Write the named files that are missing or older than the script; the folder that holds them, None for no names.

    python: one that has torch. Raises HostError with the script's last line when it fails.
    """
    if not names:
        return None
    script, folder = root / "assets" / "make_small_models.py", root / ".run" / "small-models"
    made = {path.name: path.stat().st_mtime for below in _FOLDERS for path in (folder / below).glob("*")}
    changed = max(path.stat().st_mtime for path in script.parent.glob("*small_model*.py"))
    missing = [name for name in names if made.get(name, 0.0) < changed]
    if missing:
        say(f"writing small models with random weights: {', '.join(missing)}")
        command = [python, str(script), str(folder), *missing]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise HostError(f"cannot write the small models: {last}")
    return folder


def paths_config(folder: Path, base: Path) -> Path:
    """A file below ``base`` that tells a host to look for models in ``folder`` too (--extra-model-paths-config)."""
    config = base / "small_models.yaml"
    entry = {"base_path": str(folder.absolute()), **{name: name for name in _FOLDERS}}
    config.write_text(json.dumps({"synctweedies": entry}), encoding="utf-8")  # every JSON is YAML
    return config
