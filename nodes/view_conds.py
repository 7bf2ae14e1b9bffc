"""Conditionings of some of the views: everything per view is sliced, on copies.

The host matches conditionings to a batch row by row and truncates from the front, so a naive sub-batch silently gets
the prompts, masks and ControlNet hints of the first views.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


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
            value = value._copy_with([rows_of(v, index) if isinstance(v, Tensor) else v for v in inner])
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

    made: dict[tuple[int, tuple[int, ...]], tuple[Any, Any]] = field(
        default_factory=dict[tuple[int, tuple[int, ...]], "tuple[Any, Any]"]
    )

    def for_views(self, control: Any, index: tuple[int, ...]) -> Any:
        if control is None or hasattr(control, "sub_idxs"):
            return control
        key = (id(control), index)
        if key not in self.made:
            # The original stays referenced, so that its id cannot be taken by another object meanwhile.
            self.made[key] = (control, self._copy(control, index))
        return self.made[key][1]

    def _copy(self, control: Any, index: tuple[int, ...]) -> Any:
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
