"""Which readers are attacked, each with files that it reads well."""

from __future__ import annotations

from .attack import Reader
from .mesh_readers import MESH_READERS
from .scene_readers import SCENE_READERS
from .text_readers import TEXT_READERS
from .typed_texts import TYPED_TEXTS

READERS: dict[str, Reader] = {**MESH_READERS, **TEXT_READERS, **SCENE_READERS, **TYPED_TEXTS}
