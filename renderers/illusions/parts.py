"""Views that own a part of the picture: hybrid images (Factorized Diffusion).

All views show the same picture; of view i only the part C_i counts, z = sum_i C_i x_i, and the parts add up to all of
it. The parts are filters without a map, so any picture size will do.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ..arrays import unflatten
from .warp import Warp, map_of_order


class PartWarp(Warp):
    """Subclasses give ``part``: linear in the picture [B, C, H, W]. Its reading is that part, around middle grey."""

    exact_on_latents = False
    on_latents = "a filtered latent is not the latent of the filtered picture"

    def map(self, height: int, width: int) -> LinearMap:
        return map_of_order(torch.arange(height * width))

    @abstractmethod
    def part(self, picture: Tensor) -> Tensor:
        """What of the picture [B, C, H, W] this view decides."""

    def reading(self, picture: Tensor) -> Tensor:
        batch = (picture - 0.5).reshape(-1, *picture.shape[-3:])
        return self.part(batch).reshape(picture.shape) + 0.5


@dataclass(frozen=True)
class SumOfParts:
    """A of hybrid views: [B*N, C, h, w] -> [B, C, h, w], the sum of what each of the N views decides."""

    parts: tuple[Callable[[Tensor], Tensor | None], ...]

    def __call__(self, batch: Tensor) -> Tensor:
        views = unflatten(batch, 0, (-1, len(self.parts)))
        total = torch.zeros_like(views[:, 0])
        for number, part in enumerate(self.parts):
            kept = part(views[:, number])
            assert kept is not None
            total = total + kept
        return total

    def to(self, device: torch.device | str) -> SumOfParts:
        """Filters follow their picture; nothing is held on a device."""
        return self


def sum_of_parts(warps: tuple[Warp, ...]) -> SumOfParts | None:
    """A for a rig of parts; None when its warps share the whole picture.

    Raises ValueError when only some are parts, or when the parts do not add up to the picture.
    """
    parts = [w for w in warps if isinstance(w, PartWarp)]
    if not parts:
        return None
    names = ", ".join(w.name for w in warps)
    if len(parts) < len(warps):
        raise ValueError(f"warps {names}: some own a part of the picture and others all of it; use parts only")
    combine = SumOfParts(tuple(w.part for w in parts))
    probe = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    total = combine(probe.repeat_interleave(len(parts), 0))
    if not torch.allclose(total, probe, atol=1e-4):
        raise ValueError(
            f"parts {names} do not add up to the picture; use pairs like low_band and high_band of the same sigma"
        )
    return combine
