"""The picture as it is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..warp import Permutation


@dataclass(frozen=True)
class Identity(Permutation):
    """Every pixel sees its own cell."""

    name = "identity"
    shows_all = True
    exact_on_latents = True
    on_latents = "nothing moves"

    def rearranged(self, grid: Tensor) -> Tensor:
        return grid
