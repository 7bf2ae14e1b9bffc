"""Averaging views: against loops, dense solvers, and by its laws."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.twins import (
    F64,
    apply_to_views,
    dense,
    draw,
    least_squares,
    make_views,
    mean_matrix,
    permuted_views,
    random_views,
    ridge_least_squares,
)
from syncpack.sync_core.aggregate import Aggregator, mean_map
from syncpack.sync_core.views import ViewSet
from torch import Tensor

law = settings(deadline=None, max_examples=25)

view_sets = st.builds(
    random_views,
    seed=st.integers(0, 999),
    count=st.integers(1, 3),
    height=st.integers(1, 3),
    width=st.integers(1, 4),
    canonical=st.sampled_from([(7,), (3, 4), (1, 1)]),
    interpolating=st.booleans(),
    negative=st.booleans(),
    background=st.sampled_from([0.0, 0.3, 1.0]),
)


def batch_of(views: ViewSet, batch: int = 2, channels: int = 2, seed: int = 1) -> Tensor:
    return draw(batch * views.count, channels, views.height, views.width, seed=seed)


def close(a: Tensor, b: Tensor, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def dense_enough(seed: int, dtype: torch.dtype = F64) -> ViewSet:
    """Three interpolating views with more pixels than cells: a well-posed least-squares problem."""
    return random_views(seed, count=3, height=4, width=4, canonical=(3, 4), dtype=dtype)


@law
@given(view_sets)
def test_mean_is_the_loop(views: ViewSet) -> None:
    w = batch_of(views)
    close(Aggregator(views)(w), apply_to_views(mean_matrix(views), views, w))


@law
@given(view_sets)
def test_coefficients_of_every_seen_cell_sum_to_one(views: ViewSet) -> None:
    aggregator = Aggregator(views)
    total = dense(aggregator.mean).abs().sum(1)
    close(total, (views.hits > 0).to(F64))
    assert aggregator.seen.tolist() == (views.hits > 0).tolist()


@law
@given(view_sets)
def test_a_constant_comes_back_and_holes_are_zero(views: ViewSet) -> None:
    """A and f of a constant, sign of each view included: exact on every cell seen, 0 on holes."""
    z = torch.full((1, 1, *views.canonical), 3.5, dtype=F64)
    close(Aggregator(views)(views.project(z)).flatten(), 3.5 * (views.hits > 0).to(F64))


@pytest.mark.parametrize("dtype", [torch.float32, F64, torch.float16])
@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_one_identity_view_changes_no_bit(dtype: torch.dtype, weight: float) -> None:
    weights = weight * torch.rand(12, generator=torch.Generator().manual_seed(0)) + 1e-3
    views = make_views(torch.eye(12), (3, 4), 1, 3, 4, weights, torch.float32)
    w = draw(2, 3, 3, 4).to(dtype)
    aggregator = Aggregator(views)
    assert torch.equal(aggregator(w), w)
    assert torch.equal(views.project(aggregator(w)), w)


def test_one_permuted_or_negated_view_is_inverted_bit_for_bit() -> None:
    order = torch.randperm(12, generator=torch.Generator().manual_seed(3))
    z = draw(2, 3, 3, 4).float()
    for sign in (1.0, -1.0):
        views = make_views(sign * torch.eye(12)[order], (3, 4), 1, 3, 4, dtype=torch.float32)
        assert torch.equal(Aggregator(views)(views.project(z)), z)


def test_weights_decide_between_views_and_zero_excludes() -> None:
    both = torch.cat([torch.eye(4), torch.eye(4)])
    weights = torch.tensor([1.0, 3.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0])
    views = make_views(both, (2, 2), 2, 2, 2, weights)
    w = torch.stack([torch.zeros(1, 2, 2, dtype=F64), torch.ones(1, 2, 2, dtype=F64)])
    aggregator = Aggregator(views)
    close(aggregator(w).flatten(), torch.tensor([0.5, 0.25, 1.0, 0.0], dtype=F64))
    assert aggregator.seen.tolist() == [True, True, True, False]  # only zero-weight pixels see the last cell


def test_a_cell_seen_often_by_one_view_does_not_outvote_another_view() -> None:
    """Hit-normalised: four pixels of one view against one of the other weigh one to one."""
    matrix = torch.zeros(8, 2)
    matrix[:4, 0] = 1  # view 0 shows cell 0 four times
    matrix[4, 0] = matrix[5, 1] = 1
    views = make_views(matrix, (2,), 2, 2, 2)
    w = torch.cat([torch.ones(1, 1, 2, 2, dtype=F64), torch.zeros(1, 1, 2, 2, dtype=F64)])
    close(Aggregator(views)(w).flatten(), torch.tensor([0.5, 0.0], dtype=F64))


def test_equal_views_stay_equal() -> None:
    """Views of the same map and content: every one gets the same result, bit for bit; two keep their values too."""
    for count in (2, 3, 5):
        one = random_views(4, count=1, interpolating=False)
        views = make_views(dense(one.forward).repeat(count, 1), one.canonical, count, 3, 4)
        w = draw(1, 2, 3, 4).repeat(count, 1, 1, 1)
        result = views.project(Aggregator(views)(w))
        assert all(torch.equal(result[0], other) for other in result)
    views = make_views(torch.eye(12).repeat(2, 1), (3, 4), 2, 3, 4)
    w = draw(1, 2, 3, 4).repeat(2, 1, 1, 1)
    assert torch.equal(views.project(Aggregator(views)(w)), w)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 999))
def test_least_squares_solves_its_normal_equations(seed: int) -> None:
    """Against the dense solution of the very system it states, holes and unseen directions included."""
    views = random_views(seed, count=2, height=3, width=3, canonical=(3, 4), negative=True, background=0.2)
    w = batch_of(views)
    solver = Aggregator(views, "least_squares", iterations=200, tolerance=1e-13, ridge=1e-3)
    close(solver(w), ridge_least_squares(views, w, 1e-3), 1e-9)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 999))
def test_least_squares_is_the_least_squares_solution(seed: int) -> None:
    views = dense_enough(seed)
    if torch.linalg.cond(dense(views.forward)) > 50:
        return
    w = batch_of(views)
    solver = Aggregator(views, "least_squares", iterations=200, tolerance=1e-14, ridge=0.0)
    close(solver(w), least_squares(views, w), 1e-9)
    close(Aggregator(views, "least_squares", ridge=0.0)(views.project(z := draw(1, 2, 3, 4))), z, 1e-4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(F64, 1e-10), (torch.float32, 1e-4)])
def test_least_squares_sync_is_idempotent(dtype: torch.dtype, tolerance: float) -> None:
    """Q Q = Q: what is consistent already is not touched (float32: to the accuracy of its arithmetic)."""
    for seed in range(6):
        views = dense_enough(seed, dtype)
        precise = dtype == F64
        solver = Aggregator(
            views,
            "least_squares",
            iterations=200,
            tolerance=1e-13 if precise else 1e-6,
            ridge=1e-14 if precise else 1e-6,
        )
        w = batch_of(views).to(dtype)
        once = views.project(solver(w))
        assert once.dtype == dtype
        torch.testing.assert_close(views.project(solver(once)), once, rtol=0, atol=tolerance)


def test_mean_sync_is_idempotent_for_selections_and_not_for_interpolation() -> None:
    selection = random_views(0, interpolating=False)
    aggregator, w = Aggregator(selection), batch_of(selection)
    once = selection.project(aggregator(w))
    close(selection.project(aggregator(once)), once)
    blurred = random_views(0)
    aggregator, w = Aggregator(blurred), batch_of(blurred)
    once = blurred.project(aggregator(w))
    assert float((blurred.project(aggregator(once)) - once).abs().max()) > 1e-2


def test_a_warm_start_at_the_solution_stops_at_once() -> None:
    views = dense_enough(1)
    w = batch_of(views)
    solved = Aggregator(views, "least_squares", iterations=200, tolerance=1e-12)(w)
    again = Aggregator(views, "least_squares", iterations=0)(w, solved)
    assert torch.equal(again, solved)
    close(Aggregator(views, "least_squares", iterations=3, tolerance=1e-9)(w, solved), solved, 1e-9)


def test_least_squares_with_holes_and_without_a_ridge_stays_finite() -> None:
    matrix = torch.zeros(4, 5)
    matrix[:, 1:3] = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.2, 0.8]])
    views = make_views(matrix, (5,), 1, 2, 2)
    for ridge in (0.0, 1e-6):
        result = Aggregator(views, "least_squares", ridge=ridge)(views.project(draw(1, 1, 5)))
        assert bool(result.isfinite().all())
        assert result[0, 0, 0] == result[0, 0, 3] == result[0, 0, 4] == 0
    close(result[0, 0, 1:3], draw(1, 1, 5)[0, 0, 1:3], 1e-4)


def test_a_rig_that_sees_nothing_gives_zeros() -> None:
    views = make_views(torch.zeros(4, 5), (5,), 1, 2, 2)
    for method in ("mean", "least_squares"):
        assert torch.equal(Aggregator(views, method)(draw(1, 1, 2, 2)), torch.zeros(1, 1, 5, dtype=F64))


def test_selections_make_both_methods_equal() -> None:
    """Without interpolation and with one pixel per cell and view, the weighted mean is the least-squares solution."""
    weights = 0.2 + torch.rand(36, generator=torch.Generator().manual_seed(0))
    views = permuted_views(2, 3, 3, 4, weights)
    w = batch_of(views)
    close(Aggregator(views, "least_squares", tolerance=1e-12)(w), Aggregator(views)(w), 1e-10)


def test_bad_input_is_refused() -> None:
    views = random_views(0)
    with pytest.raises(ValueError, match=r"^aggregation 'median' is unknown; use one of mean, least_squares$"):
        Aggregator(views, "median")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"^a batch of 2 views of 4 x 3 does not match a rig of 3 views of 4 x 3$"):
        Aggregator(views)(torch.zeros(2, 1, 3, 4))


def test_the_map_itself_is_cells_by_pixels() -> None:
    views = random_views(0)
    built = mean_map(views)
    assert (built.rows, built.cols, built.weights.dtype) == (views.cells, views.forward.rows, F64)
