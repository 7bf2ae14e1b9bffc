"""Looking around in what was made."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.mesh.uvs.atlas import LAYOUTS
from ..declare import Choice, Node, Socket
from ..host.mesh_socket import from_socket
from ..host.splat_socket import splats_of
from ..splats.widgets import RULE, UP
from .mesh import mesh_views, preview_meshes
from .panorama import panorama_views, preview_panoramas
from .splats import preview_splats

_CAMERAS = Socket("VIEW_RIG").says(
    "Cameras to show around it, with their numbers; a click on a number looks through that camera."
)


@Node(
    "Preview 360",
    "panorama",
    inputs={
        "image": Socket("IMAGE").says(
            "Equirectangular panorama of the whole sphere, twice as wide as high; or a batch."
        )
    },
    optional={
        "rig": Socket("VIEW_RIG").says(
            "Views to outline on the sphere, with their numbers; a click on one looks there."
        )
    },
    outputs={"image": Socket("IMAGE").says("The panorama, unchanged.")},
    search=["panorama viewer", "360", "equirectangular", "sphere", "vr"],
    output_node=True,
)
class SyncTweediesPreview360:
    """Shows a panorama as the sphere it is: drag to look around, scroll to zoom, save the view. Costs writing one PNG a
    picture to the temp folder."""

    def show(self, image: Tensor, rig: Any = None) -> dict[str, Any]:
        # Not under "images": the front end would draw the flat picture into the node as well.
        return {"ui": panorama_views(rig) | {"panoramas": preview_panoramas(image)}, "result": (image,)}


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
        "rig": _CAMERAS,
    },
    outputs={"mesh": Socket("MESH").says("The mesh, unchanged.")},
    search=["mesh viewer", "3d", "glb", "orbit", "textured mesh"],
    output_node=True,
)
class SyncTweediesPreviewMesh:
    """Shows a textured mesh in the graph: drag to turn it, scroll to zoom, save the view. Costs writing one GLB a mesh
    to the temp folder."""

    def show(self, mesh: Any, texture: Tensor | None = None, layout: Any = "joint", rig: Any = None) -> dict[str, Any]:
        given = from_socket(mesh)
        return {"ui": mesh_views(given, rig) | {"meshes": preview_meshes(given, texture, layout)}, "result": (mesh,)}


@Node(
    "Preview Splats",
    "splats",
    inputs={"splats": Socket("SPLAT").says("What to look at."), "up": UP},
    optional={"rule": RULE.given(advanced=True), "rig": _CAMERAS},
    outputs={"splats": Socket("SPLAT").says("The scene, unchanged.")},
    search=["splat viewer", "gaussian splatting", "3dgs", "3d", "orbit", "cameras"],
    output_node=True,
)
class SyncTweediesPreviewSplats:
    """Shows a scene of splats in the graph: drag to turn it, scroll to zoom, save the view. Costs writing one file of
    32 bytes a splat to the temp folder."""

    def show(self, splats: Any, up: Any, rule: Any = "antialiased", rig: Any = None) -> dict[str, Any]:
        return {"ui": preview_splats(splats_of(splats), up, rule, rig), "result": (splats,)}
