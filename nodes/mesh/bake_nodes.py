"""Views painted into the texture of a mesh."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.mesh.bake.surface_fill import FILLINGS
from ..host.errors import named
from ..host.mesh_socket import to_socket
from ..sampling.sampler import VIEW_PICTURES
from .nodes import MESH, MESH_SCENE
from .pictures import BLENDS, MASKS, BakeWishes, bake_textures


class MeshTextureBake:
    CATEGORY = MESH
    DESCRIPTION = (
        "Paints views into the texture of the mesh, latents or images made elsewhere. Costs one VAE decode per view, "
        "and about a quarter of a second per view at 1024 x 1024."
    )
    RETURN_TYPES = ("IMAGE", "MASK", "MESH", "STRING")
    RETURN_NAMES = ("texture", "coverage", "mesh", "report")
    OUTPUT_TOOLTIPS = (
        "The texture, of the space's size.",
        "1 where some view sees the texel, 0 where it is filled, kept or outside of all charts.",
        "The mesh with this texture (the first of several).",
        "How much is seen, and how well the views agree.",
    )
    FUNCTION = "bake"
    SEARCH_ALIASES = ["project texture", "texture baking", "uv", "3d", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                **MESH_SCENE,
                "blend": (
                    list(BLENDS),
                    {
                        "tooltip": "Where views overlap. two bands: coarse structure is averaged, fine detail comes "
                        "from the view that looks straightest, so nothing blurs or ghosts. average: everything is "
                        "averaged, as published. best view: one view for each texel."
                    },
                ),
                "exponent": (
                    "FLOAT",
                    {
                        "default": 6.0,
                        "min": 0.0,
                        "max": 32.0,
                        "step": 0.5,
                        "tooltip": "Views count by the cosine of the viewing angle to this power; 6 as published.",
                    },
                ),
                "detail": (
                    "FLOAT",
                    {
                        "default": 4.0,
                        "min": 0.5,
                        "max": 64.0,
                        "step": 0.5,
                        "tooltip": "two bands: structures finer than about this many view pixels are fine detail.",
                    },
                ),
                "fill": (
                    list(FILLINGS),
                    {
                        "tooltip": "What no view sees. smooth: colours that spread along the surface from around. "
                        "nearest: the nearest colour. nothing: black."
                    },
                ),
            },
            "optional": {
                **VIEW_PICTURES,
                "mask": (
                    "MASK",
                    {"tooltip": "Only here the texture changes; everywhere else it keeps every bit of the previous."},
                ),
                "mask_on": (
                    list(MASKS),
                    {
                        "default": "texture",
                        "tooltip": "texture: the mask is painted on the texture. views: one mask a view, in rig order.",
                    },
                ),
                "previous": (
                    "IMAGE",
                    {
                        "tooltip": "The texture before; without it the mesh's own is kept where a mask says so. "
                        "Without a mask it stays where no view looks, instead of a fill."
                    },
                ),
                "border": (
                    "FLOAT",
                    {
                        "default": 2.0,
                        "min": 0.0,
                        "max": 32.0,
                        "step": 0.5,
                        "tooltip": "Pixels beside an outline count less, as their colours are mixed with what lies "
                        "behind.",
                        "advanced": True,
                    },
                ),
            },
        }

    def bake(
        self,
        space: Any,
        rig: Any,
        views: dict[str, Any] | None = None,
        vae: Any = None,
        images: Tensor | None = None,
        mask: Tensor | None = None,
        previous: Tensor | None = None,
        **wishes: Any,
    ) -> tuple[Tensor, Tensor, Any, str]:
        with named("MeshTextureBake"):
            done = bake_textures(space, rig, BakeWishes(**wishes), views, vae, images, mask, previous)
            texture, coverage, mesh, report = done
            return texture, coverage, to_socket(mesh), report


NODES = {"MeshTextureBake": MeshTextureBake}
NAMES = {"MeshTextureBake": "Mesh Texture Bake"}
