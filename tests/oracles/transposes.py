"""The transpose of views, stored or walked, by their own maps: what gradients and the law of adjoints are tested by."""

from __future__ import annotations

import torch
from syncpack.sync_core.views import ViewSet
from syncpack.sync_core.walked import Views, spread
from torch import Tensor


def adjoint(views: Views, batch: Tensor) -> Tensor:
    """[B*N, C, h, w] -> [B, C, *canonical] (sums, not means)."""
    if isinstance(views, ViewSet):
        count, channels, pixels = views.as_pixels(batch)
        return views.as_canonical(views.backward.apply(pixels), count, channels)
    count, channels, pixels = views.by_view(batch)
    sums = torch.zeros(count * channels, views.cells, dtype=pixels.dtype)
    for number in range(views.count):
        matrix = views.forward(number)
        spread(sums, matrix, matrix.weights, pixels[:, number].reshape(count * channels, -1))
    return sums.reshape(count, channels, *views.canonical).to(batch.dtype)
