"""What views of an object show around it while they are denoised."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PALETTE = (
    (1.0, 1.0, 1.0),
    (0.0, 0.0, 0.0),
    (0.5, 0.5, 0.5),
    (0.75, 0.75, 0.75),
    (0.5, 0.0, 0.0),
    (0.9, 0.15, 0.15),
    (0.5, 0.5, 0.0),
    (0.95, 0.9, 0.2),
    (0.0, 0.5, 0.0),
    (0.2, 0.85, 0.3),
    (0.0, 0.5, 0.5),
    (0.2, 0.85, 0.9),
    (0.0, 0.0, 0.5),
    (0.25, 0.3, 0.95),
    (0.5, 0.0, 0.5),
    (0.9, 0.3, 0.85),
)
"""Plain colours in 0..1: what random backgrounds are drawn from."""


@dataclass(frozen=True, eq=False)
class Background:
    """Clean backgrounds [M, C, h, w], as the model's VAE encodes them, that take the place of a view's own.

    With several, every view gets another one at each step (SyncMVD's shuffled colours: no view can settle on a
    background and let it into the object), until ``until``, a fraction of the steps; then each keeps the last.
    """

    pictures: Tensor
    until: float = 0.4

    def __post_init__(self) -> None:
        if self.pictures.ndim != 4 or self.pictures.shape[0] == 0:
            raise ValueError(f"backgrounds of shape {tuple(self.pictures.shape)} are no batch of pictures")
        if not 0 <= self.until <= 1:
            raise ValueError(f"freeze_at {self.until:g}: use a fraction of the steps, 0 to 1")

    def of_step(self, step: int, steps: int, count: int, seed: int) -> Tensor:
        """The backgrounds [count, C, h, w] of ``count`` views at a step, from 0, of ``steps``."""
        kinds = self.pictures.shape[0]
        if kinds == 1:
            return self.pictures.expand(count, -1, -1, -1)
        last = max(int(self.until * steps) - 1, 0)
        generator = torch.Generator().manual_seed((seed * 1009 + min(step, last)) % 2**63)
        pick = torch.randint(0, kinds, (count,), generator=generator)
        return self.pictures[pick]
