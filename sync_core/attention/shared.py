"""Attention of a view to its own tokens and to those of other views.

Formula of SyncMVD (Liu et al. 2023, "Text-Guided Texturing by Synchronized Multi-View Diffusion", self-attention
reuse): the queries of a view attend to the keys and values of itself and its neighbours in one softmax, and, averaged
with that, to those of a reference view. Here with weights, and without copying the keys and values of the whole batch.

Added to it: a bias of the keys. Where n of the views that a view sees show one place, each of its n keys gets
-log(n), so that together they weigh as one: softmax over the views is then softmax over the canvas, and views that all
see each other compute what a single pass over the whole canvas would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Attention = Callable[..., Tensor]
"""(q [B, .., L, C], k [B, .., M, C], v [B, .., M, C], bias) -> [B, .., L, C]; heads are its own affair. bias: what is
added to the scores, [B, .., 1 or L, M]; left out where there is none."""

PIECE_BYTES = 2**25
"""How many bytes of gathered keys and values exist at once (at least one row's)."""


@dataclass(frozen=True)
class Sharing:
    """What rows show each other, and how.

    first, last: which tokens of a row (along the last axis but one) others see, None being the last of all; what lies
    outside (text) is the row's own.
    bias: (row, the rows whose shared tokens it sees) -> what is added to its scores [.., 1 or L, tokens]: of its own
    tokens that no other sees, then of each row's shared ones. turn: (shared keys of a row, that row, the row that
    looks) -> the keys as it sees them. scale: (row, number of keys) -> factor of its scores.
    """

    first: int = 0
    last: int | None = None
    bias: Callable[[int, Sequence[int]], Tensor | None] | None = None
    turn: Callable[[Tensor, int, int], Tensor] | None = None
    scale: Callable[[int, Sequence[int]], float] | None = None


ALL = Sharing()


def attend(
    attention: Attention,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    sources: Sequence[Sequence[int]],
    piece: int = PIECE_BYTES,
    sharing: Sharing = ALL,
) -> Tensor:
    """[B, .., L, C]: row i of q attends to its own tokens outside of what is shared, and to the shared tokens of the
    rows ``sources[i]`` of k and v, in one softmax.

    q [B, .., L, C], k and v [B, .., M, C]; every row has at least one source. Gathered keys and values take at most
    ``piece`` bytes, or one row's when that is more.
    """
    result = torch.empty_like(q)
    first, last = sharing.first, k.shape[-2] if sharing.last is None else sharing.last
    own = k.shape[-2] - (last - first)
    token_bytes = (k[0].numel() + v[0].numel()) // k.shape[-2] * k.element_size()
    bytes_of = [(own + len(rows) * (last - first)) * token_bytes for rows in sources]
    for start, end in _pieces(bytes_of, piece):
        rows = range(start, end)
        queries = q[start:end]
        if sharing.scale is not None:
            factors = [sharing.scale(i, sources[i]) for i in rows]
            queries = queries * q.new_tensor(factors).reshape(-1, *[1] * (q.ndim - 1))
        keys = _gathered(k, rows, sources, (first, last), sharing.turn)
        values = _gathered(v, rows, sources, (first, last), None)
        biases = [] if sharing.bias is None else [sharing.bias(i, sources[i]) for i in rows]
        if biases and any(bias is not None for bias in biases):
            shape = next(bias.shape for bias in biases if bias is not None)
            given = torch.stack([keys.new_zeros(shape) if bias is None else bias for bias in biases])
            result[start:end] = attention(queries, keys, values, given)
        else:
            result[start:end] = attention(queries, keys, values)
    return result


def _gathered(
    tokens: Tensor,
    rows: Sequence[int],
    sources: Sequence[Sequence[int]],
    shared: tuple[int, int],
    turn: Callable[[Tensor, int, int], Tensor] | None,
) -> Tensor:
    """[len(rows), .., own + seen, C]: what each of the rows sees of ``tokens`` [B, .., M, C]."""
    first, last = shared
    own, many = tokens.shape[-2] - (last - first), len(sources[rows[0]])
    seen = tokens.new_empty(len(rows), *tokens.shape[1:-2], own + many * (last - first), tokens.shape[-1])
    for place, i in enumerate(rows):
        seen[place, ..., :first, :] = tokens[i, ..., :first, :]
        seen[place, ..., first:own, :] = tokens[i, ..., last:, :]
        for number, j in enumerate(sources[i]):
            start = own + number * (last - first)
            part = tokens[j, ..., first:last, :]
            seen[place, ..., start : start + last - first, :] = part if turn is None else turn(part, j, i)
    return seen


def _pieces(sizes: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Runs [start, end) of rows of equal size, together at most ``most`` (or one row)."""
    start = 0
    while start < len(sizes):
        end = start + 1
        while end < len(sizes) and sizes[end] == sizes[start] and (end + 1 - start) * sizes[start] <= most:
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
    sharing: Sharing = ALL,
) -> Tensor:
    """[B, .., L, C]: self-attention of which the part ``weight`` also sees other rows of the batch.

    q [B, .., L, C], k and v [B, .., M, C]. ``neighbours[i]``: the other rows that row i sees. ``reference[i]``: its
    reference row (empty: no reference). With own = attention to itself, near = to itself and its neighbours, and ref =
    to the reference:

        cross = (near + reference_weight ref) / (1 + reference_weight)
        result = base + weight (cross - own)

    ``base`` stands for own when something else already computes this layer in another way; None: own itself.
    """
    own = attention(q, k, v) if weight < 1 or base is not None or not any(neighbours) else None
    if any(neighbours):
        cross = attend(attention, q, k, v, [(i, *others) for i, others in enumerate(neighbours)], piece, sharing)
    else:
        assert own is not None
        cross = own
    if reference and reference_weight > 0:
        seen = attend(attention, q, k, v, [(row,) for row in reference], piece, sharing)
        cross = torch.lerp(cross, seen, reference_weight / (1 + reference_weight))
    if own is None:
        return cross
    return torch.lerp(own, cross, weight) if base is None else base + weight * (cross - own)


def entropy_scale(keys: float, usual: float) -> float:
    """Factor of the scores of attention to ``keys`` keys by a network that is used to ``usual``: sqrt(log keys / log
    usual), which keeps the entropy of the weights about as it was (Jin et al. 2023, "Training-free Diffusion Model
    Adaptation for Variable-Sized Text-to-Image Synthesis")."""
    return math.sqrt(math.log(keys) / math.log(usual)) if min(keys, usual) > 1 else 1.0
