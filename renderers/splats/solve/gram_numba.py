"""The rows of ``gram.py`` by numba, one splat after the other. Imported only where numba is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba.typed import List
from torch import Tensor

from ....sync_core.linear_map import LinearMap
from ...compiled import compiled
from .blocks import Block

# Entries that one call of the kernel writes at most; it needs room for a full row.
_ENTRIES = 1 << 22


@compiled()
def _rows(back, back_at, back_of, front, front_at, front_of, diagonal, prune, row, sums, met, counts, columns, values):
    """Writes rows from ``row`` on until the next might not fit; returns (the row after them, entries)."""
    entries = 0
    splats = len(diagonal)
    while row < splats and entries + splats <= len(columns):
        number = 0
        for view in range(len(back)):
            starts, pixels, shares = back[view], back_at[view], back_of[view]
            ends, others, weights = front[view], front_at[view], front_of[view]
            for i in range(starts[row], starts[row + 1]):
                pixel, share = pixels[i], shares[i]
                for k in range(ends[pixel], ends[pixel + 1]):
                    other = others[k]
                    product = share * weights[k]
                    if product == 0.0:  # (else a sum of 0 would not mean a splat not met)
                        continue
                    if sums[other] == 0.0:
                        met[number] = other
                        number += 1
                    sums[other] += product
        first = entries
        entries += 1
        own = diagonal[row]
        for i in range(number):
            other = met[i]
            value = sums[other]
            sums[other] = 0.0
            if other == row:
                continue
            if value * value < prune * prune * diagonal[row] * diagonal[other]:
                own += value
            else:
                columns[entries] = other
                values[entries] = value
                entries += 1
        columns[first] = row
        values[first] = own
        counts[row] = entries - first
        row += 1
    return row, entries


def gram_rows_numba(views: Sequence[Block], diagonal: Tensor, prune: float) -> tuple[Tensor, Tensor, Tensor]:
    """(entries a row, columns, values)."""
    splats = len(diagonal)
    matrices = (*_lists([v.weighted for v in views]), *_lists([v.forward for v in views]))
    sums, met = np.zeros(splats, np.float32), np.empty(splats, np.int32)
    counts = np.zeros(splats, np.int64)
    room = max(_ENTRIES, splats)
    columns, values = np.empty(room, np.int32), np.empty(room, np.float32)
    found: list[tuple[Any, Any]] = []
    row, walk = 0, _rows
    while row < splats:
        row, entries = walk(*matrices, diagonal.numpy(), np.float32(prune), row, sums, met, counts, columns, values)  # pyright: ignore
        found.append((columns[:entries].copy(), values[:entries].copy()))
    columns, values = (torch.from_numpy(np.concatenate(parts)) for parts in zip(*found, strict=True))
    return torch.from_numpy(counts), columns, values


def _lists(matrices: Sequence[LinearMap]) -> list[Any]:
    """Offsets, columns and values of some matrices, as the kernel takes them."""
    fields = ("offsets", "indices", "weights")
    return [List([getattr(m, field).numpy() for m in matrices]) for field in fields]  # pyright: ignore
