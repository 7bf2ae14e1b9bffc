"""Conditioning entries that are meant for some views only.

An entry whose options hold ``sync_views`` (indices 0..N-1) applies to these views; entries without the key apply to
all. The host knows nothing of it and would blend every entry into every view, so entries are chosen here, per chunk of
views. Entries that differ in their prompt alone become one entry with a row per view: they cost no more calls than a
single prompt.

Areas of prompts for some views only: the host pairs every area with one of the opposite side, and knows no views.

When an entry of the positive has an area, the host adds an entry of the same area to the negative (and the other way
round), with the prompt of the entry around it. It does so for the whole batch: views whose area is another view's get
no partner, and partners take the prompt of some other view. Here the host's partners are taken out, and made again
view by view.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

Entry = dict[str, Any]
Conds = Sequence[list[Entry] | None]

VIEWS_KEY = "sync_views"

# What may differ between two prompts: the text, and SDXL's sizes, which the host has already made numbers of.
# Everything else must be the same for entries to become one.
_PROMPT_KEYS = ("model_conds", "uuid", "cross_attn", "pooled_output", VIEWS_KEY)
_SIZE_KEYS = ("width", "height", "crop_w", "crop_h", "target_width", "target_height", "aesthetic_score")
# The host repeats a prompt's tokens up to four times to match another's length; so do we.
_MOST_REPEATS = 4


def has_tags(entries: Iterable[Entry] | None) -> bool:
    """Whether some entry is meant for some views only."""
    return entries is not None and any(VIEWS_KEY in entry for entry in entries)


def check_tags(entries: Sequence[Entry], views: int) -> None:
    """Raise ValueError when an entry names a view that is not there, or a view has no entry at all."""
    for entry in entries:
        named = [int(v) for v in entry.get(VIEWS_KEY, ())]
        wrong = [v for v in named if not 0 <= v < views]
        if wrong:
            raise ValueError(
                f"a prompt is meant for view {wrong[0]}, but the rig has {views} views (0 to {views - 1}); "
                "connect the same rig to the prompts and to the sampler"
            )
    bare = [v for v in range(views) if not any(applies(entry, v) for entry in entries)]
    if bare:
        listed = ", ".join(map(str, bare[:8])) + (" ..." if len(bare) > 8 else "")
        raise ValueError(
            f"no prompt is meant for view {listed}; add a line for the views that are left (*: text), "
            "or connect a prompt to CanonicalPrompt's other"
        )


def applies(entry: Entry, view: int) -> bool:
    return VIEWS_KEY not in entry or view in entry[VIEWS_KEY]


def signature(conds: Conds, view: int) -> tuple[tuple[int, ...], ...]:
    """Which entries a view has: views with the same signature may share a model call."""
    return tuple(tuple(i for i, e in enumerate(entries or ()) if applies(e, view)) for entries in conds)


def merge_prompts(entries: list[Entry], rows: int, views: int) -> list[Entry]:
    """The same conditioning in as few entries as possible: tagged ones that differ in their prompt alone become one.

    rows: of the whole batch, canonical-major, so that row r is view r % views. Entries without a tag and entries that
    fit no other are returned as they are; entries for no view at all are left out.
    """
    kept: list[Entry] = []
    groups: list[list[Entry]] = []
    for entry in entries:
        if VIEWS_KEY not in entry:
            kept.append(entry)
            continue
        if not entry[VIEWS_KEY]:
            continue
        for group in groups:
            free = all(not set(entry[VIEWS_KEY]) & set(other[VIEWS_KEY]) for other in group)
            if free and all(_alike(entry, other) for other in group):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return kept + [group[0] if len(group) == 1 else _merged(group, rows, views) for group in groups]


def _alike(a: Entry, b: Entry) -> bool:
    names = (set(a) | set(b)) - {*_PROMPT_KEYS, *_SIZE_KEYS}
    if not all(name in a and name in b and _same(a[name], b[name]) for name in names):
        return False
    first, second = a.get("model_conds", {}), b.get("model_conds", {})
    return set(first) == set(second) and all(_stackable(first[n], second[n]) for n in first)


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    plain = (bool, int, float, str, tuple, list, type(None))
    return type(a) is type(b) and isinstance(a, plain) and a == b


def _stackable(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    x, y = a.cond, b.cond
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        return _same(x, y)
    if x.shape[1:] == y.shape[1:]:
        return x.ndim > 0 and x.dtype == y.dtype
    if "CrossAttn" not in type(a).__name__ or x.ndim != 3 or y.ndim != 3 or x.shape[2] != y.shape[2]:
        return False
    return math.lcm(x.shape[1], y.shape[1]) // min(x.shape[1], y.shape[1]) <= _MOST_REPEATS


def _merged(group: list[Entry], rows: int, views: int) -> Entry:
    source = {int(v): entry for entry in group for v in entry[VIEWS_KEY]}
    # Views that no entry is meant for never see this one; any row does there.
    chosen = [source.get(row % views, group[0]) for row in range(rows)]
    out = dict(group[0])
    out[VIEWS_KEY] = tuple(sorted(source))
    out["model_conds"] = {
        name: value._copy_with(_stack([entry["model_conds"][name].cond for entry in chosen]))
        if isinstance(value.cond, Tensor)
        else value
        for name, value in group[0]["model_conds"].items()
    }
    if "uuid" in out:
        out["uuid"] = uuid.uuid5(out["uuid"], str([str(entry["uuid"]) for entry in group]))
    return out


def _stack(values: list[Tensor]) -> Tensor:
    """Row i of the result is row i (or the only one) of ``values[i]``; tokens are repeated to a common length."""
    if values[0].ndim == 3:
        length = math.lcm(*(v.shape[1] for v in values))
        values = [v if v.shape[1] == length else v.repeat(1, length // v.shape[1], 1) for v in values]
    return torch.stack([v[i % v.shape[0]] for i, v in enumerate(values)])


def pair_areas(conds: Conds, views: int) -> list[list[Entry] | None]:
    """The conditionings as the host would pair them for each view alone. Lists without tags or areas stay as they are.

    views: of one canonical picture. Entries are those of the host's process_conds, areas resolved to latent cells.
    """
    present = [entries for entries in conds if entries is not None]
    if len(present) < 2 or not any(map(has_tags, present)) or not any("area" in e for c in present for e in c):
        return list(conds)
    own = [None if c is None else [e for e in c if not _is_partner(e, c, conds)] for c in conds]
    result: list[list[Entry] | None] = []
    for side in own:
        if side is None:
            result.append(None)
            continue
        opposite = [e for other in own if other is not None and other is not side for e in other if "area" in e]
        result.append(side + [partner for e in opposite for partner in _partners(side, e, views)])
    return result


def _is_partner(entry: Entry, side: Sequence[Entry], conds: Conds) -> bool:
    """Whether the host made this entry: area and mask are another side's, and the prompt is another entry's."""
    if "area" not in entry:
        return False
    copied = any(
        e is not entry and e.get("area") == entry["area"] and e.get("mask") is entry.get("mask")
        for c in conds
        if c is not None and c is not side
        for e in c
    )
    return copied and any(e is not entry and _same_prompt(e, entry) for e in side)


def _same_prompt(a: Entry, b: Entry) -> bool:
    first, second = a.get("model_conds", {}), b.get("model_conds", {})
    return bool(first) and set(first) == set(second) and all(first[name] is second[name] for name in first)


def _partners(side: Sequence[Entry], entry: Entry, views: int) -> list[Entry]:
    """What pairs ``entry`` on the other ``side``: one entry for each group of its views with the same prompt around."""
    found: dict[int, tuple[Entry, list[int]]] = {}
    for view in (v for v in range(views) if applies(entry, v)):
        around = _smallest_around([e for e in side if applies(e, view)], entry["area"])
        if around is not None and around.get("area") != entry["area"]:
            found.setdefault(id(around), (around, []))[1].append(view)
    return [
        {**entry, "model_conds": dict(around["model_conds"]), VIEWS_KEY: tuple(seen)} for around, seen in found.values()
    ]


def _smallest_around(side: Sequence[Entry], area: tuple[int, ...]) -> Entry | None:
    """The entry with the smallest area that holds ``area``, else the first one without an area."""
    holding = [e for e in side if "area" in e and _inside(area, e["area"])]
    if holding:
        return min(holding, key=lambda e: math.prod(e["area"][: len(e["area"]) // 2]))
    return next((e for e in side if "area" not in e), None)


def _inside(inner: Sequence[Any], outer: Sequence[Any]) -> bool:
    """Areas are (sizes..., offsets...), in cells."""
    if len(inner) != len(outer):
        return False
    n = len(inner) // 2
    return all(outer[n + i] <= inner[n + i] and inner[i] + inner[n + i] <= outer[i] + outer[n + i] for i in range(n))
