"""Chunks of views through the model: what the host calls a batch is cut into pieces that fit the memory.

The host matches conditionings to a batch row by row and truncates from the front, so a naive sub-batch silently gets
the prompts, masks and ControlNet hints of the first views. Everything per view is sliced here, on copies.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from . import host
from .errors import SyncError

# transformer_options that patches of views read and write: the rows of the whole batch in a model call, and how many
# consecutive views of a canonical picture must stay in one call (0: all of them).
VIEWS = "sync_views"
GROUP = "synctweedies_group"

Conds = Sequence[list[dict[str, Any]] | None]


def rows_of(value: Tensor, index: Sequence[int]) -> Tensor:
    """Rows ``index`` of a per-view tensor; fewer rows than views repeat, as the host repeats them."""
    count = value.shape[0]
    return value if count == 1 else value[[i % count for i in index]]


def slice_cond(cond: dict[str, Any], index: Sequence[int], controls: ControlCopies) -> dict[str, Any]:
    """A conditioning entry for some of the views; the entry itself is left untouched."""
    part = dict(cond)
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


@dataclass
class ViewBatches:
    """How many views go through the model at once, for one run.

    views_per_batch 0: as many as the free memory holds. The number falls (halved) when the device runs out of memory,
    and stays down for the rest of the run.
    """

    views_per_batch: int = 0
    controls: ControlCopies = field(default_factory=ControlCopies)
    views: int = 0
    """Views of a canonical picture (0: the whole batch is one); only groups need it."""

    def size(self, model: Any, x: Tensor, group: int = 1) -> int:
        """Views per model call for a batch shaped like ``x``; guidance doubles what a view needs.

        Raises SyncError when the number that was asked for does not hold a group."""
        total = x.shape[0]
        if self.views_per_batch == 0:
            self.views_per_batch = max(group, _fitting(model, x))
        if self.views_per_batch < group:
            raise SyncError(
                f"CrossViewAttention: views_per_batch {self.views_per_batch} does not hold a group of {group} views; "
                f"set views_per_batch to {group} or 0, or the node's group to {self.views_per_batch}"
            )
        return min(self.views_per_batch, total)

    def group(self, options: dict[str, Any], total: int) -> int:
        """How many consecutive views of a picture a patch in ``options`` wants in one model call; 1 without any."""
        group = options.get("transformer_options", {}).get(GROUP)
        picture = self.views or total
        return 1 if group is None else min(group or picture, picture)

    def _chunk(self, start: int, size: int, total: int, group: int) -> list[int]:
        """The rows of the next model call: whole groups of one canonical picture, or any rows where groups are 1."""
        if group == 1:
            return list(range(start, min(start + size, total)))
        picture = self.views or total
        return list(range(start, min(start + size // group * group, start - start % picture + picture, total)))

    def run(
        self, total: int, size: int, call: Callable[[list[int]], list[Tensor] | Tensor], group: int = 1
    ) -> list[Tensor]:
        """Call for chunks of view indices 0..total-1 and join the results (each a tensor or a list of tensors)."""
        parts: list[list[Tensor]] = []
        start = 0
        while start < total:
            host.check_interrupt()
            index = list(range(total)) if size >= total else self._chunk(start, size, total, group)
            result = self._attempt(call, index)
            if result is None:
                size = self.views_per_batch = _fewer(len(index), group)
                host.empty_cache()
                continue
            parts.append(result)
            start = index[-1] + 1
        return [torch.cat(p) for p in zip(*parts, strict=True)]

    def _attempt(self, call: Callable[[list[int]], list[Tensor] | Tensor], index: list[int]) -> list[Tensor] | None:
        """None when the device ran out of memory and fewer views may fit. The retry happens outside, because the
        exception's traceback keeps the failed call's tensors alive."""
        exhausted = host.out_of_memory_error()
        try:
            result = call(index)
        except Exception as error:
            if exhausted is None or not isinstance(error, exhausted):
                raise
            if len(index) == 1:
                raise MemoryError(
                    "one view alone does not fit in the device's memory; use smaller views, or start the host with "
                    "--lowvram"
                ) from error
            return None
        return [result] if isinstance(result, Tensor) else result

    def calc_cond_batch(
        self, executor: Any, model: Any, conds: Conds, x: Tensor, timestep: Tensor, options: Any
    ) -> Any:
        """The host's CALC_COND_BATCH wrapper: the same call, in chunks of views."""
        group = self.group(options, x.shape[0])
        size = self.size(model, x, group)
        if size >= x.shape[0] and host.out_of_memory_error() is None:
            return executor(model, conds, x, timestep, options)

        def call(index: list[int]) -> list[Tensor]:
            if len(index) == x.shape[0]:
                return executor(model, conds, x, timestep, options)
            return executor(
                model, self.slice(conds, index), x[index], timestep[index], for_views(options, index, x.shape[0])
            )

        return self.run(x.shape[0], size, call, group)

    def slice(self, conds: Conds, index: list[int]) -> list[list[dict[str, Any]] | None]:
        return [None if c is None else [slice_cond(entry, index, self.controls) for entry in c] for c in conds]

    def guide(self, guider: Any, x: Tensor, timestep: Tensor, **options: Any) -> Tensor:
        """The same on hosts without wrappers: a copy of the guider is called with the chunk's conditionings."""
        model_options = options.get("model_options", {})
        group = self.group(model_options, x.shape[0])
        size = self.size(guider.inner_model, x, group)

        def call(index: list[int]) -> Tensor:
            if len(index) == x.shape[0]:
                return guider(x, timestep, **options)
            part = _copy_of(guider)
            names = list(guider.conds)
            part.conds = dict(zip(names, self.slice([guider.conds[n] for n in names], index), strict=True))
            chunk_options = for_views(model_options, index, x.shape[0])
            return part(x[index], timestep[index], **{**options, "model_options": chunk_options})

        return self.run(x.shape[0], size, call, group)[0]


def _fewer(views: int, group: int) -> int:
    """How many views to try after so many did not fit: half of them, but a group stays together."""
    if group > 1 and views <= group:
        fix = f"set the node's group to {views // 2}" if views > 3 else "set the node's weight to 0"
        raise MemoryError(
            f"CrossViewAttention's group of {group} views does not fit in the memory, and half of it, {views // 2}, is "
            f"less than a group; {fix}, or use smaller views"
        )
    return max(group, views // 2)


def for_views(options: dict[str, Any], index: list[int], total: int) -> dict[str, Any]:
    """model_options that tell patches which views they see (``ad_params`` is what packs that slice themselves read)."""
    transformer = dict(options.get("transformer_options", {}))
    transformer[VIEWS] = index
    transformer["ad_params"] = {"sub_idxs": index, "full_length": total, "context_length": len(index)}
    return {**options, "transformer_options": transformer}


def _copy_of(guider: Any) -> Any:
    part = object.__new__(type(guider))
    part.__dict__.update(guider.__dict__)
    return part


def _fitting(model: Any, x: Tensor) -> int:
    """The largest number of views whose guided batch fits in the free memory by the host's own estimate."""
    free = host.free_memory(x.device)

    def fits(views: int) -> bool:
        return 1.5 * model.memory_required([2 * views, *x.shape[1:]]) <= free

    low, high = 1, x.shape[0]
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
