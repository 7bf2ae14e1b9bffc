"""Scenes of 3D Gaussians."""

from .file_nodes import CameraFileRig, SaveSplats, SyncTweediesLoadSplats
from .nodes import SplatMask, SplatSpace, SplatTextureBake
from .view_nodes import SplatTurntable, SplatViews

NODES = (
    SyncTweediesLoadSplats,
    SaveSplats,
    CameraFileRig,
    SplatSpace,
    SplatMask,
    SplatTextureBake,
    SplatViews,
    SplatTurntable,
)
