"""A canonical picture cut into the pictures its views show: hints for ControlNets, masks, references."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..renderers.scene import Scene
from ..renderers.stitch import cut_windows

# How much a picture's sides may differ in proportion from the space's: rounding, not another picture.
_SLACK = 0.01


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
    whole = _fit(scene, pictures.float())
    if scene.rig.kind != "windows":
        return scene.look(whole)
    placement = scene.placement(cell).scaled(cell)
    rows, columns = placement.grid
    # The last cell may stick out of the canvas; the picture goes on there as at its edge.
    return cut_windows(placement, F.pad(whole, (0, columns - whole.shape[-1], 0, rows - whole.shape[-2]), "replicate"))


def _fit(scene: Scene, pictures: Tensor) -> Tensor:
    """Scaled to the canvas, where it is of another size."""
    size, wanted = tuple(pictures.shape[-2:]), (scene.space.height, scene.space.width)
    if size == wanted:
        return pictures
    if abs(size[1] * wanted[0] / (size[0] * wanted[1]) - 1) > _SLACK:
        raise ValueError(
            f"a picture of {size[1]} x {size[0]} does not show a canvas of {wanted[1]} x {wanted[0]}; "
            "crop or scale it to these proportions"
        )
    return F.interpolate(pictures, size=wanted, mode="bilinear", antialias=True)
