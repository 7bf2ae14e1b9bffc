"""Conditionings of some of the views: everything per view is sliced, on copies.

The host matches conditionings to a batch row by row and truncates from the front, so a naive sub-batch silently gets
the prompts, masks and ControlNet hints of the first views.

Pictures that inpaint and edit models read beside the noisy latent, cut into views.

The host's InpaintModelConditioning puts an encoded picture and its mask into the conditioning, and the host would
squeeze a canonical picture of another size into every view without a word.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from torch import Tensor

from ...renderers.scene import Scene
from ...sync_core.walked import Views
from ..host.objects import Control
from .latents import fit_to_space, mask_views


def rows_of(value: Tensor, index: Sequence[int]) -> Tensor:
    """Rows ``index`` of a per-view tensor; fewer rows than views repeat, as the host repeats them."""
    count = value.shape[0]
    return value if count == 1 else value[[i % count for i in index]]


def slice_cond(cond: dict[str, Any], index: Sequence[int], controls: ControlCopies) -> dict[str, Any]:
    """A conditioning entry for some of the views; the entry itself is left untouched."""
    part = dict(cond)
    if "num_video_frames" in cond.get("model_conds", {}):
        raise ValueError(
            "this model sees its batch as the frames of one video and cannot take some of the views alone; "
            "set views_per_batch to the number of all views"
        )
    conditioning = {}
    for name, value in cond.get("model_conds", {}).items():
        inner = value.cond
        if isinstance(inner, Tensor) and inner.ndim > 0 and inner.shape[0] > 1:
            value = value._copy_with(rows_of(inner, index))
        elif isinstance(inner, list):
            value = value._copy_with(
                [rows_of(v, index) if isinstance(v, Tensor) else v for v in cast("list[Any]", inner)]
            )
        conditioning[name] = value
    part["model_conds"] = conditioning
    if isinstance(cond.get("mask"), Tensor):
        part["mask"] = rows_of(cond["mask"], index)
    if "control" in cond:
        part["control"] = controls.for_views(cond["control"], tuple(index))
    if "uuid" in cond:
        # Step caches are keyed by it; views of different chunks must not share an entry.
        part["uuid"] = uuid.uuid5(cond["uuid"], str(tuple(index)))
    return part


@dataclass
class ControlCopies:
    """Copies of ControlNets that hold the hints of one chunk of views, made once per run and dropped with it."""

    made: dict[tuple[int, tuple[int, ...]], tuple[Control, Control]] = field(
        default_factory=dict[tuple[int, tuple[int, ...]], "tuple[Control, Control]"]
    )

    def for_views(self, control: Control, index: tuple[int, ...]) -> Control:
        if control is None or hasattr(control, "sub_idxs"):
            return control
        key = (id(control), index)
        if key not in self.made:
            # The original stays referenced, so that its id cannot be taken by another object meanwhile.
            self.made[key] = (control, self._copy(control, index))
        return self.made[key][1]

    def _copy(self, control: Control, index: tuple[int, ...]) -> Control:
        part = control.copy()
        if isinstance(control.cond_hint_original, Tensor):
            part.cond_hint_original = rows_of(control.cond_hint_original, index)
        extra = getattr(control, "extra_concat_orig", None)
        if extra:
            part.extra_concat_orig = [rows_of(e, index) if isinstance(e, Tensor) else e for e in extra]
        for name in ("timestep_range", "model_sampling_current", "manual_cast_dtype", "control_model"):
            if hasattr(control, name):
                setattr(part, name, getattr(control, name))
        part.previous_controlnet = self.for_views(control.previous_controlnet, index)
        return part


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
