"""Starting and step noise: the polar form against a dense SVD, and the covariances of all three modes.

Noise is linear in its draws, so its covariance is read exactly by feeding unit vectors; no sampling error.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.twins import F64, dense, draw, make_views, permuted_views, random_views, strongest_only
from oracles.twins import polar_noise as slow_polar_noise
from syncpack.sync_core.noise import (
    NOISE_MODES,
    canonical_noise_sampler,
    nearest_part,
    polar_noise,
    view_noise,
)
from syncpack.sync_core.views import ViewSet
from torch import Tensor

law = settings(deadline=None, max_examples=25)

view_sets = st.builds(
    random_views,
    seed=st.integers(0, 999),
    count=st.integers(1, 3),
    height=st.integers(1, 3),
    width=st.integers(1, 4),
    canonical=st.sampled_from([(7,), (3, 4), (30,)]),
    interpolating=st.booleans(),
    negative=st.booleans(),
    background=st.sampled_from([0.0, 0.3, 1.0]),
)


def mean_views(sizes: list[int], seed: int = 0) -> ViewSet:
    """n-to-1: one view, pixel p is a weighted mean of ``sizes[p]`` cells of its own."""
    rng = torch.Generator().manual_seed(seed)
    matrix = torch.zeros(len(sizes), sum(sizes), dtype=F64)
    at = 0
    for pixel, size in enumerate(sizes):
        share = 0.1 + torch.rand(size, generator=rng, dtype=F64)
        matrix[pixel, at : at + size] = share / share.sum()
        at += size
    return make_views(matrix, (sum(sizes),), 1, 1, len(sizes))


def responses(views: ViewSet, mode: str) -> tuple[Tensor, Tensor]:
    """What each unit draw does: (of the canonical noise [K, N*P], of the fresh noise [N*P, N*P])."""
    cells, pixels = views.cells, views.forward.rows
    batch = cells + pixels
    canonical = torch.eye(batch, dtype=F64)[:, :cells].reshape(batch, 1, *views.canonical)
    fresh = torch.eye(batch, dtype=F64)[:, cells:].reshape(batch * views.count, 1, views.height, views.width)
    noise = view_noise(views, mode, canonical, lambda: fresh).reshape(batch, pixels)
    return noise[:cells], noise[cells:]


def covariance_of(views: ViewSet, mode: str) -> Tensor:
    shared, own = responses(views, mode)
    return shared.T @ shared + own.T @ own


def blocks(views: ViewSet, covariance: Tensor) -> list[Tensor]:
    size = views.height * views.width
    return [covariance[n * size : (n + 1) * size, n * size : (n + 1) * size] for n in range(views.count)]


@law
@given(view_sets, st.integers(1, 2), st.integers(1, 2))
def test_polar_is_the_dense_polar_factor(views: ViewSet, batch: int, channels: int) -> None:
    """U z + (I - U U^T) xi with U from an SVD; of the map itself, or of nearest sampling where pixels share cells."""
    z = draw(batch, channels, *views.canonical)
    fresh = draw(batch * views.count, channels, views.height, views.width, seed=1)
    matrix = dense(views.forward) if views.disjoint_rows else strongest_only(views).sign()
    slow = slow_polar_noise(views, matrix, z, fresh)
    torch.testing.assert_close(polar_noise(views, z, lambda: fresh), slow, rtol=1e-10, atol=1e-10)


@law
@given(view_sets)
def test_polar_is_exactly_white_in_every_view(views: ViewSet) -> None:
    for block in blocks(views, covariance_of(views, "polar")):
        torch.testing.assert_close(block, torch.eye(block.shape[0], dtype=F64), rtol=0, atol=1e-12)


def test_polar_repairs_means_and_projected_does_not() -> None:
    """n-to-1: variance 1 against sum w^2, both without any fresh noise."""
    views = mean_views([1, 2, 5, 10])
    assert views.disjoint_rows
    shared, own = responses(views, "polar")
    torch.testing.assert_close(shared.T @ shared, torch.eye(4, dtype=F64), rtol=0, atol=1e-12)
    assert not own.any()
    squares = dense(views.forward).square().sum(1)
    torch.testing.assert_close(covariance_of(views, "projected"), torch.diag(squares), rtol=0, atol=1e-12)


def test_projected_duplicates_are_copies_and_polar_shares_a_root() -> None:
    """1-to-4: projected correlates the four copies fully; polar gives each 1/2 of z (1/sqrt 4) and is white."""
    views = make_views(torch.eye(3).repeat_interleave(4, 0), (3,), 1, 3, 4)
    shared, own = responses(views, "projected")
    torch.testing.assert_close(shared.T @ shared, torch.kron(torch.eye(3), torch.ones(4, 4)).to(F64))
    assert not own.any()
    shared, _ = responses(views, "polar")
    torch.testing.assert_close(shared, 0.5 * torch.eye(3, dtype=F64).repeat_interleave(4, 1))


def test_projected_samples_interpolating_views_at_their_nearest_cell() -> None:
    """Interpolated noise would be too weak; the nearest cell has variance 1, with the view's sign."""
    views = random_views(2, negative=True)
    assert not views.disjoint_rows
    shared, _ = responses(views, "projected")
    assert torch.equal(shared.T, strongest_only(views).sign())


@pytest.mark.parametrize("mode", NOISE_MODES)
def test_background_gets_white_noise_of_its_own_in_every_mode(mode: str) -> None:
    views = random_views(3, background=0.4, interpolating=False)
    background = ~views.covered.flatten()
    assert background.any()
    shared, own = responses(views, mode)
    assert not shared[:, background].any()
    assert torch.equal(own[:, background], torch.eye(views.forward.rows, dtype=F64)[:, background])


def test_independent_is_the_fresh_draw() -> None:
    views = random_views(0)
    fresh = draw(3, 1, 3, 4)
    assert view_noise(views, "independent", draw(1, 1, 4, 5), lambda: fresh) is fresh


@pytest.mark.parametrize("mode", ["polar", "projected"])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_one_to_one_views_show_z_bit_for_bit_and_draw_nothing(mode: str, dtype: torch.dtype) -> None:
    views = permuted_views(1, 3, 3, 4)
    z = draw(2, 2, 3, 4).to(dtype)

    def never() -> Tensor:
        raise AssertionError("fresh noise was drawn")

    assert torch.equal(view_noise(views, mode, z, never), views.project(z))
    negated = make_views(-torch.eye(12), (3, 4), 1, 3, 4)
    assert torch.equal(view_noise(negated, mode, z, never), -z)


def test_views_of_the_same_cells_share_their_polar_noise() -> None:
    """Correlation of a pixel pair across views: 1 for one-to-one views, 1/h where h pixels of a view share a cell."""
    views = make_views(torch.eye(3).repeat_interleave(4, 0).repeat(2, 1), (3,), 2, 3, 4)
    covariance = covariance_of(views, "polar")
    cross = covariance[:12, 12:]
    torch.testing.assert_close(cross, torch.kron(torch.eye(3), torch.full((4, 4), 0.25)).to(F64))


@law
@given(view_sets)
def test_nearest_part_keeps_the_strongest_entry(views: ViewSet) -> None:
    nearest = nearest_part(views)
    assert torch.equal(dense(nearest), strongest_only(views))
    assert int(nearest.row_counts().max()) <= 1


def test_nearest_part_of_a_selection_is_itself() -> None:
    views = random_views(0, interpolating=False)
    assert nearest_part(views) is views.forward


@law
@given(view_sets)
def test_disjoint_rows_means_a_diagonal_gram_matrix(views: ViewSet) -> None:
    size = views.height * views.width
    matrix = (dense(views.forward) != 0).to(F64)
    grams = [matrix[n * size : (n + 1) * size] for n in range(views.count)]
    diagonal = all(bool(((m @ m.T) - torch.diag((m @ m.T).diagonal()) == 0).all()) for m in grams)
    assert views.disjoint_rows == diagonal


def test_the_step_sampler_hands_on_its_interval_and_asks_for_own_noise_only_where_needed() -> None:
    asked: list[tuple[str, float, float]] = []

    def canonical(sigma: Tensor, following: Tensor) -> Tensor:
        asked.append(("canonical", float(sigma), float(following)))
        return draw(1, 2, 4, 5)

    def own(sigma: Tensor, following: Tensor) -> Tensor:
        asked.append(("own", float(sigma), float(following)))
        return draw(3, 2, 3, 4, seed=1)

    interval = torch.tensor(2.0), torch.tensor(1.0)
    copies = random_views(0, interpolating=False)
    noise = canonical_noise_sampler(copies, canonical, own)(*interval)
    assert torch.equal(noise, polar_noise(copies, draw(1, 2, 4, 5), lambda: draw(3, 2, 3, 4, seed=1)))
    assert set(asked) == {("canonical", 2.0, 1.0), ("own", 2.0, 1.0)}
    asked.clear()
    permutations = permuted_views(0, 3, 4, 5)
    canonical_noise_sampler(permutations, canonical, own)(*interval)
    assert asked == [("canonical", 2.0, 1.0)]


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^noise 'pink' is unknown; use one of polar, projected, independent$"):
        view_noise(random_views(0), "pink", draw(1, 1, 4, 5), lambda: draw(3, 1, 3, 4))  # pyright: ignore[reportArgumentType]
