"""Meshes: the canonical space of a texture, what cameras see of it, and turntables."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.mesh.looks import NORMAL_SPACES, SPANS
from ...renderers.mesh.maps.maps import SAMPLINGS
from ...renderers.mesh.space import MeshTexture
from ...renderers.mesh.turntable import LIGHTS
from ...renderers.mesh.uvs.atlas import LAYOUTS
from ..host.errors import named
from ..host.mesh_socket import from_socket
from ..views.orbit_nodes import side_widget
from .pictures import condition_images, space_texture, turntable_frames

MESH = "SyncTweedies/mesh"
MESH_SCENE = {
    "space": ("CANONICAL_SPACE", {"tooltip": "The mesh's texture, from MeshSpace."}),
    "rig": ("VIEW_RIG", {"tooltip": "The cameras, from OrbitRig."}),
}
_BACKGROUND = "Colour behind the object: white, grey, black, or e.g. #8090a0."


class MeshSpace:
    CATEGORY = MESH
    DESCRIPTION = (
        "The texture of a mesh as the space that views share. Costs some milliseconds; what depends on the cameras is "
        "built when it is first used and kept."
    )
    RETURN_TYPES = ("CANONICAL_SPACE", "IMAGE")
    RETURN_NAMES = ("space", "texture")
    OUTPUT_TOOLTIPS = (
        "Connect together with OrbitRig's rig.",
        "The look that the mesh came with, as the picture of this space: what an edit starts from.",
    )
    FUNCTION = "build"
    SEARCH_ALIASES = ["mesh texture", "uv", "3d", "texturing", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "mesh": ("MESH", {"tooltip": "A mesh with texture coordinates, from SyncTweediesLoadMesh."}),
                "texture_size": side_widget(1024, "Sides of the texture that is baked, pixels."),
                "latent_size": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 8192,
                        "step": 8,
                        "tooltip": "Cells along the longer side of the grid on which latents meet. 0: as fine as the "
                        "views' own pixels; finer shares less between views, coarser blurs.",
                    },
                ),
            },
            "optional": {
                "layout": (
                    list(LAYOUTS),
                    {
                        "default": "tiles",
                        "tooltip": "Several materials: tiles gives each a part of the texture, joint lets all use the "
                        "whole texture by their own coordinates.",
                    },
                ),
                "sampling": (
                    list(SAMPLINGS),
                    {
                        "default": "nearest",
                        "tooltip": "How views read the texture while sampling. nearest, as published, mixes no cells, "
                        "so fine grain stays; bilinear is smoother and takes grain at every step.",
                        "advanced": True,
                    },
                ),
                "two_sided": (
                    "BOOLEAN",
                    {
                        "default": True,
                        "tooltip": "Surfaces seen from behind are painted too: leaves, cloth, cards. Off: only fronts.",
                        "advanced": True,
                    },
                ),
            },
        }

    def build(
        self,
        mesh: Any,
        texture_size: int,
        latent_size: int,
        layout: Any = "tiles",
        sampling: Any = "nearest",
        two_sided: bool = True,
    ) -> tuple[MeshTexture, Tensor]:
        with named("MeshSpace"):
            scene = from_socket(mesh)
            space = MeshTexture(scene, texture_size, texture_size, latent_size, layout, sampling, two_sided)
            return space, space_texture(space)


class MeshViews:
    CATEGORY = MESH
    DESCRIPTION = (
        "What the cameras see of a mesh: hints for ControlNets, masks, its own texture. Costs some hundredths of a "
        "second per view."
    )
    RETURN_TYPES = ("IMAGE", "IMAGE", "MASK", "IMAGE", "IMAGE", "IMAGE")
    RETURN_NAMES = ("depth", "normal", "mask", "position", "texture", "shading")
    OUTPUT_TOOLTIPS = (
        "Inverse depth, near is white, background black: for depth ControlNets.",
        "Directions of the surface as colours: for normal ControlNets.",
        "1 where the object is.",
        "Where in the object's box: red, green and blue are x, y and z.",
        "The look that the mesh came with, unlit: what an edit starts from.",
        "Lit from the camera on grey: its edges suit canny and line-art ControlNets.",
    )
    FUNCTION = "render"
    SEARCH_ALIASES = ["depth map", "normal map", "render mesh", "controlnet", "3d", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": dict(MESH_SCENE),
            "optional": {
                "depth_range": (
                    list(SPANS),
                    {
                        "default": "per view",
                        "tooltip": "Near and far of each view, as published, or of all views, so that a place has one "
                        "grey in all of them.",
                    },
                ),
                "depth_floor": (
                    "FLOAT",
                    {
                        "default": 0.0,
                        "min": 0.0,
                        "max": 0.9,
                        "step": 0.05,
                        "tooltip": "Grey of the farthest surface; above 0 it stands out from the background.",
                    },
                ),
                "soft_depth": (
                    "BOOLEAN",
                    {"default": True, "tooltip": "Soften edges of the depth by 2 pixels, as published."},
                ),
                "normals": (
                    list(NORMAL_SPACES),
                    {
                        "default": "camera",
                        "tooltip": "camera: red right, green up, blue to the camera. Some models have red to the left: "
                        "compare with what their preprocessor makes. world: red +X, green +Y, blue +Z.",
                    },
                ),
                "background": ("STRING", {"default": "white", "tooltip": f"texture: {_BACKGROUND}"}),
            },
        }

    def render(
        self,
        space: Any,
        rig: Any,
        depth_range: Any = "per view",
        depth_floor: float = 0.0,
        soft_depth: bool = True,
        normals: Any = "camera",
        background: str = "white",
    ) -> tuple[Tensor, ...]:
        with named("MeshViews"):
            return condition_images(space, rig, depth_range, depth_floor, soft_depth, normals, background)


class MeshTurntable:
    CATEGORY = MESH
    DESCRIPTION = (
        "Frames of the mesh with its textures, once around. Costs about a fifth of a second per frame of 512 x 512."
    )
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("frames",)
    OUTPUT_TOOLTIPS = ("One image per frame, for a video or a preview.",)
    FUNCTION = "turn"
    SEARCH_ALIASES = ["render mesh", "rotate", "video", "3d", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        def degrees(default: float, low: float, high: float, tooltip: str) -> tuple[str, dict[str, Any]]:
            limits = {"default": float(default), "min": float(low), "max": float(high), "step": 5.0}
            return ("FLOAT", {**limits, "tooltip": tooltip})

        return {
            "required": {
                "mesh": ("MESH", {"tooltip": "A textured mesh."}),
                "frames": ("INT", {"default": 36, "min": 1, "max": 720, "tooltip": "How many, once around."}),
                "width": side_widget(512, "Width of a frame, pixels."),
                "height": side_widget(512, "Height of a frame, pixels."),
                "elevation": degrees(15, -90, 90, "Height of the camera in degrees; below 0 it shows the underside."),
                "start": degrees(0, -360, 360, "Azimuth of the first frame in degrees; 0 sees the +Z side."),
                "light": (
                    list(reversed(LIGHTS)),
                    {"tooltip": "soft: a light that goes with the camera. none: the texture's own colours."},
                ),
                "background": ("STRING", {"default": "white", "tooltip": _BACKGROUND}),
            },
            "optional": {
                "fov": (
                    "FLOAT",
                    {
                        "default": 40.0,
                        "min": 5.0,
                        "max": 120.0,
                        "step": 5.0,
                        "tooltip": "How strong the perspective is, in degrees; the object is fitted in any case.",
                        "advanced": True,
                    },
                ),
            },
        }

    def turn(self, mesh: Any, frames: int, width: int, height: int, background: str, **view: Any) -> tuple[Tensor]:
        with named("MeshTurntable"):
            return (turntable_frames(from_socket(mesh), frames, height, width, background, **view),)


NODES = {
    "MeshSpace": MeshSpace,
    "MeshViews": MeshViews,
    "MeshTurntable": MeshTurntable,
}
NAMES = {
    "MeshSpace": "Mesh Space",
    "MeshViews": "Mesh Views",
    "MeshTurntable": "Mesh Turntable",
}
