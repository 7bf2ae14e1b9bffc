"""View sets against loops over pixels."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.transposes import adjoint as transpose
from oracles.twins import F64, adjoint, dense, draw, make_views, permuted_views, project, random_views
from syncpack.sync_core.linear_map import LinearMap
from syncpack.sync_core.views import ViewSet

law = settings(deadline=None, max_examples=30)

view_sets = st.builds(
    random_views,
    seed=st.integers(0, 999),
    count=st.integers(1, 3),
    height=st.integers(1, 3),
    width=st.integers(1, 4),
    canonical=st.sampled_from([(7,), (3, 4), (2, 3, 2), (1, 1)]),
    interpolating=st.booleans(),
    negative=st.booleans(),
    background=st.sampled_from([0.0, 0.3, 1.0]),
)


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@law
@given(view_sets, st.integers(1, 2), st.integers(1, 3))
def test_project_and_adjoint_are_the_loops(views: ViewSet, batch: int, channels: int) -> None:
    z = draw(batch, channels, *views.canonical)
    w = draw(batch * views.count, channels, views.height, views.width, seed=1)
    close(views.project(z), project(views, z))
    close(transpose(views, w), adjoint(views, w))


@law
@given(view_sets)
def test_adjoint_law(views: ViewSet) -> None:
    """<f z, w> = <z, f^T w>."""
    z, w = draw(2, 3, *views.canonical), draw(2 * views.count, 3, views.height, views.width, seed=1)
    close((views.project(z) * w).sum(), (z * transpose(views, w)).sum())


@law
@given(view_sets)
def test_covered_pixels_of_interpolating_views_show_a_constant_unchanged(views: ViewSet) -> None:
    """Rows sum to 1 (to -1 in a view of opposite sign), rows of background pixels to 0."""
    ones = views.project(torch.ones(1, 1, *views.canonical, dtype=F64))[:, 0]
    close(ones.abs(), views.covered.to(F64))


@law
@given(view_sets)
def test_coverage_counts(views: ViewSet) -> None:
    matrix = dense(views.forward) != 0
    size = views.height * views.width
    assert views.covered.flatten().tolist() == matrix.any(1).tolist()
    assert views.hits.tolist() == matrix.sum(0).tolist()
    by_view = matrix.reshape(views.count, size, -1).any(1)
    assert views.views_per_cell.tolist() == by_view.sum(0).tolist()
    assert views.fully_covered == bool(matrix.any(1).all())


@law
@given(view_sets)
def test_background_is_what_no_cell_is_behind(views: ViewSet) -> None:
    w = draw(2 * views.count, 2, views.height, views.width)
    background = views.background_of(w)
    for index in range(w.shape[0]):
        covered = views.covered[index % views.count]
        assert torch.equal(background[index][:, ~covered], w[index][:, ~covered])
        assert not background[index][:, covered].any()


def test_views_of_one_canonical_lie_next_to_each_other() -> None:
    views = permuted_views(0, 2, 2, 3)
    z = draw(3, 1, 2, 3)
    w = views.project(z)
    assert torch.equal(w[::2], z)  # the first view of every canonical is the identity
    for b in range(3):
        assert torch.equal(w[2 * b : 2 * b + 2], views.project(z[b : b + 1]))


def test_a_permutation_is_undone_by_its_adjoint() -> None:
    views = permuted_views(3, 1, 3, 3)
    z = draw(2, 2, 3, 3)
    assert torch.equal(transpose(views, views.project(z)), z)


def test_a_rig_that_sees_nothing() -> None:
    views = make_views(torch.zeros(2 * 4, 5), (5,), 2, 2, 2)
    z, w = draw(1, 1, 5), draw(2, 1, 2, 2)
    assert not views.project(z).any()
    assert not transpose(views, w).any()
    assert torch.equal(views.background_of(w), w)
    assert views.hits.tolist() == [0] * 5


def test_pixels_and_canonical_go_there_and_back() -> None:
    views = random_views(0)
    w = draw(2 * views.count, 3, views.height, views.width)
    batch, channels, pixels = views.as_pixels(w)
    assert (batch, channels, pixels.shape) == (2, 3, (views.forward.rows, 6))
    assert pixels[views.width + 2, 3 + 1] == w[views.count, 1, 1, 2]  # second canonical, channel 1, view 0, (1, 2)
    cells = draw(views.cells, 6)
    assert views.as_canonical(cells, 2, 3)[1, 2, 0, 4] == cells[4, 3 + 2]


def test_moving_to_its_own_device_is_nothing() -> None:
    views = random_views(0)
    assert views.to("cpu") is views


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 1, 3, 4), "a batch of 2 views of 4 x 3 does not match a rig of 3 views of 4 x 3"),
        ((3, 1, 4, 3), "a batch of 3 views of 3 x 4 does not match a rig of 3 views of 4 x 3"),
        ((7, 1, 3, 4), "a batch of 7 views of 4 x 3 does not match"),
    ],
)
def test_a_batch_that_does_not_match_is_refused(shape: tuple[int, ...], message: str) -> None:
    views = random_views(0)
    for take in (partial(transpose, views), views.as_pixels):
        with pytest.raises(ValueError, match=f"^{message}"):
            take(torch.zeros(shape, dtype=F64))


def test_a_canonical_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^canonical signal \(5, 4\) does not fit views of \(4, 5\)$"):
        random_views(0).project(torch.zeros(1, 1, 5, 4))


@pytest.mark.parametrize(
    ("rows", "canonical", "height", "width", "weights", "message"),
    [
        (8, (5,), 0, 4, 8, "a view of 4 x 0 has no pixels"),
        (8, (5,), 2, -1, 8, "a view of -1 x 2 has no pixels"),
        (8, (2, 3), 2, 2, 8, r"canonical shape \(2, 3\) does not hold 5 cells"),
        (7, (5,), 2, 2, 7, "7 pixels are not a whole number of 2 x 2 views"),
        (8, (5,), 2, 2, 7, "7 weights for 8 view pixels"),
        (0, (5,), 2, 2, 0, "a rig without views shows nothing; use at least one view"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(rows, canonical, height, width, weights, message) -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    forward = LinearMap.from_entries(rows, 5, nothing, nothing, torch.zeros(0))
    with pytest.raises(ValueError, match=f"^{message}$"):
        ViewSet(forward, canonical, height, width, torch.ones(weights))
