"""ComfyUI-SyncTweedies: what ComfyUI loads.

Outside a ComfyUI host (pytest, tools) the mappings stay empty, so importing this file never needs ComfyUI.
"""

import importlib.util as _util

WEB_DIRECTORY = "./web"
NODE_CLASS_MAPPINGS: dict = {}
NODE_DISPLAY_NAME_MAPPINGS: dict = {}

if __package__ and _util.find_spec("folder_paths") is not None:
    from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
