"""Cameras for splats, each chosen for what it shows of those that no other shows well yet."""

from __future__ import annotations

from typing import Protocol

import torch

from ..cameras.chosen import Coverage, candidates, check_wish, chosen
from ..cameras.orbits import Lens
from ..cameras.viewpoints import Orbit, Viewpoint
from .splats import Splats
from .weights.weights import ViewWeights

# Candidates look through frames of this many pixels.
_FRAME = 128
# A view shows a splat well when it shows at least this part of what the best candidate does. Flat splats seen at an
# angle shrink by its cosine: as for surfaces, 70 degrees are too flat.
_LEAST = 0.35
_LENS = Lens()


class Weighed(Protocol):
    """Splats, and what the pixels of a view mix of them (see ``SplatColours``)."""

    @property
    def splats(self) -> Splats: ...

    def weights(self, viewpoint: Viewpoint, height: int, width: int) -> ViewWeights: ...


def splat_coverage_rig(
    space: Weighed, lens: Lens = _LENS, target: float = 0.98, most: int = 12, start: float = 0.0
) -> tuple[tuple[Viewpoint, ...], Coverage]:
    """Cameras in object units, greedily chosen, and what they see.

    Splats count by how much of them (pixels, times opacity and what lies before them) the best candidate shows. Cameras
    are added until ``target`` (share of what the candidates show) or ``most`` is reached. start: azimuth of the front,
    degrees. Raises ValueError for a target outside 0 to 1, no cameras, or splats that no camera sees.
    """
    check_wish(target, most)
    choice = candidates(lens, start)
    shown = torch.zeros(len(choice), len(space.splats))
    for row, viewpoint in zip(shown, space.splats.cameras(Orbit(choice, _FRAME, _FRAME)), strict=True):
        matrix = space.weights(viewpoint, _FRAME, _FRAME).map
        row.index_add_(0, matrix.indices.long(), matrix.weights)
    most_shown = shown.amax(0)
    if not bool((most_shown > 0).any()):
        raise ValueError(f"no camera sees the splats of '{space.splats.name}'; the distance may be too small")
    taken, shares = chosen(shown.div_(most_shown.clamp_min(1e-12)), most_shown, _LEAST, target, most)
    return tuple(choice[i] for i in taken), Coverage(tuple(shares), 1.0, target, "what the splats show")
