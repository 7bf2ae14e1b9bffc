"""Panoramas and their views."""

from .file_nodes import PanoramaDepthViews, SavePanorama
from .front_nodes import EquirectFromPicture
from .nodes import EquirectCubemap, EquirectRotate, EquirectStitch, EquirectViews

NODES = (
    EquirectStitch,
    EquirectViews,
    EquirectRotate,
    EquirectCubemap,
    PanoramaDepthViews,
    SavePanorama,
    EquirectFromPicture,
)
