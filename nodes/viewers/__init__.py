"""Looking around in results."""

from .nodes import SyncTweediesPreview360, SyncTweediesPreviewMesh

NODES = (
    SyncTweediesPreview360,
    SyncTweediesPreviewMesh,
)
