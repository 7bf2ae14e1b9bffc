"""Which readers are attacked, each with files that it reads well."""

from __future__ import annotations

from .attack import Reader
from .mesh_readers import MESH_READERS
from .scene_readers import SCENE_READERS

READERS: dict[str, Reader] = {**MESH_READERS, **SCENE_READERS}
