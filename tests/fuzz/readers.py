"""Which readers are attacked, each with files that it reads well."""

from __future__ import annotations

from fuzz.attack import Reader
from fuzz.mesh_readers import MESH_READERS
from fuzz.scene_readers import SCENE_READERS
from fuzz.text_readers import TEXT_READERS
from fuzz.typed_texts import TYPED_TEXTS

READERS: dict[str, Reader] = {**MESH_READERS, **TEXT_READERS, **SCENE_READERS, **TYPED_TEXTS}
