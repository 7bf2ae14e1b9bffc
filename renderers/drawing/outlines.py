"""Views as lines in space with a number: what is drawn into pictures and into the viewers of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..arrays import floats
from .ink import colours


@dataclass(frozen=True)
class Stand:
    """Where a camera of a viewer stands to see what the view sees. place, right, up: float64 [3]. half: half of what it
    shows across and upwards, at depth 1; of an orthographic one that many units anywhere. shift: as ``Viewpoint``'s."""

    place: Tensor
    right: Tensor
    up: Tensor
    half: tuple[float, float]
    shift: tuple[float, float]
    flat: bool


@dataclass(frozen=True)
class Outline:
    """View ``number``: lines float64 [n, 3] each, where its number stands [3], and where a camera stands, if one does.

    face: the closed line among ``lines`` that encloses what the view shows.
    """

    number: int
    lines: tuple[Tensor, ...]
    label: Tensor
    face: int = 0
    stand: Stand | None = None


def for_viewer(outlines: Sequence[Outline]) -> list[dict[str, Any]]:
    """What the viewers read, as values of JSON."""
    found: list[dict[str, Any]] = []
    for outline, colour in zip(outlines, colours(len(outlines)), strict=True):
        one: dict[str, Any] = {
            "number": outline.number,
            "colour": [round(v, 4) for v in colour],
            "label": _values(outline.label),
            "lines": [_values(line.reshape(-1)) for line in outline.lines],
        }
        if outline.stand is not None:
            stand = outline.stand
            one["stand"] = {
                "place": _values(stand.place),
                "right": _values(stand.right),
                "up": _values(stand.up),
                "half": list(stand.half),
                "shift": list(stand.shift),
                "flat": stand.flat,
            }
        found.append(one)
    return found


def _values(tensor: Tensor) -> list[float]:
    return [round(v, 6) for v in floats(tensor.to(torch.float64))]
