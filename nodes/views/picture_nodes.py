"""Pictures for the views, cut from one picture of the whole."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.scene import Scene
from ..declare import Node, Socket, Whole
from ..widgets import SCENE
from .pictures import view_images


@Node(
    "SyncTweedies View Images",
    "conditioning",
    inputs=SCENE,
    optional={
        "image": Socket("IMAGE").says("The whole picture; scaled to the size of the space where it differs."),
        "mask": Socket("MASK").says("A mask over the whole picture."),
        "cell": Whole(8, 1, 64, advanced=True).says(
            "Image pixels per latent cell of the model that gets the hints: 8 for most, 1 for ExemplarModel. Only "
            "matters for odd sizes."
        ),
    },
    outputs={
        "images": Socket("IMAGE").says("One image per view, in rig order."),
        "masks": Socket("MASK").says("One mask per view, in rig order; 1 where none is given."),
    },
    search=["tile image", "split image", "cut tiles", "crop views", "controlnet hints per view", "mask per view"],
)
class SyncTweediesViewImages:
    """Cuts one picture of the whole (a depth map, edges, a mask) into one picture per view: the hints for
    ControlNetApplyAdvanced, which then gives every view its own. Costs some milliseconds."""

    def cut(
        self, space: Any, rig: Any, image: Tensor | None = None, mask: Tensor | None = None, cell: int = 8
    ) -> tuple[Tensor, Tensor]:
        return view_images(Scene(space, rig), image, mask, cell)
