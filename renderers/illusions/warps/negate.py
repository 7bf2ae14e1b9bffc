"""The photographic negative."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ....sync_core.linear_map import LinearMap
from ..warp import Warp


@dataclass(frozen=True)
class Negate(Warp):
    """Every cell with its sign changed; on pictures of 0..1 that is 1 - x."""

    name = "negate"
    on_latents = "the negative of a latent is not the latent of the negative"

    def map(self, height: int, width: int) -> LinearMap:
        size = height * width
        cells = torch.arange(size + 1, dtype=torch.int32)
        return LinearMap(cells, cells[:-1].clone(), -torch.ones(size), size)
