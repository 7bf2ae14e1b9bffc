"""What the second stage of a pixel cascade is told about the first: a picture for every view, and which views."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..renderers.scene import Scene
from .view_images import view_images


def low_resolution(image: Tensor, noise_level: int, space: Any, rig: Any) -> dict[str, Any]:
    """Options of a CONDITIONING for pictures [B, H, W, C] of the first stage: of the views, or, where ``space`` and
    ``rig`` say what the views are, of the whole, which is then cut into views.

    Raises ValueError for one without the other, and for as many pictures as are neither views nor wholes.
    """
    if (space is None) != (rig is None):
        missing = "rig" if rig is None else "space"
        raise ValueError(f"space and rig belong together; connect {missing}, or disconnect the other")
    added: dict[str, Any] = {"noise_level": noise_level}
    if space is not None:
        scene = Scene(space, rig)
        count = len(scene.view_places())
        if image.shape[0] % count:
            image = view_images(scene, image, None, 1)[0]
        added["concat_scene"] = scene
    return {"concat_image": image[..., :3].movedim(-1, 1) * 2.0 - 1.0, **added}
