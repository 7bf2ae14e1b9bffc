"""Splats as a canonical space: their colours are what views share, their geometry stands still."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.splats.bake import BAKED_BANDS, UNSEEN
from ...renderers.splats.splats import UPS
from ...renderers.splats.weights.project import RULES
from ...renderers.splats.weights.weights import BACKENDS
from ...sync_core.aggregate import METHODS
from ..host.errors import named
from ..host.splat_socket import splats_of, to_splat
from ..sampling.sampler import VIEW_PICTURES
from .file_nodes import SPLATS
from .pictures import bake_splats, colours_of, splat_mask

SPACE = ("CANONICAL_SPACE", {"tooltip": "The splats, of SplatSpace."})
CAMERAS = ("VIEW_RIG", {"tooltip": "The cameras, of OrbitRig or CameraFileRig."})
SCENE = ("SPLAT", {"tooltip": "A scene of splats."})
UP = (
    list(UPS),
    {
        "default": "-y",
        "tooltip": "Where the scene's up points, which files do not say: -y for most scenes from photographs, +z from "
        "Blender, +y as meshes have it.",
    },
)
RULE = (
    list(RULES),
    {
        "tooltip": "How splats smaller than a pixel are drawn: antialiased as they should look, classic as INRIA's "
        "trainer draws them (use it for its scenes).",
    },
)


class SplatSpace:
    CATEGORY = SPLATS
    DESCRIPTION = (
        "The colours of splats as the picture that all views share; the splats themselves stand still. Costs nothing "
        "by itself: what the views see is worked out when they are first used."
    )
    RETURN_TYPES = ("CANONICAL_SPACE", "IMAGE")
    RETURN_NAMES = ("space", "colours")
    OUTPUT_TOOLTIPS = (
        "Connect together with a rig of cameras.",
        "The present colours, one pixel a splat: encoded with ExemplarModel's VAE, a picture to start from.",
    )
    FUNCTION = "build"
    SEARCH_ALIASES = ["3dgs", "gaussian splatting", "canvas", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        backend = (
            "What lists the splats of each pixel: auto is numba where installed (up to twice as fast), else torch. "
            "gsplat needs an NVIDIA GPU and pip install gsplat."
        )
        return {
            "required": {"splats": SCENE, "up": UP, "rule": RULE},
            "optional": {"backend": (list(BACKENDS), {"default": "auto", "tooltip": backend, "advanced": True})},
        }

    def build(self, splats: Any, up: Any, rule: Any, backend: Any = "auto") -> tuple[Any, Tensor]:
        with named("SplatSpace"):
            return colours_of(splats_of(splats), up, rule, backend)


class SplatMask:
    CATEGORY = SPLATS
    DESCRIPTION = (
        "Chooses splats by a box, or by masks over views, to change only those. Costs nothing for a box; for masks, "
        "what the views see is worked out once."
    )
    RETURN_TYPES = ("MASK", "INT")
    RETURN_NAMES = ("mask", "count")
    OUTPUT_TOOLTIPS = (
        "One pixel a splat, 1 where it is chosen; for SplatTextureBake and SplatViews.",
        "How many splats are chosen.",
    )
    FUNCTION = "choose"
    SEARCH_ALIASES = ["select", "crop", "local edit", "3dgs", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        place = {"default": 0.0, "min": -100.0, "max": 100.0, "step": 0.05}
        size = {"default": 4.0, "min": 0.0, "max": 1000.0, "step": 0.05}
        return {
            "required": {
                "space": SPACE,
                "x": (
                    "FLOAT",
                    {**place, "tooltip": "Middle of the box, to the right as the front view sees it. The scene's "
                     "middle is 0, its radius 1."},
                ),
                "y": ("FLOAT", {**place, "tooltip": "Middle of the box, upwards."}),
                "z": ("FLOAT", {**place, "tooltip": "Middle of the box, to the front."}),
                "width": ("FLOAT", {**size, "tooltip": "Size of the box from left to right. 4 holds everything."}),
                "height": ("FLOAT", {**size, "tooltip": "Size of the box upwards."}),
                "depth": ("FLOAT", {**size, "tooltip": "Size of the box from front to back."}),
            },
            "optional": {
                "rig": CAMERAS,
                "masks": (
                    "MASK",
                    {
                        "tooltip": "One mask per view of the rig: splats that are mostly seen inside of them, and lie "
                        "in the box."
                    },
                ),
            },
        }  # fmt: skip

    def choose(
        self,
        space: Any,
        x: float,
        y: float,
        z: float,
        width: float,
        height: float,
        depth: float,
        rig: Any = None,
        masks: Tensor | None = None,
    ) -> tuple[Tensor, int]:
        with named("SplatMask"):
            return splat_mask(space, (x, y, z), (width, height, depth), rig, masks)


class SplatTextureBake:
    CATEGORY = SPLATS
    DESCRIPTION = (
        "Gives splats the colours of their views. Costs about half a second per view of 512 x 512 pixels and 100 "
        "thousand splats, and half a gigabyte for ten of them."
    )
    RETURN_TYPES = ("SPLAT", "STRING")
    RETURN_NAMES = ("splats", "report")
    OUTPUT_TOOLTIPS = (
        "The scene in its new colours; everything else is as it was.",
        "How well the splats show the views, how many no view sees, what the weights take.",
    )
    FUNCTION = "bake"
    SEARCH_ALIASES = ["3dgs", "gaussian splatting", "texture", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "space": SPACE,
                "rig": CAMERAS,
                "aggregation": (
                    list(reversed(METHODS)),
                    {
                        "tooltip": "least_squares: the colours that show the views best. mean: the mean of what is "
                        "seen of each splat, softer."
                    },
                ),
                "robust": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 10,
                        "tooltip": "least_squares: so many further rounds in which pixels that do not fit count "
                        "less; 2 where views disagree in places.",
                    },
                ),
                "bands": (
                    list(BAKED_BANDS),
                    {
                        "tooltip": "What becomes of colour that depends on the direction: kept as it is around the new "
                        "colour (shine stays), dropped, or solved for from the views."
                    },
                ),
                "unseen": (
                    list(UNSEEN),
                    {"tooltip": "Splats that no view shows: coloured as the nearest seen ones, or kept as they are."},
                ),
            },
            "optional": {
                **VIEW_PICTURES,
                "mask": ("MASK", {"tooltip": "Splats to paint, of SplatMask; all others keep every bit."}),
            },
        }

    def bake(
        self,
        space: Any,
        rig: Any,
        aggregation: Any,
        robust: int,
        bands: Any,
        unseen: Any,
        views: dict[str, Any] | None = None,
        vae: Any = None,
        images: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Any, str]:
        with named("SplatTextureBake"):
            made = bake_splats(space, rig, views, vae, images, aggregation, robust, bands, unseen, mask)
            return to_splat(made[0]), made[1]


NODES = {"SplatSpace": SplatSpace, "SplatMask": SplatMask, "SplatTextureBake": SplatTextureBake}
NAMES = {"SplatSpace": "Splat Space", "SplatMask": "Splat Mask", "SplatTextureBake": "Splat Texture Bake"}
