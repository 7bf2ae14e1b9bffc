"""Splats of a scene that cannot be drawn: found, and given harmless values, so that one does not cost all."""

from __future__ import annotations

import torch
from torch import Tensor

from ..arrays import norm

# A splat that reaches this many radii of the scene is a broken value, not a sky.
HUGE = 1e4

Fields = dict[str, Tensor]


def found_flaws(fields: Fields) -> list[tuple[str, Tensor]]:
    """(What is wrong with them, bool [K]) of float32 positions [K, 3], scales [K, 3], rotations [K, 4], opacities [K]
    and sh [K, B, 3]; only what is there."""
    count = len(fields["positions"])
    found = [
        (f"{what} that are no numbers (NaN or infinite)", ~torch.isfinite(values.reshape(count, -1)).all(1))
        for what, values in fields.items()
    ]
    found.append(("scales below zero", (fields["scales"] < 0).any(1)))
    found.append(("opacities outside 0 to 1", (fields["opacities"] < 0) | (fields["opacities"] > 1)))
    found.append(("zero quaternions", norm(fields["rotations"].double(), 1) < 1e-12))
    return [(words, which) for words, which in found if bool(which.any())]


def harmless(fields: Fields, hidden: Tensor) -> Fields:
    """The same with values for ``hidden`` splats (bool [K]) that show nothing and move nothing: fully transparent, at
    the middle of the others, unturned, black."""
    fields = {name: values.clone() for name, values in fields.items()}
    others = ~hidden
    fields["positions"][hidden] = fields["positions"][others].median(0).values
    fields["scales"][hidden] = fields["scales"][others].median()
    fields["rotations"][hidden] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    fields["opacities"][hidden] = 0.0
    fields["sh"][hidden] = 0.0
    return fields


def said(words: str, which: Tensor) -> str:
    """In a report."""
    return (
        f"{int(which.sum()):,} of {len(which):,} splats are hidden: {words}, the first is splat "
        f"{int(which.nonzero()[0])}; saved as they are"
    )
