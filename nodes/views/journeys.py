"""From one prompt to another over the views of a rig, by where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ...renderers.directions import ViewPlace
from ...renderers.scene import Scene
from .prompts import Conditioning, for_some_views

Way = Literal["left to right", "top to bottom"]
WAYS: tuple[Way, ...] = ("left to right", "top to bottom")
Blend = Literal["prompts", "estimates"]
BLENDS: tuple[Blend, ...] = ("prompts", "estimates")

POOLED = "pooled_output"


@dataclass(frozen=True)
class Journey:
    """way: by what views are ordered. begin, end: fractions of the way at which the first prompt is left and the last
    one reached. back: to the last prompt in the middle and back again, for canvases whose edges meet. blend: of the
    prompts' encodings, or of what the model makes of both.

    Raises ValueError for values that are none.
    """

    way: Way = "left to right"
    begin: float = 0.0
    end: float = 1.0
    back: bool = False
    blend: Blend = "prompts"

    def __post_init__(self) -> None:
        if not 0 <= self.begin < self.end <= 1:
            raise ValueError(f"begin {self.begin:g} and end {self.end:g}: use fractions with 0 <= begin < end <= 1")
        for name, value, known in (("way", self.way, WAYS), ("blend", self.blend, BLENDS)):
            if value not in known:
                raise ValueError(f"{name} '{value}' is unknown; use one of {', '.join(known)}")

    def shares(self, places: Sequence[ViewPlace], rig: str) -> list[float]:
        """How much of the last prompt each view gets, 0 to 1. rig: its kind, for messages.

        Windows go by their centres, from the first to the last. Cameras go around: the front is the first prompt, the
        back the last, both sides alike, and one that looks straight up or down is half way; from top to bottom the
        highest is first. Raises ValueError for views that have no place, or all the same.
        """
        return [min(max((t - self.begin) / (self.end - self.begin), 0.0), 1.0) for t in self._along(places, rig)]

    def _along(self, places: Sequence[ViewPlace], rig: str) -> list[float]:
        across = self.way == "left to right"
        if any(p.elevation is not None for p in places):
            if across:
                return [0.5 if p.azimuth is None else abs(180 - (180 - p.azimuth) % 360) / 180 for p in places]
            where = [None if p.elevation is None else (90 - p.elevation) / 180 for p in places]
        else:
            where = [p.x if across else p.y for p in places]
        known = [value for value in where if value is not None]
        if len(known) < len(places):
            raise ValueError(f"views of {rig} lie at no place {self.way}; use ViewPrompts or a prompt for each reading")
        if self.back:
            return [1 - abs(2 * value - 1) for value in known]
        low, high = min(known), max(known)
        if high - low < 1e-6:
            other = WAYS[1 - WAYS.index(self.way)]
            raise ValueError(
                f"all views lie at the same place {self.way}; set way to {other}, or use a rig of more views"
            )
        return [(value - low) / (high - low) for value in known]


def lerped(first: Tensor, last: Tensor, share: float) -> Tensor:
    """Encodings [B, T, C] or [B, C] mixed, the shorter with empty tokens behind it, as the host's ConditioningAverage
    does."""
    if first.ndim == 3:
        tokens = max(first.shape[1], last.shape[1])
        first, last = (F.pad(v, (0, 0, 0, tokens - v.shape[1])) for v in (first, last))
    return first * (1 - share) + last * share


def journey(scene: Scene, first: Conditioning, last: Conditioning, plan: Journey) -> tuple[Conditioning, str]:
    """(Conditioning of all views, which view gets what). Entries are paired in order; what else they carry (areas,
    hints) is the first's.

    Raises ValueError for conditionings of other numbers of entries, and encodings of other widths.
    """
    if len(first) != len(last) or not first:
        raise ValueError(
            f"first holds {len(first)} prompts and last {len(last)}; connect conditionings of as many, one each in "
            "most graphs"
        )
    places = scene.view_places()
    shares = [round(share, 4) for share in plan.shares(places, scene.rig.kind)]
    entries: Conditioning = []
    if plan.blend == "estimates":
        entries += _weighted(first, [1 - share for share in shares]) + _weighted(last, shares)
    for share in dict.fromkeys(shares if plan.blend == "prompts" else ()):
        made = last if share == 1 else [_pair(a, b, share) if share else a for a, b in zip(first, last, strict=True)]
        entries += for_some_views(made, (i for i, s in enumerate(shares) if s == share), len(places))
    lines = [f"view {p.index} ({p}): {1 - s:.0%} first, {s:.0%} last" for p, s in zip(places, shares, strict=True)]
    return entries, "\n".join(lines)


def _weighted(conditioning: Conditioning, weights: Sequence[float]) -> Conditioning:
    """The entries with a weight for each view, as masks of one value: views of any weight share their calls. The host
    divides by the sum of all prompts' weights. Those of weight 0 are left out."""
    own = torch.tensor(weights)[:, None, None]
    made: Conditioning = []
    for tokens, options in conditioning:
        mask = options.get("mask")
        rows = own.expand(-1, 8, 8) if mask is None else own * mask.reshape(-1, *mask.shape[-2:])
        made.append([tokens, {**options, "mask": rows.contiguous(), "set_area_to_bounds": False}])
    return for_some_views(made, (i for i, weight in enumerate(weights) if weight), len(weights))


def _pair(first: list[Any], last: list[Any], share: float) -> list[Any]:
    (tokens, options), (others, theirs) = first[:2], last[:2]
    if tokens.shape[2:] != others.shape[2:]:
        raise ValueError(
            f"first is encoded in {tokens.shape[-1]} numbers a token and last in {others.shape[-1]}; encode both with "
            "the same CLIP"
        )
    pooled = [o.get(POOLED) for o in (options, theirs)]
    mixed = dict(options)
    if all(isinstance(p, Tensor) for p in pooled):
        mixed[POOLED] = lerped(pooled[0], pooled[1], share)
    elif isinstance(pooled[1], Tensor):
        mixed[POOLED] = pooled[1]
    return [lerped(tokens, others, share), mixed]
