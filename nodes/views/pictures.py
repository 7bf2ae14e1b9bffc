"""A canonical picture cut into the pictures its views show: hints for ControlNets, masks, references."""

from __future__ import annotations

import torch
from torch import Tensor

from ...renderers.cameras.viewpoints import Orbit
from ...renderers.scene import Scene


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
    """[B, C, H, W] -> [B*N, C, h, w]."""
    return scene.geometry.cut(scene.geometry.on_canvas(pictures.float()), cell)


def check_proportions(images: Tensor, rig: Orbit) -> None:
    """Raise ValueError for images [N, h, w, ...] of other proportions than the rig's views; enlarged ones may be a
    pixel off."""
    height, width = images.shape[1:3]
    if abs(width * rig.height / rig.width - height) > 1:
        raise ValueError(
            f"images of {width} x {height} for views of {rig.width} x {rig.height}; keep their proportions"
        )
