"""Makes the pack importable as ``syncpack`` without running its root ``__init__``.

ComfyUI loads the pack as a package under any folder name, so all imports inside are relative; the alias package lets
tests use the very same files. The root is never put on sys.path: its ``nodes`` would shadow ComfyUI's.
"""

import sys
import types
from pathlib import Path

from hypothesis import settings

# A busy machine is not a failing law.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

ROOT = Path(__file__).resolve().parent.parent

if "syncpack" not in sys.modules:
    alias = types.ModuleType("syncpack")
    alias.__path__ = [str(ROOT)]
    sys.modules["syncpack"] = alias
