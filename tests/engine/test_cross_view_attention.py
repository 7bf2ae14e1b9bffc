"""Attention shared between rows of a batch, against a twin that computes one number at a time."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from syncpack.sync_core.attention.shared import Sharing, attend, entropy_scale, shared_attention

HEADS = 2


def sdpa(q, k, v):
    """Attention of several heads, by torch."""
    split = lambda t: t.unflatten(-1, (HEADS, -1)).transpose(1, 2)  # noqa: E731
    return torch.nn.functional.scaled_dot_product_attention(split(q), split(k), split(v)).transpose(1, 2).flatten(2)


def twin_attention(q, tokens):
    """One query [C] over a list of (key [C], value [C]), head by head, in plain Python."""
    size = len(q) // HEADS
    out = []
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        scores = [sum(a * b for a, b in zip(q[part], key[part], strict=True)) / math.sqrt(size) for key, _ in tokens]
        top = max(scores)
        weights = [math.exp(s - top) for s in scores]
        out += [
            sum(w * value[part][c] for w, (_, value) in zip(weights, tokens, strict=True)) / sum(weights)
            for c in range(size)
        ]
    return out


def twin(q, k, v, neighbours, weight, reference, reference_weight):
    q, k, v = q.tolist(), k.tolist(), v.tolist()
    tokens = [list(zip(keys, values, strict=True)) for keys, values in zip(k, v, strict=True)]
    result = []
    for i in range(len(q)):
        row = []
        for query in q[i]:
            own = twin_attention(query, tokens[i])
            near = twin_attention(query, [t for j in [i, *neighbours[i]] for t in tokens[j]])
            if reference:
                ref = twin_attention(query, tokens[reference[i]])
                near = [(a + reference_weight * b) / (1 + reference_weight) for a, b in zip(near, ref, strict=True)]
            row.append([(1 - weight) * a + weight * b for a, b in zip(own, near, strict=True)])
        result.append(row)
    return torch.tensor(result, dtype=torch.float64)


def tokens(rows=4, length=3, keys=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    make = lambda n: torch.randn(rows, n, 2 * HEADS, generator=generator, dtype=torch.float64) * 2  # noqa: E731
    return make(length), make(keys or length), make(keys or length)


RING = [[3, 1], [0, 2], [1, 3], [2, 0]]
RAGGED = [[1, 2], [0], [], [0, 1, 2]]


@pytest.mark.parametrize("weight", [1.0, 0.4])
@pytest.mark.parametrize("reference, reference_weight", [([], 1.0), ([2, 2, 2, 2], 1.0), ([1, 1, 1, 1], 0.25)])
@pytest.mark.parametrize("near", [RING, RAGGED, [[], [], [], []]], ids=["ring", "ragged", "nobody"])
@pytest.mark.parametrize("piece", [1, 2**25], ids=["row by row", "in one piece"])
def test_equals_the_twin(weight, reference, reference_weight, near, piece):
    q, k, v = tokens()
    got = shared_attention(sdpa, q, k, v, near, weight, reference, reference_weight, piece=piece)
    assert torch.allclose(got, twin(q, k, v, near, weight, reference, reference_weight), atol=1e-12)


def test_keys_of_another_number_than_queries():
    q, k, v = tokens(length=3, keys=5)
    got = shared_attention(sdpa, q, k, v, RING, 1.0)
    assert torch.allclose(got, twin(q, k, v, RING, 1.0, [], 0.0), atol=1e-12)


@given(rows=st.integers(1, 7), piece=st.integers(1, 4000), data=st.data())
def test_pieces_change_nothing(rows, piece, data):
    sources = data.draw(
        st.lists(st.lists(st.integers(0, rows - 1), min_size=1, max_size=4), min_size=rows, max_size=rows)
    )
    q, k, v = tokens(rows)
    expected = torch.stack(
        [sdpa(q[i : i + 1], k[s].flatten(0, 1)[None], v[s].flatten(0, 1)[None])[0] for i, s in enumerate(sources)]
    )
    assert torch.allclose(attend(sdpa, q, k, v, sources, piece), expected, atol=1e-12)


def test_gathered_keys_stay_small():
    """With a limit, no call gets more keys and values than that, or than one row needs."""
    q, k, v = tokens(rows=8, length=16)
    row = 2 * k[0].numel() * k.element_size()
    seen = []

    def watched(q, k, v):
        seen.append(2 * k.numel() * k.element_size())
        return sdpa(q, k, v)

    near = [[(i - 1) % 8, (i + 1) % 8] for i in range(8)]
    shared_attention(watched, q, k, v, near, 1.0, piece=6 * row)
    assert seen == [6 * row] * 4
    seen.clear()
    shared_attention(watched, q, k, v, near, 1.0, piece=1)
    assert seen == [3 * row] * 8


def test_costs_no_pass_that_is_not_needed():
    q, k, v = tokens()
    calls = []

    def counted(q, k, v):
        calls.append(k.shape[1] // 3)
        return sdpa(q, k, v)

    shared_attention(counted, q, k, v, RING, 1.0)
    assert calls == [3]
    calls.clear()
    shared_attention(counted, q, k, v, RING, 1.0, [0] * 4, 0.0)
    assert calls == [3]
    calls.clear()
    shared_attention(counted, q, k, v, RING, 0.5, [0] * 4, 1.0)
    assert calls == [1, 3, 1]


def test_a_layer_that_is_computed_otherwise_gets_the_difference():
    q, k, v = tokens()
    base = torch.randn_like(q)
    got = shared_attention(sdpa, q, k, v, RING, 0.7, [1] * 4, 2.0, base)
    cross = twin(q, k, v, RING, 1.0, [1] * 4, 2.0)
    own = twin(q, k, v, RING, 0.0, [], 0.0)
    assert torch.allclose(got, base + 0.7 * (cross - own), atol=1e-12)


def test_the_same_view_twice_changes_nothing():
    """Neighbours with the very same tokens: every token only counts double."""
    q, k, v = (t[:1].expand(3, -1, -1) for t in tokens())
    got = shared_attention(sdpa, q, k, v, [[1, 2], [0, 2], [0, 1]], 1.0, [0, 0, 0], 3.0)
    assert torch.allclose(got, sdpa(q, k, v), atol=1e-12)


def test_far_larger_scores_do_not_overflow():
    q, k, v = (t.float() for t in tokens())
    got = shared_attention(sdpa, 100 * q, 100 * k, v, RING, 1.0, [2] * 4, 1.0)
    assert bool(got.isfinite().all()) and float(got.abs().max()) <= float(v.abs().max())


# What rows share, and what keys weigh


def biased(q, k, v, bias=None):
    split = lambda t: t.unflatten(-1, (HEADS, -1)).transpose(1, 2)  # noqa: E731
    mask = None if bias is None else bias[:, None]
    out = torch.nn.functional.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=mask)
    return out.transpose(1, 2).flatten(2)


def test_text_is_a_rows_own():
    """Tokens 1 and 2 of five are the picture: of a neighbour only these are seen, of oneself all."""
    q, k, v = tokens(length=5)
    got = shared_attention(biased, q, k, v, RING, 1.0, sharing=Sharing(1, 3))
    for i, others in enumerate(RING):
        seen = [torch.cat([t[i], *(t[j, 1:3] for j in others)])[None] for t in (k, v)]
        assert torch.allclose(got[i : i + 1], sdpa(q[i : i + 1], *seen), atol=1e-12)


@pytest.mark.parametrize("piece", [1, 2**25], ids=["row by row", "in one piece"])
def test_keys_that_are_there_twice_weigh_half(piece):
    """Rows 0 and 1 show the same tokens: with log 2 off they are one row, and to row 2 too."""
    q, k, v = tokens(rows=3)
    k[1], v[1] = k[0], v[0]
    twice = {0: math.log(2), 1: math.log(2), 2: 0.0}

    def bias(row, sources):
        return torch.tensor([-twice[j] for j in sources for _ in range(3)], dtype=torch.float64)[None]

    near = [[1, 2], [0, 2], [0, 1]]
    got = shared_attention(biased, q, k, v, near, 1.0, piece=piece, sharing=Sharing(bias=bias))
    once = [torch.cat([t[0], t[2]])[None].expand(3, -1, -1) for t in (k, v)]
    assert torch.allclose(got, sdpa(q, *once), atol=1e-12)


def test_keys_are_turned_for_who_looks():
    q, k, v = tokens(rows=2)
    got = shared_attention(
        biased, q, k, v, [[1], [0]], 1.0, sharing=Sharing(turn=lambda keys, seen, by: keys * (1 + 2 * by + seen))
    )
    for i, j in ((0, 1), (1, 0)):
        keys = torch.cat([k[i] * (1 + 3 * i), k[j] * (1 + 2 * i + j)])[None]
        assert torch.allclose(got[i], sdpa(q[i : i + 1], keys, torch.cat([v[i], v[j]])[None])[0], atol=1e-12)


def test_scores_are_scaled_row_by_row():
    q, k, v = tokens(rows=2)
    got = attend(biased, q, k, v, [(0, 1), (1, 0)], sharing=Sharing(scale=lambda row, sources: 1.0 + row))
    both = [torch.cat([t[0], t[1]])[None] for t in (k, v)]
    for i in range(2):
        assert torch.allclose(got[i], sdpa(q[i : i + 1] * (1 + i), *both)[0], atol=1e-12)


def test_the_entropy_scale_is_the_published_one():
    assert entropy_scale(4096, 4096) == 1.0
    assert entropy_scale(4096**2, 4096) == pytest.approx(math.sqrt(2))
    assert entropy_scale(1, 1) == 1.0
