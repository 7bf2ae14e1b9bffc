"""View weights that change during a run: cosine of the viewing angle to a growing power (SyncMVD: about 0 to 6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class WeightRamp:
    """weights(progress) = cosine ** exponent, the exponent going evenly from ``first`` to ``last``.

    cosine: float [N*h*w]; where it is 0 a pixel never counts, at exponent 0 neither.
    """

    cosine: Tensor
    first: float
    last: float

    def exponent(self, progress: float) -> float:
        """At a fraction of the run's steps, 0 at the first and 1 at the last."""
        return self.first + (self.last - self.first) * min(max(progress, 0.0), 1.0)

    def weights(self, progress: float) -> Tensor:
        return cosine_weights(self.cosine, self.exponent(progress))

    def to(self, device: torch.device | str) -> WeightRamp:
        return WeightRamp(self.cosine.to(device), self.first, self.last)


def cosine_weights(cosine: Tensor, exponent: float) -> Tensor:
    """float32: cosines to a power. What is seen at all keeps some weight, so that a cell which only flat pixels see is
    no hole; 0 stays 0."""
    weights = cosine.float().pow(exponent).clamp_min(1e-20)
    return torch.where(cosine > 0, weights, torch.zeros_like(weights))
