"""Pictures that inpaint and edit models read beside the noisy latent, cut into views.

The host's InpaintModelConditioning puts an encoded picture and its mask into the conditioning, and the host would
squeeze a canonical picture of another size into every view without a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from ..renderers.scene import Scene
from ..sync_core.walked import Views
from .canonical_latents import fit_to_space, mask_views

IMAGE, MASK = "concat_latent_image", "concat_mask"


def _is_canonical(picture: Tensor, views: Views) -> bool:
    """Of the canonical size, or a cell short of it, as encoders crop; and not a picture of a view."""
    size = tuple(picture.shape[-2:])
    short = [whole - side for whole, side in zip(views.canonical, size, strict=True)]
    return all(s in (0, 1) for s in short) and size != (views.height, views.width)


def _repeated(rows: Tensor, total: int) -> Tensor:
    """Rows of every view, canonical pictures one after the other; the host would spread them out instead."""
    count = rows.shape[0]
    return rows if count == 1 or total % count else rows.repeat(total // count, *[1] * (rows.ndim - 1))


def _project(scene: Scene, picture: Tensor, views: Views) -> Tensor:
    """[B, C, (1,) *canonical] -> [B*N, C, (1,) h, w]"""
    picture, views = fit_to_space(scene, picture), views.to(picture.device)
    return views.project(picture.squeeze(2)).unsqueeze(2) if picture.ndim == 5 else views.project(picture)


def concat_views(scene: Scene, conditioning: list[list[Any]], shape: tuple[int, ...]) -> list[list[Any]]:
    """A CONDITIONING whose concatenated pictures are those of the views of a batch of ``shape`` [B*N, C, (1,) h, w].

    Pictures of the canonical size are projected with their masks, one row per view is kept; entries without such
    pictures, and the CONDITIONING given, are left as they are.
    """
    views, total = scene.views_of_batch(shape), shape[0]
    result: list[list[Any]] = []
    for entry in conditioning:
        tokens, options = entry[0], dict(entry[1])
        if isinstance(options.get(IMAGE), Tensor):
            picture, mask = options[IMAGE], options.get(MASK)
            if _is_canonical(picture, views):
                if isinstance(mask, Tensor):
                    mask = mask_views(views.to(mask.device), mask, picture.shape[0])
                picture = _project(scene, picture, views)
            options[IMAGE] = _repeated(picture, total)
            if isinstance(mask, Tensor):
                options[MASK] = _repeated(mask, total)
        result.append([tokens, options, *entry[2:]])
    return result


def check_concat(conds: Iterable[list[dict[str, Any]] | None], views: Views, total: int) -> None:
    """Raise ValueError when concatenated pictures are not those of the views (the host would resize them)."""
    for entry in (e for entries in conds for e in entries or ()):
        picture = entry.get(IMAGE)
        if not isinstance(picture, Tensor):
            continue
        if _is_canonical(picture, views):
            raise ValueError(
                "the picture in the conditioning (InpaintModelConditioning) is the canonical one, not one per view; "
                "make the conditioning from view images and view masks, or use SyncTweediesSampler, which cuts it"
            )
        if picture.shape[0] not in (1, total):
            raise ValueError(
                f"the conditioning holds {picture.shape[0]} pictures (InpaintModelConditioning) for {total} views; "
                f"use 1 or {total}"
            )
