"""Areas of prompts for some views only: the host pairs every area with one of the opposite side, and knows no views.

When an entry of the positive has an area, the host adds an entry of the same area to the negative (and the other way
round), with the prompt of the entry around it. It does so for the whole batch: views whose area is another view's get
no partner, and partners take the prompt of some other view. Here the host's partners are taken out, and made again
view by view.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .tagged_conds import VIEWS_KEY, Conds, Entry, applies, has_tags


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
