"""Chunks of views through the model: what the host calls a batch is cut into pieces that fit the memory.

Chunks hold views with the same conditionings, and whole groups where a patch needs views together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from torch import Tensor

from ... import host
from ...host.errors import SyncError
from ...host.objects import Guider, Network
from ..conds import Bootstrap, ControlCopies, slice_cond
from ..controlnets import check_hints
from ..tagged_conds import Conds, Entry, applies, check_tags, has_tags, merge_prompts, pair_areas, signature
from .dealing import Call, Dealing, Pace
from .fitting import fitting_views, too_much
from .joined import Joined

# transformer_options that patches of views read and write: the rows of the whole batch in a model call, and how many
# consecutive views of a canonical picture must stay in one call (0: all of them). ASKED: the views of a picture that
# this step asks, where these are not all. SHOWN: bool [N, h, w], which pixels of a picture's views show it, where
# some do not.
ROWS = "sync_views"
ASKED = "sync_asked"
SHOWN = "sync_shown"
GROUP = "synctweedies_group"


@dataclass
class ViewBatches:
    """How many views go through the model at once, for one run.

    count: views of one canonical picture. views_per_batch 0: as many as the free memory holds. The number falls
    (halved) when the device runs out of memory, and stays down for the rest of the run. ``progress(done, of)`` is
    called after every chunk of a model evaluation.
    """

    count: int
    views_per_batch: int = 0
    progress: Callable[[int, int], None] | None = None
    rows: tuple[int, ...] | None = None
    """Rows of the batch that are evaluated; the estimate of the others is left 0. None: all of them."""
    controls: ControlCopies = field(default_factory=ControlCopies)
    merged: dict[tuple[int, ...], tuple[Conds, Conds]] = field(
        default_factory=dict[tuple[int, ...], "tuple[Conds, Conds]"]
    )

    asked: tuple[int, ...] | None = None
    """The views of each picture that a step asks; None: all, or whichever ``rows`` says."""

    devices: host.Devices | None = None
    """Where the model is on several devices: each call's chunks are dealt over them."""

    pace: Pace = field(default_factory=Pace)
    """How fast each of them has been in this run."""

    bootstrap: Bootstrap | None = None
    """What prompts that begin alone are shown; None: there are none."""

    @contextmanager
    def only(self, rows: Iterable[int]) -> Generator[None, None, None]:
        """Evaluate these rows of the batch alone for a while."""
        self.rows = tuple(rows)
        try:
            yield
        finally:
            self.rows = None

    @contextmanager
    def asking(self, views: tuple[int, ...], pictures: int) -> Generator[None, None, None]:
        """Evaluate these views of each picture alone for one step."""
        self.asked = views
        try:
            with self.only(picture * self.count + view for picture in range(pictures) for view in views):
                yield
        finally:
            self.asked = None
            # (the next step asks others: hints cut for these would pile up)
            self.controls.made.clear()

    @property
    def _together(self) -> int:
        """How many views of a picture are evaluated."""
        return self.count if self.asked is None else len(self.asked)

    def size(self, model: Network, x: Tensor, unit: int = 1) -> int:
        """Views per model call for a batch shaped like ``x``; guidance doubles what a view needs.

        Raises SyncError when the number that was asked for does not hold a group."""
        total = x.shape[0]
        if self.views_per_batch == 0:
            free = host.free_memory(x.device) if self.devices is None else self.devices.free_memory
            self.views_per_batch = max(unit, fitting_views(model, list(x.shape), free))
        if self.views_per_batch < unit:
            raise SyncError(
                f"CrossViewAttention: views_per_batch {self.views_per_batch} does not hold a group of {unit} views; "
                f"set views_per_batch to {unit} or 0, or the node's group to {self.views_per_batch}"
            )
        return min(self.views_per_batch, total)

    def _told(self, options: dict[str, Any], index: list[int], total: int) -> dict[str, Any]:
        told = for_views(options, index, total)
        if self.asked is not None:
            told["transformer_options"][ASKED] = self.asked
        return told

    def unit(self, options: dict[str, Any]) -> int:
        """How many consecutive views of a picture a patch in ``options`` wants in one model call; 1 without any."""
        group = options.get("transformer_options", {}).get(GROUP)
        return 1 if group is None else min(group or self._together, self._together)

    def _next(self, rows: list[int], start: int, size: int, unit: int) -> list[int]:
        """The rows of the next model call: whole units of one canonical picture, or any rows where units are 1."""
        if unit == 1 or size >= len(rows):
            return rows[start : start + size]
        if self.asked is not None:
            picture_end = (start // self._together + 1) * self._together
        else:
            picture_end = start + self.count - rows[start] % self.count
        return rows[start : min(start + size // unit * unit, picture_end)]

    def _called(self, groups: list[list[int]], size: int, call: Call, joined: Joined, unit: int = 1) -> None:
        """Call for chunks of at most ``size`` rows, each within one of the ``groups``, and put what they say into
        ``joined``. ``unit``: rows that stay together."""
        if self.devices is not None:
            pieces = [(key, rows) for n, group in enumerate(groups) for key, rows in self._pieces(n, group, unit)]
            if len(pieces) > 1:
                self._dealt(self.devices, pieces, size, call, joined, unit)
                return
        done = 0
        for number, group in enumerate(groups):
            start = 0
            while start < len(group):
                host.check_interrupt()
                index = self._next(group, start, size, unit)
                result = self._fitting(call, index, unit)
                if result is None:
                    size = self.views_per_batch = max(unit, len(index) // 2)
                    continue
                joined.put(index, result)
                start, done = start + len(index), done + 1
                if self.progress is not None:
                    left = -(-(len(group) - start) // size) + sum(-(-len(g) // size) for g in groups[number + 1 :])
                    self.progress(done, done + left)

    def _fitting(self, call: Call, index: list[int], unit: int) -> list[Tensor] | None:
        """The call, or None when the device ran out of memory and fewer views may fit. What cannot be cut any further
        gets a second chance. Raises MemoryError after that."""
        if len(index) <= unit:
            return host.once_more(lambda: call(index, None), too_much(len(index)))
        result = host.within_memory(partial(call, index, None))
        if not isinstance(result, BaseException):
            return result
        host.empty_cache()
        return None

    def _pieces(self, number: int, group: list[int], unit: int) -> list[tuple[object, list[int]]]:
        """(What chunks may not mix, rows that stay together) of all rows of a group."""
        if unit == 1:
            return [(number, [row]) for row in group]
        pictures: dict[int, list[int]] = {}
        for row in group:
            pictures.setdefault(row // self.count, []).append(row)
        return [
            (picture, rows[start : start + unit])
            for picture, rows in pictures.items()
            for start in range(0, len(rows), unit)
        ]

    def _dealt(
        self,
        devices: host.Devices,
        pieces: list[tuple[object, list[int]]],
        size: int,
        call: Call,
        joined: Joined,
        unit: int,
    ) -> None:
        """The same on several devices at once."""
        dealing = Dealing(self.pace, devices.count, size, self.progress)
        dealing.deal(pieces, unit)
        for rows, results in dealing.run(devices, call):
            joined.put(rows, results)

    def calc_cond_batch(
        self, executor: Any, model: Network, conds: Conds, x: Tensor, timestep: Tensor, options: Any
    ) -> Any:
        """The host's CALC_COND_BATCH wrapper: the same call, in chunks of views, on as many devices as it has."""
        if x.requires_grad:
            options = host.on_one_device(options)
        self.devices = devices = host.Devices.of(options)
        if devices is not None:
            devices.prepare(model, conds, timestep, options)

        def call(part: Conds, index: list[int], lane: int | None) -> list[Tensor]:
            whole = len(index) == x.shape[0]
            told = options if devices is None or lane is None else devices.options(options, lane)
            return executor(
                model,
                part,
                x if whole else x[index],
                timestep if whole else timestep[index],
                told if whole else self._told(told, index, x.shape[0]),
            )

        return self.in_chunks(model, conds, x, timestep, options, call)

    def in_chunks(
        self,
        model: Network,
        conds: Conds,
        x: Tensor,
        sigma: Tensor,
        options: dict[str, Any],
        call: Callable[[Conds, list[int], int | None], list[Tensor]],
    ) -> list[Tensor]:
        """``call(conditionings of the rows, rows, device)`` for chunks of the rows of x, joined in their order. device:
        the number of one of several; None: wherever the host puts it."""
        total = x.shape[0]
        check_hints(conds, self.count, total)
        conds = self._ready(conds, total)
        if self.bootstrap is not None:
            conds = self.bootstrap(conds, x, sigma)
        rows = list(range(total)) if self.rows is None else list(self.rows)
        groups = [rows]
        if any(has_tags(entries) for entries in conds):
            found: dict[Any, list[int]] = {}
            for row in rows:
                found.setdefault(signature(conds, row % self.count), []).append(row)
            groups = list(found.values())

        def chunk(index: list[int], lane: int | None) -> list[Tensor]:
            with cutting:
                part = conds if len(index) == total else self.slice(conds, index)
            return call(part, index, lane)

        cutting = threading.Lock()
        unit = self.unit(options)
        if unit > 1 and len(groups) > 1:
            raise SyncError(
                f"CrossViewAttention: its group of {unit} views needs one call, but prompts for some views differ "
                "in more than their text (strength, mask, hints, timesteps); make them alike, or leave the node out"
            )
        joined = Joined(total)
        self._called(groups, self.size(model, x, unit), chunk, joined, unit)
        assert joined.tensors is not None
        return joined.tensors

    def _ready(self, conds: Conds, rows: int) -> Conds:
        """The conditionings with areas paired per view and per-view prompts merged, made once per run."""
        if not any(has_tags(entries) for entries in conds):
            return conds
        key = (rows, *(id(e) for entries in conds for e in (None, *(entries or ()))))
        if key not in self.merged:
            for entries in conds:
                if has_tags(entries):
                    check_tags(entries or (), self.count)
            made = [
                merge_prompts(entries, rows, self.count) if has_tags(entries) and entries is not None else entries
                for entries in pair_areas(conds, self.count)
            ]
            # The originals stay referenced, so that their ids cannot be taken by others meanwhile.
            self.merged[key] = ([None if e is None else list(e) for e in conds], made)
        return self.merged[key][1]

    def slice(self, conds: Conds, index: list[int]) -> list[list[Entry] | None]:
        view = index[0] % self.count
        return [
            None if c is None else [slice_cond(entry, index, self.controls) for entry in c if applies(entry, view)]
            for c in conds
        ]

    def guide(self, guider: Guider, x: Tensor, timestep: Tensor, **options: Any) -> Tensor:
        """The same on hosts without wrappers: a copy of the guider is called with the chunk's conditionings."""
        names = list(guider.conds)
        model_options = options.get("model_options", {})

        self.devices = None

        def call(part: Conds, index: list[int], lane: int | None) -> list[Tensor]:
            if all(a is guider.conds[n] for n, a in zip(names, part, strict=True)):
                return [guider(x, timestep, **options)]
            sliced = _copy_of(guider)
            sliced.conds = dict(zip(names, part, strict=True))
            told = {**options, "model_options": self._told(model_options, index, x.shape[0])}
            return [sliced(x[index], timestep[index], **told)]

        return self.in_chunks(guider.inner_model, [guider.conds[n] for n in names], x, timestep, model_options, call)[0]


def for_views(options: dict[str, Any], index: list[int], total: int) -> dict[str, Any]:
    """model_options that tell patches which views they see (``ad_params`` is what packs that slice themselves read)."""
    transformer = dict(options.get("transformer_options", {}))
    transformer[ROWS] = index
    transformer["ad_params"] = {"sub_idxs": index, "full_length": total, "context_length": len(index)}
    return {**options, "transformer_options": transformer}


def shown_rows(options: dict[str, Any], count: int) -> Tensor | None:
    """bool [count, h, w]: which pixels of the ``count`` rows of a model call show the canonical picture, by the call's
    transformer_options; None: all of them, or nobody knows."""
    shown, rows = options.get(SHOWN), options.get(ROWS)
    if shown is None:
        return None
    # (guidance puts the same rows into a call once more)
    views = [row % len(shown) for row in (range(count) if rows is None else rows)]
    return shown[views].repeat(count // len(views), 1, 1) if count % len(views) == 0 else None


def _copy_of(guider: Guider) -> Guider:
    part: Guider = object.__new__(cast("type[Any]", type(guider)))
    part.__dict__.update(guider.__dict__)
    return part
