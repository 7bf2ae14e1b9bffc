"""F^T W F of all views multiplied out: what pairs of splats share.

Where views are pictures a splat covers many pixels, and one product with this matrix costs far less than one with the
views and back. Most of its entries are small (splats that overlap at their rims, or behind others): those below a
part of their two diagonals are left out and added to both, which keeps the sums of rows, so that colours that do not
vary are still exact, and keeps the matrix positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ....sync_core.linear_map import LinearMap
from ...arrays import run_lengths, split, tensor_of
from ...by_scipy import scipy_part
from ..weights.weights import chosen_backend
from .blocks import Block

# On the demo scene, 30 views of 256: a fifth of the entries, 6 times as fast as the views, squared error 0.2 % higher.
PRUNE = 1e-3
# So many products of two weights are summed up at once by scipy.
_PRODUCTS = 1 << 25


def gram_matrix(views: Sequence[Block], diagonal: Tensor, prune: float = PRUNE) -> LinearMap:
    """The matrix [K, K], its diagonal first in every row. diagonal: float32 [K, 1] of F^T W F. prune: entries below
    this part of the geometric mean of their two diagonals are left out. By numba where installed, else by scipy."""
    if chosen_backend("auto") == "numba":
        from .gram_numba import gram_rows_numba as gram_rows
    else:
        gram_rows = gram_rows_scipy
    own = diagonal[:, 0].contiguous()
    counts, indices, weights = gram_rows(views, own, prune)
    offsets = torch.zeros(len(own) + 1, dtype=torch.int32)
    offsets[1:] = counts.cumsum(0)
    return LinearMap(offsets, indices, weights, len(own))


def gram_rows_scipy(views: Sequence[Block], diagonal: Tensor, prune: float) -> tuple[Tensor, Tensor, Tensor]:
    """(entries a row, columns, values), some rows at a time."""
    sparse = scipy_part("sparse")

    def csr(matrix: LinearMap) -> Any:
        parts = (matrix.weights.numpy(), matrix.indices.numpy(), matrix.offsets.numpy())
        return sparse.csr_matrix(parts, (matrix.rows, matrix.cols))

    forward = [csr(view.forward) for view in views]
    backward = [csr(view.weighted) for view in views]
    products = torch.zeros(len(diagonal), dtype=torch.float64)
    for view in views:
        pattern = view.backward.with_weights(torch.ones_like(view.backward.weights))
        products += pattern.apply(view.forward.row_counts().float()[:, None])[:, 0]
    part = (products.cumsum(0) / _PRODUCTS).long()
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows in split(torch.arange(len(diagonal)), run_lengths(part)):
        low, high = int(rows[0]), int(rows[-1]) + 1
        total: Any = sum(b[low:high] @ f for b, f in zip(backward, forward, strict=True))
        entries = total.tocoo()
        row, column = tensor_of(entries.row).long(), tensor_of(entries.col).long()
        value = tensor_of(entries.data)
        small = value**2 < prune**2 * diagonal[row + low] * diagonal[column]
        other = row + low != column
        own = diagonal[rows].index_add(0, row[small & other], value[small & other])
        keep = other & ~small
        row = torch.cat([rows - low, row[keep]])
        order = torch.argsort(row, stable=True)
        column, value = torch.cat([rows, column[keep]]), torch.cat([own, value[keep]])
        found.append((torch.bincount(row, minlength=len(rows)), column[order].int(), value[order]))
    counts, columns, values = (torch.cat(parts) for parts in zip(*found, strict=True))
    return counts, columns, values
