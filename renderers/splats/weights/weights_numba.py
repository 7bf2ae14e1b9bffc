"""The lists of ``weights.py`` by numba: tiles in parallel, each into room of its own. Imported only when asked for."""

from __future__ import annotations

import math
import threading

import numba
import numpy as np
import torch

from ...arrays import Array, array_of, run_lengths, split, tensor_of
from ...compiled import compiled
from .project import ALPHA_MIN, Projected
from .tiles import ALPHA_MAX, TILE, TRANSMITTANCE_MIN, Band, Lists, bands, tile_grid

# Two parallel kernels at once abort the process where numba has only its own work queue.
_LOCK = threading.Lock()
# Entries that there is room for at once, and what they hold: pixel, rank, row of ``Projected``, weight.
_ROOM = 1 << 22
_KINDS = (np.int32, np.int32, np.int32, np.float32)


@compiled(parallel=True)
def _walk(
    splat: Array,
    start: Array,
    count: Array,
    first: int,
    columns: int,
    height: int,
    width: int,
    shape: Array,
    prune: float,
    alpha: Array,
    room: Array,
    written: Array,
    entries: tuple[Array, Array, Array, Array],
) -> None:
    """The loop over a tile's splats, front to back, and the pixels in a splat's ellipse. Tile t writes ``written[t]``
    entries from ``room[t]`` on."""
    pixels, ranks, seen, weights = entries
    for t in numba.prange(len(count)):
        left = (t + first) % columns * TILE
        top = (t + first) // columns * TILE
        right, bottom = min(left + TILE, width), min(top + TILE, height)
        light = np.ones(TILE * TILE)
        number = np.zeros(TILE * TILE, np.int32)
        gathered = np.full(TILE * TILE, 0.5 * prune)
        open_pixels = (right - left) * (bottom - top)
        at = room[t]
        for i in range(start[t], start[t] + count[t]):
            k = splat[i]
            for row in range(top, bottom):
                y = row + 0.5 - shape[k, 1]
                v = shape[k, 4] * y
                rest = shape[k, 6] - v * v
                if rest < 0.0:
                    continue
                # The ellipse's part of the row: u, linear in the column, is at most the root of the rest.
                middle = shape[k, 0] - shape[k, 2] * y - 0.5
                half = np.sqrt(rest) / shape[k, 3]
                low = max(left, int(np.ceil(max(middle - half, -1.0))))
                high = min(right - 1, int(np.floor(min(middle + half, width))))
                for column in range(low, high + 1):
                    inner = (row - top) * TILE + column - left
                    if light[inner] < 0.0:
                        continue
                    u = shape[k, 3] * (column - middle)
                    value = min(shape[k, 5] * np.exp(-0.5 * (u * u + v * v)), ALPHA_MAX)
                    if value < shape[k, 7]:
                        continue
                    after = light[inner] * (1.0 - value)
                    if after <= TRANSMITTANCE_MIN:
                        light[inner] = -1.0
                        open_pixels -= 1
                        continue
                    weight = value * light[inner]
                    light[inner] = after
                    pixel = row * width + column
                    alpha[pixel] += weight
                    if weight < prune or weight <= 0.0:
                        if shape[k, 7] >= ALPHA_MIN or prune <= 0.0:
                            continue
                        gathered[inner] += weight
                        if gathered[inner] < prune:
                            continue
                        gathered[inner] -= prune
                        weight = prune
                    pixels[at] = pixel
                    ranks[at] = number[inner]
                    seen[at] = k
                    weights[at] = weight
                    number[inner] += 1
                    at += 1
            if open_pixels == 0:
                break
        written[t] = at - room[t]


def listed_numba(view: Projected, prune: float) -> Lists:
    """As ``listed_torch``, entries tile by tile."""
    columns = tile_grid(view)[1]
    # Where alpha falls below its limit: the edge of the ellipse, with a margin that leaves the decision to the limit.
    limit = view.limit
    far = 2 * torch.log((view.opacity / limit).clamp_min(1)) + 1e-3
    shape = array_of(torch.stack([*view.mean.unbind(1), *view.squares, view.opacity, far, limit], 1).contiguous())
    alpha = np.zeros(view.height * view.width, np.float32)
    most = _most(view, prune)
    found: list[tuple[Array, ...]] = []
    for band in bands(view):
        for part in _parts(band, most):
            sizes = array_of(part.count.clamp_max(most)) * TILE**2
            room = np.cumsum(sizes) - sizes
            total = int(sizes.sum())
            pixel, rank, seen, weight = (np.empty(total, kind) for kind in _KINDS)
            entries: tuple[Array, Array, Array, Array] = (pixel, rank, seen, weight)
            written = np.zeros(len(room), np.int64)
            with _LOCK:
                _walk(
                    array_of(part.splat),
                    array_of(part.start),
                    array_of(part.count),
                    part.first,
                    columns,
                    view.height,
                    view.width,
                    shape,
                    prune,
                    alpha,
                    room,
                    written,
                    entries,
                )
            kept = np.repeat(room - (np.cumsum(written) - written), written) + np.arange(int(written.sum()))
            found.append(tuple(values[kept] for values in entries))
    pixel, rank, seen, weight = (tensor_of(np.concatenate(values)) for values in zip(*found, strict=True))
    return Lists(pixel, rank, seen, weight, tensor_of(alpha))


def _most(view: Projected, prune: float) -> int:
    """How many splats a pixel can list: each takes at least 1/255 of its light, unless it is faint, and adds at least
    ``prune``."""
    deep = math.log(TRANSMITTANCE_MIN) / math.log(1 - ALPHA_MIN) if view.least is None else len(view)
    return math.ceil(min(deep, 1 / prune if prune > 0 else math.inf)) + 2


def _parts(band: Band, most: int) -> list[Band]:
    """Some tiles at a time, so that there is room for all that they may list."""
    number = (torch.cumsum(band.count.clamp_max(most), 0) * TILE**2 - 1).clamp_min(0) // _ROOM
    sizes = run_lengths(number)
    starts, counts = split(band.start, sizes), split(band.count, sizes)
    firsts = [band.first + sum(sizes[:i]) for i in range(len(sizes))]
    return [Band(band.splat, s, c, f) for s, c, f in zip(starts, counts, firsts, strict=True)]
