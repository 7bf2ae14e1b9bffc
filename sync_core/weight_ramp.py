"""View weights that change during a run: cosine of the viewing angle to a growing power (SyncMVD's 0 to 6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class WeightRamp:
    """weights(progress) = base * cosine ** exponent, the exponent going evenly from ``first`` to ``last``.

    base, cosine: float [N*h*w]; where cosine is 0 a pixel never counts, at exponent 0 neither.
    """

    base: Tensor
    cosine: Tensor
    first: float
    last: float

    def exponent(self, progress: float) -> float:
        """At a fraction of the run's steps, 0 at the first and 1 at the last."""
        return self.first + (self.last - self.first) * min(max(progress, 0.0), 1.0)

    def weights(self, progress: float) -> Tensor:
        return self.base * torch.where(self.cosine > 0, self.cosine ** self.exponent(progress), 0.0)

    def to(self, device: torch.device | str) -> WeightRamp:
        return WeightRamp(self.base.to(device), self.cosine.to(device), self.first, self.last)
