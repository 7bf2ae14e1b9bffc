"""Find a ComfyUI host and give it a Python that can run it.

Two hosts: *official*, a ComfyUI checkout (COMFYUI_DIR, or the one whose custom_nodes holds this pack), and *pip*, the
registry's ``comfyui==0.0.1``. SYNCTWEEDIES_PYTHON names an interpreter that already has everything: then nothing is
created or installed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import environments
from .errors import HostError, UsageError
from .venv import ensure_venv, script, supported_python

KINDS = ("pip", "official")


@dataclass(frozen=True)
class Host:
    """A host ready to start. ``directory`` is the checkout of an official host, None for the pip host."""

    kind: str
    python: str
    directory: Path | None = None

    def command(self, base: Path, port: int, cpu: bool) -> list[str]:
        """Command line of a server over the folder ``base`` (custom_nodes/, input/, models/, ... inside)."""
        if self.directory is None:
            # -m instead of the console script: the same words on every system.
            command = [self.python, "-u", "-m", "comfy.cmd.main", "--cwd", str(base)]
        else:
            command = [self.python, "-u", str(self.directory / "main.py"), "--base-directory", str(base)]
            command += ["--disable-api-nodes", "--database-url", "sqlite:///:memory:"]
        command += ["--port", str(port), *(["--cpu"] if cpu else [])]
        return command

    def models(self, root: Path) -> Path:
        """Folder with the user's checkpoints: COMFYUI_MODELS, the checkout's own, else .run/models here.

        Raises UsageError when COMFYUI_MODELS names no folder.
        """
        named = os.environ.get("COMFYUI_MODELS", "").strip()
        if named and not Path(named).expanduser().is_dir():
            raise UsageError(f"COMFYUI_MODELS={named} is no folder: correct or unset it")
        return Path(named).expanduser().absolute() if named else (self.directory or root / ".run") / "models"


def find_official(root: Path, environ: Mapping[str, str]) -> Path | None:
    """The official host's folder, or None.

    ``root`` is the pack's folder as it was reached (symlinks not resolved: a linked pack still lies in custom_nodes).
    Raises UsageError when COMFYUI_DIR is set but holds no ComfyUI.
    """
    named = environ.get("COMFYUI_DIR", "").strip()
    if named:
        directory = Path(named).expanduser().absolute()
        if not _is_comfyui(directory):
            raise UsageError(f"COMFYUI_DIR={named} holds no ComfyUI (no main.py and comfy/ there): correct or unset it")
        return directory
    if root.parent.name == "custom_nodes" and _is_comfyui(root.parent.parent):
        return root.parent.parent
    return None


def choose(kind: str | None, root: Path, environ: Mapping[str, str]) -> tuple[str, Path | None]:
    """(kind, checkout) to use: what was asked for, else the official host when there is one, else pip.

    Raises UsageError when the official host is asked for and cannot be found.
    """
    if kind == "pip":
        return "pip", None
    directory = find_official(root, environ)
    if directory is not None:
        return "official", directory
    if kind == "official":
        raise UsageError("no ComfyUI checkout found: set COMFYUI_DIR to one, or use --host pip")
    return "pip", None


def prepare(kind: str | None, root: Path, environ: Mapping[str, str]) -> Host:
    """Choose a host and make sure a Python with all it needs exists (installing on the first run)."""
    kind, directory = choose(kind, root, environ)
    ready = environ.get("SYNCTWEEDIES_PYTHON", "").strip()
    if ready:
        return Host(kind, ready, directory)
    if directory is None:
        python = supported_python(*environments.PIP_HOST_PYTHON)
        return Host(kind, str(ensure_venv(root / ".venv", environments.pip_host_layers(), python)))
    own = own_python(directory)
    if own is not None:
        return Host(kind, str(own), directory)
    python = supported_python(*environments.OFFICIAL_PYTHON)
    layers = environments.official_layers(directory)
    return Host(kind, str(ensure_venv(root / ".venv-official", layers, python)), directory)


def own_python(directory: Path) -> Path | None:
    """The interpreter a ComfyUI checkout already runs with: its virtual environment, or the Windows portable one."""
    portable = directory.parent / "python_embeded" / "python.exe"
    probe = (
        "import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in ('torch', 'aiohttp', 'yaml')))"
    )
    for python in (script(directory / ".venv", "python"), script(directory / "venv", "python"), portable):
        if python.exists() and subprocess.run([str(python), "-c", probe], capture_output=True).returncode == 0:
            return python
    return None


def has_gpu(python: str) -> bool:
    """Whether torch in that Python sees an accelerator. Raises HostError when torch cannot be imported."""
    probe = (
        "import torch; xpu = getattr(torch, 'xpu', None); "
        "print(int(torch.cuda.is_available() or torch.backends.mps.is_available() or bool(xpu and xpu.is_available())))"
    )
    try:
        done = subprocess.run([python, "-c", probe], capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise HostError(f"cannot run {python}: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise HostError(f"torch cannot be imported by {python}: {last}")
    return done.stdout.strip().endswith("1")


def _is_comfyui(directory: Path) -> bool:
    return (directory / "main.py").is_file() and (directory / "comfy").is_dir()
