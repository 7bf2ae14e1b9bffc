"""Looking around in results."""

from .nodes import SyncTweediesPreview360, SyncTweediesPreviewMesh, SyncTweediesPreviewSplats

NODES = (
    SyncTweediesPreview360,
    SyncTweediesPreviewMesh,
    SyncTweediesPreviewSplats,
)
