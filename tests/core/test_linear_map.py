"""The sparse map against dense matrices and loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.twins import F64, dense, draw, entries, generator
from syncpack.sync_core.linear_map import LinearMap

law = settings(deadline=None, max_examples=40)


@st.composite
def maps(draw_from, dtype=F64) -> LinearMap:
    """Any shape, any number of entries (none included), repeated and negative ones included."""
    rows, cols = draw_from(st.integers(1, 9)), draw_from(st.integers(1, 9))
    nnz = draw_from(st.integers(0, 30))
    rng = generator(draw_from(st.integers(0, 999)))
    row, col = torch.randint(0, rows, (nnz,), generator=rng), torch.randint(0, cols, (nnz,), generator=rng)
    return LinearMap.from_entries(rows, cols, row, col, torch.randn(nnz, generator=rng, dtype=dtype))


def sorted_entries(matrix: LinearMap) -> list[tuple[int, int, float]]:
    return sorted(entries(matrix))


@law
@given(maps(), st.integers(0, 3))
def test_apply_is_the_dense_product(matrix: LinearMap, channels: int) -> None:
    values = draw(matrix.cols, channels)
    torch.testing.assert_close(matrix.apply(values), dense(matrix) @ values, rtol=1e-12, atol=1e-12)


@law
@given(maps())
def test_transpose_is_the_dense_transpose_and_its_own_inverse(matrix: LinearMap) -> None:
    turned = matrix.transpose()
    assert (turned.rows, turned.cols, turned.nnz) == (matrix.cols, matrix.rows, matrix.nnz)
    torch.testing.assert_close(dense(turned), dense(matrix).T, rtol=0, atol=1e-14)
    assert sorted_entries(turned.transpose()) == sorted_entries(matrix)


@law
@given(maps())
def test_adjoint(matrix: LinearMap) -> None:
    z, w = draw(matrix.cols, 2, seed=1), draw(matrix.rows, 2, seed=2)
    left, right = (matrix.apply(z) * w).sum(), (z * matrix.transpose().apply(w)).sum()
    torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-12)


@law
@given(maps())
def test_counts_and_rows_of_entries(matrix: LinearMap) -> None:
    listed = entries(matrix)
    assert matrix.row_of_entry.tolist() == [row for row, _, _ in listed]
    assert matrix.row_counts().tolist() == [sum(r == row for r, _, _ in listed) for row in range(matrix.rows)]
    assert matrix.nnz == len(listed)


@law
@given(maps(), st.integers(0, 99))
def test_entries_of_one_row_keep_their_order(matrix: LinearMap, seed: int) -> None:
    """Shuffling entries between rows changes no bit of the result as long as each row's own order stands."""
    listed = entries(matrix)
    keys = torch.rand(matrix.rows, generator=generator(seed)).tolist()
    moved = sorted(listed, key=lambda e: keys[e[0]])
    row, col, value = (torch.tensor([e[i] for e in moved], dtype=F64) for i in range(3))
    again = LinearMap.from_entries(matrix.rows, matrix.cols, row.long(), col.long(), value)
    assert entries(again) == listed


@law
@given(maps(dtype=torch.float32))
def test_dtype_follows_the_values_and_half_is_summed_wide(matrix: LinearMap) -> None:
    values = draw(matrix.cols, 2)
    for dtype, tolerance in ((F64, 1e-6), (torch.float32, 1e-5), (torch.float16, 2e-2), (torch.bfloat16, 2e-1)):
        result = matrix.apply(values.to(dtype))
        assert result.dtype == dtype
        torch.testing.assert_close(result.double(), dense(matrix) @ values, rtol=tolerance, atol=tolerance)
    half = values.half()
    assert torch.equal(matrix.apply(half), matrix.apply(half.float()).half())


def test_half_precision_does_not_drown_small_terms() -> None:
    """2048 + 1 + 1 + ... is lost in float16 when added one by one."""
    count = 2000
    col = torch.arange(count + 1)
    matrix = LinearMap.from_entries(1, count + 1, torch.zeros_like(col), col, torch.ones(count + 1))
    values = torch.ones(count + 1, 1, dtype=torch.float16)
    values[0] = 2048
    assert float(matrix.apply(values)) == 4048


def test_a_strided_input_is_read_right() -> None:
    matrix = LinearMap.from_entries(3, 4, torch.tensor([0, 1, 2]), torch.tensor([3, 0, 1]), torch.ones(3, dtype=F64))
    values = draw(5, 4).T
    assert torch.equal(matrix.apply(values), values[[3, 0, 1]])


@pytest.mark.parametrize("rows", [0, 4])
def test_a_map_without_entries_gives_zeros(rows: int) -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    matrix = LinearMap.from_entries(rows, 5, nothing, nothing, torch.zeros(0))
    assert torch.equal(matrix.apply(torch.ones(5, 2)), torch.zeros(rows, 2))
    assert torch.equal(matrix.transpose().apply(torch.ones(rows, 2)), torch.zeros(5, 2))
    assert matrix.row_counts().tolist() == [0] * rows


def test_with_weights_keeps_the_pattern() -> None:
    matrix = LinearMap.from_entries(2, 2, torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([2.0, 3.0]))
    assert entries(matrix.with_weights(matrix.weights**2)) == [(0, 1, 4.0), (1, 0, 9.0)]
    with pytest.raises(ValueError, match="3 weights for a map of 2 entries"):
        matrix.with_weights(torch.ones(3))


def test_moving_to_its_own_device_is_nothing() -> None:
    matrix = LinearMap.from_entries(1, 1, torch.tensor([0]), torch.tensor([0]), torch.ones(1))
    assert matrix.to("cpu") is matrix
    assert not matrix.on_cpu


def test_a_device_that_cannot_compute_leaves_the_map_on_the_cpu() -> None:
    """The meta device runs no arithmetic at all: the self-test must notice."""
    matrix = LinearMap.from_entries(2, 3, torch.tensor([0, 1]), torch.tensor([1, 2]), torch.ones(2, dtype=F64))
    moved = matrix.to("meta")
    assert moved.on_cpu
    assert moved.weights.device.type == "cpu"
    assert moved.transpose().on_cpu
    assert torch.equal(moved.apply(torch.eye(3, dtype=F64)), dense(matrix))


@pytest.mark.parametrize(
    ("row", "col", "message"),
    [
        ([0, 3], [0, 0], "row index 3 outside a map of 3 rows"),
        ([-1, 2], [0, 0], "row index -1 outside a map of 3 rows"),
        ([0, 1], [2, 0], "column index 2 outside a map of 2 columns"),
        ([0, 1], [0, -7], "column index -7 outside a map of 2 columns"),
        ([0], [0, 1], "1 row, 2 column indices and 2 weights do not fit"),
    ],
)
def test_bad_entries_are_refused(row: list[int], col: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        LinearMap.from_entries(3, 2, torch.tensor(row), torch.tensor(col), torch.ones(2))


def test_values_of_another_size_are_refused() -> None:
    matrix = LinearMap.from_entries(1, 2, torch.tensor([0]), torch.tensor([0]), torch.ones(1))
    with pytest.raises(ValueError, match=r"^a map of 2 columns was given 3 rows of values$"):
        matrix.apply(torch.ones(3, 1))
