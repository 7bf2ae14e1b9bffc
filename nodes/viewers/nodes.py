"""Looking around in what was made."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.mesh.uvs.atlas import LAYOUTS
from ..declare import Choice, Node, Socket
from ..host.mesh_socket import from_socket
from .mesh import preview_meshes
from .panorama import preview_panoramas


@Node(
    "Preview 360",
    "panorama",
    inputs={
        "image": Socket("IMAGE").says(
            "Equirectangular panorama of the whole sphere, twice as wide as high; or a batch."
        )
    },
    outputs={"image": Socket("IMAGE").says("The panorama, unchanged.")},
    search=["panorama viewer", "360", "equirectangular", "sphere", "vr"],
    output_node=True,
)
class SyncTweediesPreview360:
    """Shows a panorama as the sphere it is: drag to look around, scroll to zoom, save the view. Costs writing one PNG a
    picture to the temp folder."""

    def show(self, image: Tensor) -> dict[str, Any]:
        # Not under "images": the front end would draw the flat picture into the node as well.
        return {"ui": {"panoramas": preview_panoramas(image)}, "result": (image,)}


@Node(
    "Preview Mesh",
    "mesh",
    inputs={"mesh": Socket("MESH").says("What to look at.")},
    optional={
        "texture": Socket("IMAGE").says(
            "Shown instead of the mesh's own look: one picture for all parts, or one for each; several times as many "
            "are compared in the viewer."
        ),
        "layout": Choice(LAYOUTS, default="joint").says(
            "Of one picture for several parts: joint, all use the whole of it; tiles, each has a tile of its own."
        ),
    },
    outputs={"mesh": Socket("MESH").says("The mesh, unchanged.")},
    search=["mesh viewer", "3d", "glb", "orbit", "textured mesh"],
    output_node=True,
)
class SyncTweediesPreviewMesh:
    """Shows a textured mesh in the graph: drag to turn it, scroll to zoom, save the view. Costs writing one GLB a mesh
    to the temp folder."""

    def show(self, mesh: Any, texture: Tensor | None = None, layout: Any = "joint") -> dict[str, Any]:
        return {"ui": {"meshes": preview_meshes(from_socket(mesh), texture, layout)}, "result": (mesh,)}
