"""A canonical picture cut into the pictures its views show: hints for ControlNets, masks, references."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...renderers.cameras.viewpoints import Orbit
from ...renderers.plane.stitch import cut_windows
from ...renderers.scene import Scene
from ...renderers.splats.space import SplatColours

# How much a picture's proportions may differ from the space's: those of sizes rounded to a model's cell do.
_SLACK = 0.03


def view_images(scene: Scene, image: Tensor | None, mask: Tensor | None, cell: int) -> tuple[Tensor, Tensor]:
    """IMAGE [B, H, W, C] and MASK [B, H, W] over the canonical picture -> those of the views, [B*N, h, w, C] and
    [B*N, h, w], in rig order, picture after picture.

    A picture of another size but the same proportions is scaled first. Without a mask, the mask is 1 everywhere;
    without an image, the image is the mask in grey. cell: image pixels per latent cell of the model the views are for
    (it decides where the last window lies). Raises ValueError when both are missing or the proportions are others.
    """
    if image is None and mask is None:
        raise ValueError("nothing to cut; connect image or mask")
    pictures = None if image is None else _cut(scene, image.movedim(-1, 1), cell)
    masks = None if mask is None else _cut(scene, mask.reshape(-1, 1, *mask.shape[-2:]), cell)
    if pictures is None:
        assert masks is not None
        pictures = masks.expand(-1, 3, -1, -1)
    if masks is None:
        masks = torch.ones_like(pictures[:, :1])
    return pictures.movedim(1, -1).contiguous(), masks[:, 0].contiguous()


def _cut(scene: Scene, pictures: Tensor, cell: int) -> Tensor:
    """[B, C, H, W] -> [B*N, C, h, w]. A window copies its pixels; other views look them up by their map."""
    whole = on_canvas(scene, pictures.float())
    if scene.rig.kind != "windows":
        return scene.look(whole)
    placement = scene.placement(cell).scaled(cell)
    rows, columns = placement.grid
    # The last cell may stick out of the canvas; the picture goes on there as at its edge.
    return cut_windows(placement, F.pad(whole, (0, columns - whole.shape[-1], 0, rows - whole.shape[-2]), "replicate"))


def check_proportions(images: Tensor, rig: Orbit) -> None:
    """Raise ValueError for images [N, h, w, ...] of other proportions than the rig's views; enlarged ones may be a
    pixel off."""
    height, width = images.shape[1:3]
    if abs(width * rig.height / rig.width - height) > 1:
        raise ValueError(
            f"images of {width} x {height} for views of {rig.width} x {rig.height}; keep their proportions"
        )


def on_canvas(scene: Scene, pictures: Tensor, what: str = "picture") -> Tensor:
    """[B, C, H, W], scaled to the space's size in pixels where it is of another.

    Raises ValueError for other proportions; it calls the pictures ``what``.
    """
    rows, columns = pictures.shape[-2:]
    height, width = scene.space.height, scene.space.width
    if (rows, columns) == (height, width):
        return pictures
    if isinstance(scene.space, SplatColours):
        raise ValueError(
            f"a {what} of {columns} x {rows} is none of {width} splats, which have one pixel each; connect SplatMask, "
            "or SplatSpace's colours"
        )
    if abs(columns * height / (rows * width) - 1) > _SLACK:
        raise ValueError(
            f"a {what} of {columns} x {rows} does not show a canvas of {width} x {height}; crop or scale it to these "
            "proportions"
        )
    return F.interpolate(pictures, size=(height, width), mode="bilinear", antialias=True)
