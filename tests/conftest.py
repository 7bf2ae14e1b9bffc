"""Makes the pack importable as ``syncpack`` without running its root ``__init__``.

ComfyUI loads the pack as a package under any folder name, so all imports inside are relative; the alias package lets
tests use the very same files. The root is never put on sys.path: its ``nodes`` would shadow ComfyUI's.
"""

import sys
import types
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is not a failing law.
settings.register_profile("pack", deadline=None)
settings.load_profile("pack")

ROOT = Path(__file__).resolve().parent.parent

if "syncpack" not in sys.modules:
    alias = types.ModuleType("syncpack")
    alias.__path__ = [str(ROOT)]
    sys.modules["syncpack"] = alias


@pytest.fixture
def folders(tmp_path):
    """The host's folders input, output and temp, empty and for one test only; gives what they lie in."""
    from helpers.hosting import host_module

    folder_paths = host_module("folder_paths", "comfy.cmd.folder_paths")
    kinds = ("input", "output", "temp")
    before = {kind: getattr(folder_paths, f"get_{kind}_directory")() for kind in kinds}
    for kind in kinds:
        (tmp_path / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")(str(tmp_path / kind))
    yield tmp_path
    for kind in kinds:
        getattr(folder_paths, f"set_{kind}_directory")(before[kind])


@pytest.fixture
def temp_folder(folders):
    """The host's temp folder, for one test only."""
    return folders / "temp"
