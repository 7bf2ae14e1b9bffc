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
from ..declare import Choice, Node, Number, Socket, Whole
from ..engine.vae import GivenViews
from ..widgets import SCENE, VIEW_PICTURES
from .pictures import need_cameras, stitch_equirect

CAMERAS = Socket("VIEW_RIG").says("The cameras: ViewRig of kind ring, sphere, fibonacci or custom.")
_BLENDS = ["two bands", "average"]
_DIRECTIONS = ["panorama to cube", "cube to panorama"]
_TURN = Number(0.0, -360.0, 360.0, 1.0)


@Node(
    "Equirect Stitch",
    "panorama",
    inputs={
        **SCENE,
        "blend": Choice(_BLENDS).says(
            "Where views overlap. two bands: coarse structure is averaged, fine detail comes from the view that looks "
            "straightest, so nothing blurs. average: everything is averaged."
        ),
        "detail": Number(4.0, 0.5, 64.0, 0.5, advanced=True)
        .says("two bands: structures finer than about this many view pixels are fine detail.")
        .when(blend=("two bands",)),
        "holes": Choice(FILLINGS).says(
            "Where no view looks. smooth: colours that fade in from around. nearest: the nearest colour. nothing: "
            "black."
        ),
    },
    optional={**VIEW_PICTURES},
    outputs={
        "image": Socket("IMAGE").says("The panorama, of the space's size."),
        "coverage": Socket("MASK").says("1 where some view looks, 0 where the picture is filled."),
    },
    search=["panorama", "360", "equirectangular", "merge views"],
)
class EquirectStitch:
    """Joins views into the equirectangular panorama, latents or images made elsewhere. Costs one VAE decode per view,
    and about a tenth of a second per view at 2048 x 1024."""

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
        return stitch_equirect(
            space, rig, GivenViews(views, vae, images), detail if blend == "two bands" else 0.0, holes
        )


def camera_pictures(rig: Any, image: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """What the cameras see of panoramas [B, H, W, C] and of a mask over them: images [B*N, h, w, C], of the mask, in
    grey, where there is no image; and masks [B*N, h, w], 1 where there is no mask. Raises ValueError for neither, and
    for a rig without cameras."""
    cameras = need_cameras(rig)
    if image is None and mask is None:
        raise ValueError("nothing to look at; connect an image or a mask")
    masks = None if mask is None else views_of_equirect(mask.reshape(-1, *mask.shape[-2:])[..., None], cameras)
    if image is None:
        assert masks is not None
        return masks.repeat(1, 1, 1, 3), masks[..., 0]
    images = views_of_equirect(image, cameras)
    return images, torch.ones(images.shape[:3]) if masks is None else masks[..., 0]


@Node(
    "Equirect Views",
    "panorama",
    inputs={"rig": CAMERAS},
    optional={
        "image": Socket("IMAGE").says("An equirectangular panorama, twice as wide as high."),
        "mask": Socket("MASK").says("A mask painted on the panorama."),
    },
    outputs={
        "images": Socket("IMAGE").says(
            "One image per view, in rig order; of the mask, in grey, when no image is connected."
        ),
        "masks": Socket("MASK").says("One mask per view; 1 everywhere when no mask is connected."),
    },
    search=["panorama to perspective", "equirectangular to perspective", "360"],
)
class EquirectViews:
    """What the rig's cameras see in a panorama: hints for ControlNet, masks, views to edit by hand. Costs some
    milliseconds per view."""

    def look(self, rig: Any, image: Tensor | None = None, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return camera_pictures(rig, image, mask)


@Node(
    "Equirect Rotate",
    "panorama",
    inputs={
        "image": Socket("IMAGE").says("An equirectangular panorama, twice as wide as high."),
        "yaw": _TURN.says("Azimuth that comes to the middle, degrees; 180 brings the seam to the front."),
        "pitch": _TURN.says("Elevation that comes to the middle, degrees; 90 brings the sky to the front."),
        "roll": _TURN.says("Turn of the camera to the right about its axis, degrees."),
    },
    outputs={"IMAGE": Socket("IMAGE").says("The turned panorama, of the same size.")},
    search=["panorama", "360", "level horizon"],
)
class EquirectRotate:
    """Turns a panorama: what was at the given direction comes to the middle. Costs some milliseconds; a yaw of whole
    pixels changes no value."""

    def turn(self, image: Tensor, yaw: float, pitch: float, roll: float) -> tuple[Tensor]:
        check_equirect_picture(image)
        return (rotate_equirect(image, yaw, pitch, roll),)


@Node(
    "Equirect Cubemap",
    "panorama",
    inputs={
        "image": Socket("IMAGE").says(
            "A panorama; or a cube map: a batch of six faces (front, right, back, left, up, down), a row of six, or a "
            "cross of 4 x 3."
        ),
        "direction": Choice(_DIRECTIONS).says("Which way."),
        "layout": Choice(LAYOUTS, default="faces")
        .says(
            "panorama to cube: six images, a row, or a cross with the front in the middle of it. The other way, "
            "layouts are told apart by their shape."
        )
        .when(direction=("panorama to cube",)),
        "size": Whole(0, 0, 8192).says("Side of a face, or height of the panorama, pixels. 0 = as fine as the input."),
    },
    outputs={"IMAGE": Socket("IMAGE").says("The cube map, or the panorama.")},
    search=["skybox", "cube map", "hdri", "360"],
)
class EquirectCubemap:
    """A panorama as the six faces of a cube, and back. Costs some milliseconds; one way and back is slightly softer."""

    def convert(self, image: Tensor, direction: str, layout: Any, size: int) -> tuple[Tensor]:
        if direction == _DIRECTIONS[0]:
            check_equirect_picture(image)
            return (to_cubemap(image, size or max(1, image.shape[1] // 2), layout),)
        faces = split_cubemap(image)
        return (from_cubemap(faces, size or 2 * faces.shape[2]),)
