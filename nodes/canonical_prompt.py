"""Regional prompts painted on the canonical picture: each view gets its part of the mask."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..renderers.scene import Scene
from .view_images import on_canvas
from .view_prompts import Conditioning, for_some_views


def fit_mask(scene: Scene, mask: Tensor) -> Tensor:
    """A MASK [(B,) (1,) H, W] at any resolution -> [B, 1, height, width] of the space in image pixels.

    Raises ValueError for an empty mask and for one of other proportions than the space.
    """
    grid = mask.reshape(-1, 1, *mask.shape[-2:]).float()
    rows, columns = grid.shape[-2:]
    if not bool((grid > 0).any()):
        raise ValueError(f"the mask of {columns} x {rows} is empty; paint where the prompt should act")
    return on_canvas(scene, grid, "mask")


def canonical_prompt(
    scene: Scene, conditioning: Conditioning, mask: Tensor, strength: float, to_bounds: bool, other: Conditioning | None
) -> Conditioning:
    """The entries of ``conditioning`` masked as each view sees ``mask``, behind the entries of ``other``.

    mask: [(B,) H, W] over the canonical picture, or one for each of B pictures. Entries hold for the views that see
    some of it. The result's masks are [B*N, h, w] in view pixels; the host resizes them to the latent and repeats them
    over a larger batch, so that row b*N + i stays view i.

    to_bounds: the host denoises the rectangle around a mask only. It takes one rectangle for all rows of a mask, so
    each view gets an entry of its own (views that see the very same share one).
    Raises ValueError for a mask that does not fit, and for several masks with to_bounds.
    """
    fitted = fit_mask(scene, mask)
    seen = scene.look(fitted).squeeze(1)
    batch = fitted.shape[0]
    count = seen.shape[0] // batch
    visible = (seen.reshape(batch, count, -1) > 0).any(-1).any(0).tolist()
    if to_bounds and batch > 1:
        raise ValueError(f"mask bounds need one mask, not {batch}; use set_cond_area default")
    groups: dict[bytes | None, list[int]] = {}
    for i in range(count):
        if visible[i]:
            groups.setdefault(seen[i].cpu().numpy().tobytes() if to_bounds else None, []).append(i)
    result = list(other or [])
    for views in groups.values():
        options: dict[str, Any] = {
            "mask": seen[views[0]][None] if to_bounds else seen,
            "mask_strength": strength,
            "set_area_to_bounds": to_bounds,
        }
        for tokens, given in for_some_views(conditioning, views, count):
            result.append([tokens, {**given, **options}])
    return result
