"""Everything that ComfyUI sees. Node ids, inputs and outputs never change meaning; new inputs go to the end."""

from . import illusions, mesh, models, panorama, sampling, splats, video, viewers, views
from .v1 import mappings

_ROOMS = (views, sampling, panorama, viewers, illusions, models, splats, mesh, video)

NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS = mappings(room.NODES for room in _ROOMS)

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
