"""Conjugate gradients for symmetric positive systems, many right-hand sides at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def conjugate_gradients(
    normal: Callable[[Tensor], Tensor],
    target: Tensor,
    diagonal: Tensor,
    start: Tensor,
    iterations: int,
    tolerance: float,
) -> Tensor:
    """z [K, C] with normal(z) = target [K, C], by Jacobi-preconditioned conjugate gradients from ``start`` [K, C].

    diagonal: [K, 1] of the system, for the preconditioner. Ends when every column's preconditioned residual has fallen
    below ``tolerance`` times its target's, or after ``iterations`` applications of ``normal``.
    """
    tiny = torch.finfo(target.dtype).tiny
    jacobi = diagonal.clamp_min(tiny)
    z = start
    residual = target - normal(z)
    direction = residual / jacobi
    energy = (residual * direction).sum(0)
    goal = tolerance**2 * (target * target / jacobi).sum(0).clamp_min(tiny)
    for _ in range(iterations):
        if bool((energy <= goal).all()):
            break
        image = normal(direction)
        curvature = (direction * image).sum(0)
        step = torch.where(curvature > 0, energy / curvature.clamp_min(1e-30), torch.zeros_like(energy))
        z = z + step * direction
        residual = residual - step * image
        scaled = residual / jacobi
        renewed = (residual * scaled).sum(0)
        direction = scaled + (renewed / energy.clamp_min(1e-30)) * direction
        energy = renewed
    return z
