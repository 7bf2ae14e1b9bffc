"""Meshes and their textures."""

from .bake_nodes import MeshTextureBake
from .file_nodes import SaveTexturedMesh, SyncTweediesLoadMesh, SyncTweediesUnwrap
from .nodes import MeshSpace, MeshTurntable, MeshViews

NODES = (
    SyncTweediesLoadMesh,
    SyncTweediesUnwrap,
    SaveTexturedMesh,
    MeshSpace,
    MeshViews,
    MeshTurntable,
    MeshTextureBake,
)
