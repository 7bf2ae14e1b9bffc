"""A view that counts only in some places."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from .identity import Identity


@dataclass(frozen=True, eq=False)
class Masked(Identity):
    """The picture as it is, counting as much as ``mask`` [H, W] (0..1) says; ``invert``: the other places instead.

    Where all masks of a rig are 0 nobody decides. Raises ValueError for another shape, negative values, or nothing.
    """

    mask: Tensor = field(default_factory=lambda: torch.ones(1, 1))
    invert: bool = False

    name = "mask"
    shows_all = False
    exact_on_latents = True
    on_latents = "nothing moves; a mask counts by cell"

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or not self.mask.numel():
            raise ValueError(f"a mask of shape {tuple(self.mask.shape)}: give one mask [height, width]")
        if not bool(((self.mask >= 0) & (self.mask <= 1)).all()):
            raise ValueError("a mask needs values of 0..1")

    def weights(self, height: int, width: int) -> Tensor:
        mask = self.mask.float().cpu()[None, None]
        if mask.shape[-2:] != (height, width):
            mask = F.interpolate(mask, (height, width), mode="area")
        return (1 - mask if self.invert else mask).flatten()

    def reading(self, picture: Tensor) -> Tensor:
        weight = self.weights(*picture.shape[-2:]).reshape(picture.shape[-2:]).to(picture)
        return (picture - 0.5) * weight + 0.5

    def frame(self, picture: Tensor, t: float) -> Tensor:
        return (1 - t) * picture + t * self.reading(picture)
