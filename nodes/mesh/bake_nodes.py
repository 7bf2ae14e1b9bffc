"""Views painted into the texture of a mesh."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.mesh.bake.surface_fill import FILLINGS
from ..declare import LINKED, Choice, Node, Number, Socket
from ..engine.vae import GivenViews
from ..host.mesh_socket import to_socket
from ..widgets import VIEW_PICTURES
from .pictures import BLENDS, MASKS, BakeWishes, bake_textures
from .widgets import MESH_SCENE


@Node(
    "Mesh Texture Bake",
    "mesh",
    inputs={
        **MESH_SCENE,
        "blend": Choice(BLENDS).says(
            "Where views overlap. two bands: coarse structure is averaged, fine detail comes from the view that looks "
            "straightest, so nothing blurs or ghosts. average: everything is averaged, as published. best view: one "
            "view for each texel."
        ),
        "exponent": Number(6.0, 0.0, 32.0, 0.5, advanced=True).says(
            "Views count by the cosine of the viewing angle to this power; 6 as published."
        ),
        "detail": Number(4.0, 0.5, 64.0, 0.5, advanced=True)
        .says("two bands: structures finer than about this many view pixels are fine detail.")
        .when(blend=("two bands",)),
        "fill": Choice(FILLINGS).says(
            "What no view sees. smooth: colours that spread along the surface from around. nearest: the nearest "
            "colour. nothing: black."
        ),
    },
    optional={
        **VIEW_PICTURES,
        "mask": Socket("MASK").says(
            "Only here the texture changes; everywhere else it keeps every bit of the previous."
        ),
        "mask_on": Choice(MASKS, default="texture")
        .says("texture: the mask is painted on the texture. views: one mask a view, in rig order.")
        .when(mask=LINKED),
        "previous": Socket("IMAGE").says(
            "The texture before; without it the mesh's own is kept where a mask says so. Without a mask it stays "
            "where no view looks, instead of a fill."
        ),
        "border": Number(2.0, 0.0, 32.0, 0.5, advanced=True).says(
            "Pixels beside an outline count less, as their colours are mixed with what lies behind."
        ),
    },
    outputs={
        "texture": Socket("IMAGE").says("The texture, of the space's size."),
        "coverage": Socket("MASK").says(
            "1 where some view sees the texel, 0 where it is filled, kept or outside of all charts."
        ),
        "mesh": Socket("MESH").says("The mesh with this texture (the first of several)."),
        "report": Socket("STRING").says("How much is seen, and how well the views agree."),
    },
    search=["project texture", "texture projection", "texture baking", "bake", "uv", "3d"],
)
class MeshTextureBake:
    """Paints views into the texture of the mesh, latents or images made elsewhere. Costs one VAE decode per view, and
    about a quarter of a second per view at 1024 x 1024."""

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
        done = bake_textures(space, rig, BakeWishes(**wishes), GivenViews(views, vae, images), mask, previous)
        texture, coverage, mesh, report = done
        return texture, coverage, to_socket(mesh), report
