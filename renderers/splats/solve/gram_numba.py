"""The rows of ``gram.py`` by numba, one splat after the other. Imported only where numba is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numba.typed import List
from torch import Tensor

from ....sync_core.linear_map import LinearMap
from ...arrays import Array, array_of, tensor_of
from ...compiled import compiled
from .blocks import Block

# Entries that one call of the kernel writes at most; it needs room for a full row.
_ENTRIES = 1 << 22


@compiled()
def _rows(
    back: Sequence[Array],
    back_at: Sequence[Array],
    back_of: Sequence[Array],
    front: Sequence[Array],
    front_at: Sequence[Array],
    front_of: Sequence[Array],
    diagonal: Array,
    prune: np.float32,
    row: int,
    sums: Array,
    met: Array,
    counts: Array,
    columns: Array,
    values: Array,
) -> tuple[int, int]:
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
    back, front = _arrays([v.weighted for v in views]), _arrays([v.forward for v in views])
    own, least = array_of(diagonal), np.float32(prune)
    sums, met = np.zeros(splats, np.float32), np.empty(splats, np.int32)
    counts = np.zeros(splats, np.int64)
    room = max(_ENTRIES, splats)
    columns, values = np.empty(room, np.int32), np.empty(room, np.float32)
    found: list[tuple[Array, Array]] = []
    row = 0
    while row < splats:
        row, entries = _rows(*back, *front, own, least, row, sums, met, counts, columns, values)
        found.append((np.copy(columns[:entries]), np.copy(values[:entries])))
    all_columns, all_values = (tensor_of(np.concatenate(parts)) for parts in zip(*found, strict=True))
    return tensor_of(counts), all_columns, all_values


def _arrays(matrices: Sequence[LinearMap]) -> tuple[Sequence[Array], Sequence[Array], Sequence[Array]]:
    """Offsets, columns and values of some matrices, as the kernel takes them."""
    listed = cast("Callable[[list[Array]], Sequence[Array]]", List)
    return (
        listed([array_of(m.offsets) for m in matrices]),
        listed([array_of(m.indices) for m in matrices]),
        listed([array_of(m.weights) for m in matrices]),
    )
