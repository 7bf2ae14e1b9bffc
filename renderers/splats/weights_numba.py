"""The lists of ``weights.py`` by numba: one pass counts, one fills; tiles in parallel. Imported only when asked for."""

from __future__ import annotations

import threading
from typing import Any

import numba
import numpy as np
import torch

from ..compiled import compiled
from .project import ALPHA_MIN, Projected
from .weights import ALPHA_MAX, TILE, TRANSMITTANCE_MIN, Lists, bands, tile_grid

# Two parallel kernels at once abort the process where numba has only its own work queue.
_LOCK = threading.Lock()


@compiled(parallel=True)
def _walk(
    splat, start, count, first, columns, height, width, shape, prune, alpha, kept, offset, rank, seen, weights, writing
):
    """The loop over a tile's pixels and a pixel's splats. writing: fill the entries from ``offset``; else count."""
    for t in numba.prange(len(count)):
        left = (t + first) % columns * TILE
        top = (t + first) // columns * TILE
        for row in range(top, min(top + TILE, height)):
            for column in range(left, min(left + TILE, width)):
                pixel = row * width + column
                light = 1.0
                total = 0.0
                number = 0
                for i in range(start[t], start[t] + count[t]):
                    k = splat[i]
                    y = row + 0.5 - shape[k, 1]
                    u = shape[k, 3] * (column + 0.5 - shape[k, 0] + shape[k, 2] * y)
                    v = shape[k, 4] * y
                    power = u * u + v * v
                    # (an alpha of 1/255 needs less, whatever the opacity)
                    if power > 11.1:
                        continue
                    value = min(shape[k, 5] * np.exp(-0.5 * power), ALPHA_MAX)
                    if value < ALPHA_MIN:
                        continue
                    after = light * (1.0 - value)
                    if after <= TRANSMITTANCE_MIN:
                        break
                    weight = value * light
                    light = after
                    total += weight
                    if weight < prune or weight <= 0.0:
                        continue
                    if writing:
                        at = offset[pixel] + number
                        rank[at] = number
                        seen[at] = k
                        weights[at] = weight
                    number += 1
                alpha[pixel] = total
                kept[pixel] = number


def listed_numba(view: Projected, prune: float) -> Lists:
    """As ``listed_torch``, entries in order of their pixels."""
    pixels = view.height * view.width
    columns = tile_grid(view)[1]
    xx, xy, yy = view.covariance.unbind(-1)
    across = (xx - xy * xy / yy).clamp_min(1e-12).rsqrt()
    shape = torch.stack([*view.mean.unbind(1), -xy / yy, across, yy.rsqrt(), view.opacity], 1).contiguous().numpy()
    alpha, kept = np.zeros(pixels, np.float32), np.zeros(pixels, np.int32)
    no_int, no_float = np.zeros(0, np.int32), np.zeros(0, np.float32)
    frame: tuple[Any, ...] = (columns, view.height, view.width, shape, prune, alpha, kept)
    offset = np.zeros(pixels, np.int64)
    walk: Any = _walk
    parts: list[tuple[Any, Any, Any]] = []
    # One band after the other: all pairs of large splats and tiles would take far more memory than the entries do.
    for b in bands(view):
        band = (b.splat.numpy(), b.start.numpy(), b.count.numpy(), b.first)
        own = slice(b.first // columns * TILE * view.width, (b.first + len(b.count)) // columns * TILE * view.width)
        with _LOCK:
            walk(*band, *frame, offset, no_int, no_int, no_float, False)
            offset[own] = np.cumsum(kept[own], dtype=np.int64) - kept[own]
            entries = int(kept[own].sum(dtype=np.int64))
            parts.append((np.empty(entries, np.int32), np.empty(entries, np.int32), np.empty(entries, np.float32)))
            walk(*band, *frame, offset, *parts[-1], True)
        del b, band
    pixel = np.repeat(np.arange(pixels, dtype=np.int32), kept)
    rank, seen, weights = (np.concatenate(found) for found in zip(*parts, strict=True))
    return Lists(*(torch.from_numpy(a) for a in (pixel, rank, seen, weights, alpha)))
