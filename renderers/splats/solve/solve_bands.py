"""Colour by direction from pictures: all bands of the spherical harmonics solved for at once.

With geometry at rest a view is also linear in the harmonics' coefficients: what it sees of a splat is
0.5 + sum_b Y_b(direction) sh_b, mixed as colours are (solve.py). Few views see a splat, so bands above the first are
held to zero, and the first to the plain solve.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ....sync_core.conjugate import conjugate_gradients
from ...cameras.viewpoints import Viewpoint
from ..harmonics import harmonics
from ..splats import SH_DC, Splats
from .solve import SplatSolver

# How firmly bands are held, in mean diagonals of the first band's system.
_FIRST, _HIGHER = 0.03, 0.3
_ITERATIONS = 20


def solve_bands(
    solver: SplatSolver, splats: Splats, viewpoints: Sequence[Viewpoint], images: Sequence[Tensor], plain: Tensor
) -> Tensor:
    """N images [h, w, 3] of the solver's views, seen from ``viewpoints`` -> spherical harmonics [K, bands, 3] of the
    splats' own degree; ``plain``: their colours [K, 3] without direction, which the first band is held to."""
    bases = [_basis(splats, v) for v in viewpoints]
    count, bands = bases[0].shape
    whole = torch.zeros(count, bands, 1)
    target = torch.zeros(count, bands, 3)

    def spread(basis: Tensor, number: int, pixels: Tensor) -> Tensor:
        """F^T W pixels [P, C], by band [K, bands, C]."""
        block = solver.blocks[number]
        return basis[..., None] * block.backward.apply(block.weights * pixels)[:, None]

    for number, (basis, block, pixels) in enumerate(zip(bases, solver.blocks, solver.fronts(images), strict=True)):
        target += spread(basis, number, block.alpha * (pixels - 0.5))
        whole += (basis**2)[..., None] * block.squared[:, None]
    first = torch.zeros_like(target)
    first[:, 0] = (plain - 0.5) / SH_DC
    floor = torch.full((1, bands, 1), _HIGHER)
    floor[0, 0] = _FIRST
    floor = floor * whole[:, 0].mean().clamp_min(1e-20)

    def normal(flat: Tensor) -> Tensor:
        x = flat.reshape(count, bands, 3)
        total = floor * x
        for number, (basis, block) in enumerate(zip(bases, solver.blocks, strict=True)):
            total = total + spread(basis, number, block.forward.apply((basis[..., None] * x).sum(1)))
        return total.reshape(-1, 3)

    diagonal = (whole + floor).reshape(-1, 1)
    target = (target + floor * first).reshape(-1, 3)
    found = conjugate_gradients(normal, target, diagonal, first.reshape(-1, 3), _ITERATIONS, 1e-4)
    return found.reshape(count, bands, 3)


def _basis(splats: Splats, viewpoint: Viewpoint) -> Tensor:
    """float32 [K, bands]: the harmonics of the directions a camera sees splats in."""
    if viewpoint.span is None:
        towards = splats.positions - torch.tensor(viewpoint.position)
    else:
        towards = -torch.tensor(viewpoint.backward).expand(len(splats), 3)
    return harmonics(F.normalize(towards, dim=-1), splats.degree)
