"""Panoramas: from views to the sphere and back, turned, and as a cube."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...renderers.panorama.equirect import (
    LAYOUTS,
    check_equirect_picture,
    from_cubemap,
    rotate_equirect,
    split_cubemap,
    to_cubemap,
    views_of_equirect,
)
from ...renderers.panorama.fill import FILLINGS
from ..host.errors import named
from ..sampling.sampler import SCENE, VIEW_PICTURES
from .pictures import need_cameras, stitch_equirect

PANORAMA = "SyncTweedies/panorama"
CAMERAS = ("VIEW_RIG", {"tooltip": "The cameras: ViewRig of kind ring, sphere, fibonacci or custom."})
_BLENDS = ["two bands", "average"]
_DIRECTIONS = ["panorama to cube", "cube to panorama"]


class EquirectStitch:
    CATEGORY = PANORAMA
    DESCRIPTION = (
        "Joins views into the equirectangular panorama, latents or images made elsewhere. Costs one VAE decode per "
        "view, and about a tenth of a second per view at 2048 x 1024."
    )
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("image", "coverage")
    OUTPUT_TOOLTIPS = ("The panorama, of the space's size.", "1 where some view looks, 0 where the picture is filled.")
    FUNCTION = "stitch"
    SEARCH_ALIASES = ["panorama", "360", "merge views", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                **SCENE,
                "blend": (
                    _BLENDS,
                    {
                        "tooltip": "Where views overlap. two bands: coarse structure is averaged, fine detail comes "
                        "from the view that looks straightest, so nothing blurs. average: everything is averaged."
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
                "holes": (
                    list(FILLINGS),
                    {
                        "tooltip": "Where no view looks. smooth: colours that fade in from around. nearest: the "
                        "nearest colour. nothing: black."
                    },
                ),
            },
            "optional": {
                **VIEW_PICTURES,
            },
        }

    def stitch(
        self,
        space: Any,
        rig: Any,
        blend: str,
        detail: float,
        holes: Any,
        views: dict[str, Any] | None = None,
        vae: Any = None,
        images: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        with named("EquirectStitch"):
            return stitch_equirect(space, rig, views, vae, images, detail if blend == "two bands" else 0.0, holes)


class EquirectViews:
    CATEGORY = PANORAMA
    DESCRIPTION = (
        "What the rig's cameras see in a panorama: hints for ControlNet, masks, views to edit by hand. "
        "Costs some milliseconds per view."
    )
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("images", "masks")
    OUTPUT_TOOLTIPS = (
        "One image per view, in rig order; of the mask, in grey, when no image is connected.",
        "One mask per view; 1 everywhere when no mask is connected.",
    )
    FUNCTION = "look"
    SEARCH_ALIASES = ["panorama to perspective", "360", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {"rig": CAMERAS},
            "optional": {
                "image": ("IMAGE", {"tooltip": "An equirectangular panorama, twice as wide as high."}),
                "mask": ("MASK", {"tooltip": "A mask painted on the panorama."}),
            },
        }

    def look(self, rig: Any, image: Tensor | None = None, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with named("EquirectViews"):
            cameras = need_cameras(rig)
            if image is None and mask is None:
                raise ValueError("nothing to look at; connect an image or a mask")
            masks = None if mask is None else views_of_equirect(mask.reshape(-1, *mask.shape[-2:])[..., None], cameras)
            if image is None:
                assert masks is not None
                return masks.repeat(1, 1, 1, 3), masks[..., 0]
            images = views_of_equirect(image, cameras)
            return images, torch.ones(images.shape[:3]) if masks is None else masks[..., 0]


class EquirectRotate:
    CATEGORY = PANORAMA
    DESCRIPTION = (
        "Turns a panorama: what was at the given direction comes to the middle. Costs some milliseconds; a yaw of "
        "whole pixels changes no value."
    )
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("The turned panorama, of the same size.",)
    FUNCTION = "turn"
    SEARCH_ALIASES = ["panorama", "360", "level horizon", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        turn = {"default": 0.0, "min": -360.0, "max": 360.0, "step": 1.0}
        return {
            "required": {
                "image": ("IMAGE", {"tooltip": "An equirectangular panorama, twice as wide as high."}),
                "yaw": (
                    "FLOAT",
                    {**turn, "tooltip": "Azimuth that comes to the middle, degrees; 180 brings the seam to the front."},
                ),
                "pitch": (
                    "FLOAT",
                    {**turn, "tooltip": "Elevation that comes to the middle, degrees; 90 brings the sky to the front."},
                ),
                "roll": ("FLOAT", {**turn, "tooltip": "Turn of the camera to the right about its axis, degrees."}),
            }
        }

    def turn(self, image: Tensor, yaw: float, pitch: float, roll: float) -> tuple[Tensor]:
        with named("EquirectRotate"):
            check_equirect_picture(image)
            return (rotate_equirect(image, yaw, pitch, roll),)


class EquirectCubemap:
    CATEGORY = PANORAMA
    DESCRIPTION = (
        "A panorama as the six faces of a cube, and back. Costs some milliseconds; one way and back is slightly softer."
    )
    RETURN_TYPES = ("IMAGE",)
    OUTPUT_TOOLTIPS = ("The cube map, or the panorama.",)
    FUNCTION = "convert"
    SEARCH_ALIASES = ["skybox", "cube map", "360", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "image": (
                    "IMAGE",
                    {
                        "tooltip": "A panorama; or a cube map: a batch of six faces (front, right, back, left, up, "
                        "down), a row of six, or a cross of 4 x 3."
                    },
                ),
                "direction": (_DIRECTIONS, {"tooltip": "Which way."}),
                "layout": (
                    list(LAYOUTS),
                    {
                        "default": "faces",
                        "tooltip": "panorama to cube: six images, a row, or a cross with the front in the middle of "
                        "it. The other way, layouts are told apart by their shape.",
                    },
                ),
                "size": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 8192,
                        "tooltip": "Side of a face, or height of the panorama, pixels. 0 = as fine as the input.",
                    },
                ),
            }
        }

    def convert(self, image: Tensor, direction: str, layout: Any, size: int) -> tuple[Tensor]:
        with named("EquirectCubemap"):
            if direction == _DIRECTIONS[0]:
                check_equirect_picture(image)
                return (to_cubemap(image, size or max(1, image.shape[1] // 2), layout),)
            faces = split_cubemap(image)
            return (from_cubemap(faces, size or 2 * faces.shape[2]),)


NODES = {
    "EquirectStitch": EquirectStitch,
    "EquirectViews": EquirectViews,
    "EquirectRotate": EquirectRotate,
    "EquirectCubemap": EquirectCubemap,
}
NAMES = {
    "EquirectStitch": "Equirect Stitch",
    "EquirectViews": "Equirect Views",
    "EquirectRotate": "Equirect Rotate",
    "EquirectCubemap": "Equirect Cubemap",
}
