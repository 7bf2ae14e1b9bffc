"""Attention of a view to its own tokens and to those of other views.

Formula of SyncMVD (Liu et al. 2023, "Text-Guided Texturing by Synchronized Multi-View Diffusion", self-attention
reuse): the queries of a view attend to the keys and values of itself and its neighbours in one softmax, and, averaged
with that, to those of a reference view. Here with weights, and without copying the keys and values of the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(q [B, L, C], k [B, M, C], v [B, M, C]) -> [B, L, C]; heads are its own affair."""

PIECE_BYTES = 2**25
"""How many bytes of gathered keys and values exist at once (at least one row's)."""


def attend(
    attention: Attention, q: Tensor, k: Tensor, v: Tensor, sources: Sequence[Sequence[int]], piece: int = PIECE_BYTES
) -> Tensor:
    """[B, L, C]: row i of q attends to the tokens of the rows ``sources[i]`` of k and v, in one softmax.

    q [B, L, C], k and v [B, M, C]; every row has at least one source. Gathered keys and values take at most ``piece``
    bytes, or one row's when that is more.
    """
    result = torch.empty_like(q)
    row_bytes = (k[0].numel() + v[0].numel()) * k.element_size()
    for start, end in _pieces([len(s) for s in sources], max(1, piece // row_bytes)):
        rows = [j for i in range(start, end) for j in sources[i]]
        keys = torch.cat([k[j] for j in rows]).reshape(end - start, -1, k.shape[-1])
        values = torch.cat([v[j] for j in rows]).reshape(end - start, -1, v.shape[-1])
        result[start:end] = attention(q[start:end], keys, values)
    return result


def _pieces(counts: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Runs [start, end) of rows with equally many sources, together at most ``most`` (or one row)."""
    start = 0
    while start < len(counts):
        end = start + 1
        while end < len(counts) and counts[end] == counts[start] and (end + 1 - start) * counts[start] <= most:
            end += 1
        yield start, end
        start = end


def shared_attention(
    attention: Attention,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    neighbours: Sequence[Sequence[int]],
    weight: float,
    reference: Sequence[int] = (),
    reference_weight: float = 0.0,
    base: Tensor | None = None,
    piece: int = PIECE_BYTES,
) -> Tensor:
    """[B, L, C]: self-attention of which the part ``weight`` also sees other rows of the batch.

    q [B, L, C], k and v [B, M, C]. ``neighbours[i]``: the other rows that row i sees. ``reference[i]``: its reference
    row (empty: no reference). With own = attention to itself, near = to itself and its neighbours, and ref = to the
    reference:

        cross = (near + reference_weight ref) / (1 + reference_weight)
        result = base + weight (cross - own)

    ``base`` stands for own when something else already computes this layer in another way; None: own itself.
    """
    own = attention(q, k, v) if weight < 1 or base is not None or not any(neighbours) else None
    if any(neighbours):
        cross = attend(attention, q, k, v, [(i, *others) for i, others in enumerate(neighbours)], piece)
    else:
        assert own is not None
        cross = own
    if reference and reference_weight > 0:
        seen = attend(attention, q, k, v, [(row,) for row in reference], piece)
        cross = torch.lerp(cross, seen, reference_weight / (1 + reference_weight))
    if own is None:
        return cross
    return torch.lerp(own, cross, weight) if base is None else base + weight * (cross - own)
