"""Panoramas and their views."""

from .file_nodes import PanoramaDepthViews, SavePanorama
from .nodes import EquirectCubemap, EquirectRotate, EquirectStitch, EquirectViews

NODES = (
    EquirectStitch,
    EquirectViews,
    EquirectRotate,
    EquirectCubemap,
    PanoramaDepthViews,
    SavePanorama,
)
