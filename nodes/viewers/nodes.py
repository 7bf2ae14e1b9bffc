"""Looking around in what was made."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.mesh.uvs.atlas import LAYOUTS
from ..host.errors import named
from ..host.mesh_socket import from_socket
from .mesh import save_meshes
from .panorama import save_panoramas


class SyncTweediesPreview360:
    CATEGORY = "SyncTweedies/output"
    DESCRIPTION = (
        "Shows a panorama as the sphere it is: drag to look around, scroll to zoom, save the view. Costs writing one "
        "PNG a picture to the temp folder."
    )
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("image",)
    OUTPUT_TOOLTIPS = ("The panorama, unchanged.",)
    FUNCTION = "show"
    OUTPUT_NODE = True
    SEARCH_ALIASES = ["panorama viewer", "360", "equirectangular", "sphere", "vr", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": (
                    "IMAGE",
                    {"tooltip": "Equirectangular panorama of the whole sphere, twice as wide as high; or a batch."},
                )
            }
        }

    def show(self, image: Tensor) -> dict[str, Any]:
        with named("SyncTweediesPreview360"):
            # Not under "images": the front end would draw the flat picture into the node as well.
            return {"ui": {"panoramas": save_panoramas(image)}, "result": (image,)}


class SyncTweediesPreviewMesh:
    CATEGORY = "SyncTweedies/meshes"
    DESCRIPTION = (
        "Shows a textured mesh in the graph: drag to turn it, scroll to zoom, save the view. Costs writing one GLB a "
        "mesh to the temp folder."
    )
    RETURN_TYPES = ("MESH",)
    RETURN_NAMES = ("mesh",)
    OUTPUT_TOOLTIPS = ("The mesh, unchanged.",)
    FUNCTION = "show"
    OUTPUT_NODE = True
    SEARCH_ALIASES = ["mesh viewer", "3d", "glb", "orbit", "textured mesh", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"mesh": ("MESH", {"tooltip": "What to look at."})},
            "optional": {
                "texture": (
                    "IMAGE",
                    {
                        "tooltip": "Shown instead of the mesh's own look: one picture for all parts, or one for each; "
                        "several times as many are compared in the viewer."
                    },
                ),
                "layout": (
                    list(LAYOUTS),
                    {
                        "default": "joint",
                        "tooltip": "Of one picture for several parts: joint, all use the whole of it; tiles, each has "
                        "a tile of its own.",
                    },
                ),
            },
        }

    def show(self, mesh: Any, texture: Tensor | None = None, layout: Any = "joint") -> dict[str, Any]:
        with named("SyncTweediesPreviewMesh"):
            return {"ui": {"meshes": save_meshes(from_socket(mesh), texture, layout)}, "result": (mesh,)}


NODES = {"SyncTweediesPreview360": SyncTweediesPreview360, "SyncTweediesPreviewMesh": SyncTweediesPreviewMesh}
NAMES = {"SyncTweediesPreview360": "Preview 360", "SyncTweediesPreviewMesh": "Preview Mesh"}
