"""Twin of the published n-to-1 unprojection: Adam, learning rate 0.1, ten steps on the L1 distance of all views."""

import torch
from oracles.transposes import adjoint
from syncpack.sync_core.views import ViewSet
from torch import Tensor


def adam_planes(views: ViewSet, batch: Tensor, start: Tensor, iterations: int = 10) -> Tensor:
    """Planes [B, C, n*H, W] whose views come near ``batch`` [B*N, C, h, w], from ``start``."""
    z = start.clone()
    first, second = torch.zeros_like(z), torch.zeros_like(z)
    for step in range(1, iterations + 1):
        # The gradient of mean |f z - v|; written out, because embedding_bag has no gradient by its weights' layout.
        gradient = adjoint(views, (views.project(z) - batch).sign()) / batch.numel()
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient.square()
        z = z - 0.1 * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
    return z
