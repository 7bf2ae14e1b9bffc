"""What an edit hands back: the source, to the last bit where a mask keeps it, and what changed of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....renderers.pictures import along_time, flat
from ....renderers.scene import Scene
from ..latents import as_held, fit_to_space, mask_on_grid, scaled_mask, to_canonical

Latent = dict[str, Any]


def edited(scene: Scene, whole: Latent, latent: Latent, result: Tensor) -> tuple[Tensor, Tensor]:
    """(the views [B*N, C, (1,) h, w], the canonical picture [B, C, (1,) *grid]) of a finished edit.

    whole, latent: LATENTs of the canonical picture (without samples where the run began with views) and of the views
    that were edited, result: what they became. Of the canonical picture too only what changed is averaged.
    """
    start = latent["samples"].to(result)
    changes = _changes(latent.get("noise_mask"), result)
    views = result if changes is None else torch.where(changes, result, start)
    if "samples" not in whole:
        return views, as_held(scene, to_canonical(scene, views)[0])
    source = fit_to_space(scene, whole["samples"]).to(result)
    change, view_set = to_canonical(scene, views - start)
    joined = source + change
    if whole.get("noise_mask") is None:
        return views, as_held(scene, joined)
    mask = mask_on_grid(view_set, scene.geometry.mask_cells(whole["noise_mask"], view_set), joined.shape[0]) > 0
    mask = mask.unsqueeze(2) if joined.ndim == 5 else mask
    return views, as_held(scene, torch.where(mask.to(joined.device), joined, source))


def _changes(mask: Tensor | None, views: Tensor) -> Tensor | None:
    """bool, as views or spreading to them: where a mask, scaled as the host scales it, lets them change."""
    if mask is None:
        return None
    rows = scaled_mask(flat(mask), flat(views).shape[-2:])
    rows = rows.repeat(-(-views.shape[0] // rows.shape[0]), 1, 1, 1)[: views.shape[0]].to(views.device)
    return (along_time(rows, views.shape[2]) if views.ndim == 5 else rows) > 0


def check_mask(mask: Tensor | None, views: Tensor) -> None:
    """Raise ValueError for a mask of the views [B*N, C, (1,) h, w] of another shape than theirs, which the host would
    squeeze into them."""
    if mask is None:
        return
    (height, width), (rows, columns) = mask.shape[-2:], views.shape[-2:]
    if abs(height * columns - width * rows) > max(height, width, rows, columns):
        raise ValueError(
            f"the noise mask has {width} x {height} pixels, of another shape than the {columns} x {rows} cells that it "
            "masks; make it for this picture"
        )
