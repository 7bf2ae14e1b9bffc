"""Pictures, and their depth, as the front of panoramas."""

from __future__ import annotations

import torch
from torch import Tensor

from ...renderers.cameras.looks import Look
from ...renderers.panorama.front import on_sphere


def front_of_panorama(
    image: Tensor, width: int, degrees: tuple[float, float, float], fade: float, depth: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures [B, H, W, C] -> (panoramas [B, width / 2, width, 3], masks of what is to be made, their depth in grey,
    one for each picture, or for all). degrees: azimuth, elevation, field of view. Raises ValueError for depths that
    are neither one nor one for each picture, or of other proportions."""
    look = Look.degrees(*degrees)
    fronts = [on_sphere(picture[..., :3], look, width, fade) for picture in image]
    pictures = torch.stack([front.picture for front in fronts])
    masks = torch.stack([front.open for front in fronts])
    if depth is None:
        return pictures, masks, torch.full((1, width // 2, width, 3), 0.5)
    if depth.shape[0] not in (1, image.shape[0]):
        raise ValueError(f"{depth.shape[0]} depths for {image.shape[0]} pictures; connect one, or one for each")
    (high, wide), (rows, columns) = image.shape[1:3], depth.shape[1:3]
    if abs(rows * wide - columns * high) > 0.02 * columns * high:
        raise ValueError(
            f"a depth of {columns} x {rows} is not of the picture's proportions, {wide} x {high}; estimate it from "
            "the same picture"
        )
    # Grey: estimators may give it in three channels that differ by rounding.
    grey = [on_sphere(one[..., :3].mean(-1, keepdim=True), look, width).picture for one in depth]
    return pictures, masks, torch.stack(grey).repeat(1, 1, 1, 3)
