"""Composited views (splats): part of a pixel is the canonical signal, the rest its own. Against dense matrices."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.twins import F64, dense, draw, generator, make_views
from syncpack.sync_core.aggregate import Aggregator, mean_map
from syncpack.sync_core.noise import owned_part, polar_noise, view_noise
from syncpack.sync_core.process_steps import SyncMaps
from syncpack.sync_core.synchronizer import Synchronizer, SyncPlan
from syncpack.sync_core.variance import VarianceCorrection
from syncpack.sync_core.views import Composite, ViewSet
from torch import Tensor

law = settings(deadline=None, max_examples=20)


def composites(
    seed: int, behind: bool = False, count: int = 3, height: int = 3, width: int = 4, cells: int = 17
) -> ViewSet:
    """Rows of a few cells that sum to alpha; a fifth of the pixels see nothing, some are all signal. behind: what
    shines through is read at other pixels."""
    rng = generator(seed)
    pixels = count * height * width
    matrix = torch.rand(pixels, cells, generator=rng, dtype=F64)
    matrix *= torch.rand(pixels, cells, generator=rng) < 0.25
    alpha = torch.rand(pixels, generator=rng, dtype=F64).mul(1.4).clamp(max=1)
    alpha *= torch.rand(pixels, generator=rng) < 0.8
    alpha *= matrix.sum(1) > 0
    matrix *= (alpha / matrix.sum(1).clamp_min(1e-9))[:, None]
    weights = 0.2 + torch.rand(pixels, generator=rng, dtype=F64)
    views = make_views(matrix, (1, cells), count, height, width, weights)
    if not behind:
        return replace(views, composite=Composite(alpha))
    inside = torch.randint(0, height * width, (count, height * width), generator=rng)
    taken = (inside + torch.arange(count)[:, None] * height * width).reshape(-1)
    # (background is its own)
    taken = torch.where(alpha == 0, torch.arange(pixels), taken)
    return replace(views, composite=Composite(alpha, taken))


def parts(views: ViewSet, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """(u, (1 - alpha) b) of pixels [N*P, C]."""
    assert views.composite is not None
    alpha = views.composite.alpha[:, None]
    b = pixels if views.composite.behind is None else pixels[views.composite.behind]
    return pixels + (1 - alpha) / alpha.clamp(min=0.25) * (pixels - b), (1 - alpha) * b


def flat(views: Tensor) -> Tensor:
    return views.reshape(-1)


sets = st.builds(composites, seed=st.integers(0, 999), behind=st.booleans())


@law
@given(sets)
def test_the_background_is_composed_once(views: ViewSet) -> None:
    """F v = f(A v) + (1 - alpha) b, wherever the engine synchronises."""
    v = draw(views.count, 1, views.height, views.width)
    front, back = parts(views, flat(v)[:, None])
    expected = (dense(views.forward) @ (dense(mean_map(views)) @ front) + back)[:, 0]
    synced, _ = Synchronizer(SyncPlan(), views).sync(v)
    torch.testing.assert_close(flat(synced), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(SyncMaps(Aggregator(views)).sync(v), synced, rtol=1e-12, atol=1e-12)


@law
@given(sets)
def test_views_of_one_value_come_back(views: ViewSet) -> None:
    v = torch.full((views.count, 1, views.height, views.width), 3.5, dtype=F64)
    for method in ("mean", "least_squares"):
        synced, _ = Synchronizer(SyncPlan(aggregation=method), views).sync(v)
        torch.testing.assert_close(synced, v, rtol=1e-6, atol=1e-6)


@law
@given(sets)
def test_the_mean_is_the_normalised_back_projection(views: ViewSet) -> None:
    v = draw(views.count, 2, views.height, views.width)
    weighted = dense(views.forward).T * views.weights
    total = weighted.sum(1)
    pixels, _ = parts(views, v.movedim(1, 0).reshape(2, -1).T)
    expected = torch.where(total[:, None] > 0, weighted @ pixels / total.clamp_min(1e-12)[:, None], 0.0)
    found = Aggregator(views)(v)
    assert tuple(found.shape) == (1, 2, 1, 17)
    torch.testing.assert_close(found[0, :, 0].T, expected, rtol=1e-10, atol=1e-10)


@law
@given(sets)
def test_least_squares_takes_the_background_out(views: ViewSet) -> None:
    """(F^T W F + floor) z = F^T W (alpha u) + floor mean, floor = 0.1 of the mean diagonal."""
    assert views.composite is not None
    v = draw(views.count, 1, views.height, views.width)
    forward, weights = dense(views.forward), views.weights
    normal = forward.T @ (weights[:, None] * forward)
    floor = 0.1 * normal.diagonal().mean()
    mean = Aggregator(views)(v).reshape(-1)
    front, _ = parts(views, flat(v)[:, None])
    target = forward.T @ (weights * views.composite.alpha * front[:, 0]) + floor * mean
    expected = torch.linalg.solve(normal + floor * torch.eye(views.cells, dtype=F64), target)
    found = Aggregator(views, "least_squares", iterations=100, tolerance=1e-12)(v)
    torch.testing.assert_close(found.reshape(-1), expected, rtol=1e-8, atol=1e-8)


def covariance(views: ViewSet, mode: str) -> tuple[Tensor, Tensor]:
    """Covariance of all view pixels, read from unit draws: (all of it, the part through the canonical signal)."""
    cells, pixels = views.cells, views.forward.rows
    batch = cells + pixels
    canonical = torch.eye(batch, dtype=F64)[:, :cells].reshape(batch, 1, *views.canonical)
    fresh = torch.eye(batch, dtype=F64)[:, cells:].reshape(batch * views.count, 1, views.height, views.width)
    noise = view_noise(views, mode, canonical, lambda: fresh).reshape(batch, pixels)
    return noise.T @ noise, noise[:cells].T @ noise[:cells]


@law
@given(sets)
def test_polar_noise_is_white_in_every_view_and_shared(views: ViewSet) -> None:
    whole, shared = covariance(views, "polar")
    size = views.height * views.width
    for n in range(views.count):
        block = whole[n * size : (n + 1) * size, n * size : (n + 1) * size]
        torch.testing.assert_close(block, torch.eye(size, dtype=F64), rtol=0, atol=1e-12)
    assert views.composite is not None
    # A pixel shares as much of its power as it shows of the signal, when some cell is its own.
    owned = owned_part(views).row_counts() > 0
    torch.testing.assert_close(shared.diagonal(), torch.where(owned, views.composite.alpha, 0.0), rtol=0, atol=1e-12)


@law
@given(sets)
def test_each_cell_belongs_to_the_pixel_that_shows_most_of_it(views: ViewSet) -> None:
    matrix, owned = dense(views.forward), dense(owned_part(views))
    size = views.height * views.width
    for n in range(views.count):
        mine, all_of_it = owned[n * size : (n + 1) * size], matrix[n * size : (n + 1) * size]
        seen = all_of_it.sum(0) > 0
        assert torch.equal((mine > 0).sum(0), seen.long())
        assert torch.equal(mine.argmax(0)[seen], all_of_it.argmax(0)[seen])
        torch.testing.assert_close(mine.amax(0), all_of_it.sum(0).sqrt(), rtol=1e-12, atol=1e-12)


def test_projected_noise_keeps_its_variance() -> None:
    whole, _ = covariance(composites(4), "projected")
    torch.testing.assert_close(whole.diagonal(), torch.ones(36, dtype=F64), rtol=0, atol=1e-12)


def test_two_views_that_see_the_same_share_their_noise() -> None:
    """The same camera twice, all signal: the same noise in both."""
    one = composites(3, count=1, cells=40)
    assert one.composite is not None
    twice = torch.cat([dense(one.forward)] * 2)
    twice /= twice.sum(1, keepdim=True).clamp_min(1e-12)
    views = make_views(twice, (1, 40), 2, 3, 4)
    views = replace(views, composite=Composite((twice.sum(1) > 0).to(F64)))
    z, fresh = draw(1, 1, 1, 40), draw(2, 1, 3, 4, seed=1)
    first, second = polar_noise(views, z, lambda: fresh)
    owned = owned_part(views).row_counts().reshape(2, 1, 3, 4)[0] > 0
    assert int(owned.sum()) > 5
    assert torch.equal(first[owned], second[owned])
    assert not torch.equal(first[~owned], second[~owned])


def test_variance_correction_leaves_views_that_agree() -> None:
    views = composites(5)
    agreed = Synchronizer(SyncPlan(), views).views.project(draw(1, 1, 1, 17))
    v = agreed + views.background_of(torch.full_like(agreed, 0.5))
    cells = Aggregator(views)(v)
    assert bool(torch.isfinite(VarianceCorrection(Aggregator(views))(v, cells)).all())
    constant = torch.full_like(v, 2.0)
    mean = Aggregator(views)(constant)
    torch.testing.assert_close(VarianceCorrection(Aggregator(views))(constant, mean), mean)


def test_a_flat_background_leaves_no_trace() -> None:
    """Views of one signal, each over its own colour, where some pixel shows that colour alone: signal and background
    come back from the average of least squares."""
    plain = composites(7, cells=5)
    assert plain.composite is not None
    alpha = plain.composite.alpha
    size = plain.height * plain.width
    clear = [int((alpha[n * size : (n + 1) * size] == 0).nonzero()[0]) + n * size for n in range(plain.count)]
    behind = torch.tensor(clear).repeat_interleave(size)
    # (amplified in full everywhere: no pixel shows less than a quarter)
    strong = torch.where(alpha > 0, alpha.clamp(min=0.25) / alpha.clamp(min=1e-9), 0.0)
    matrix = dense(plain.forward) * strong[:, None]
    views = make_views(matrix, (1, 5), plain.count, plain.height, plain.width)
    views = replace(views, composite=Composite(matrix.sum(1), behind, ridge=1e-9))
    z = draw(1, 1, 1, 5)
    colours = draw(plain.count, 1, 1, 1, seed=2).expand(-1, -1, plain.height, plain.width)
    v = views.project(z) + views.background_of(colours)
    mean = Aggregator(views, "least_squares", iterations=60, tolerance=1e-12)
    torch.testing.assert_close(mean(v), z, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(views.project(mean(v)) + views.background_of(v), v, rtol=1e-6, atol=1e-6)


def test_alpha_for_other_pixels_is_refused() -> None:
    views = composites(0)
    with pytest.raises(ValueError, match="7 values of alpha for 36 view pixels"):
        replace(views, composite=Composite(torch.ones(7)))
    with pytest.raises(ValueError, match="3 background pixels for 36 view pixels"):
        replace(views, composite=Composite(torch.ones(36), torch.arange(3)))


def test_only_pixels_that_are_all_signal_have_no_background() -> None:
    views = composites(0)
    assert not views.fully_covered
    opaque = make_views(torch.eye(12), (1, 12), 1, 3, 4)
    assert replace(opaque, composite=Composite(torch.ones(12))).fully_covered
    assert not replace(opaque, composite=Composite(torch.full((12,), 0.9))).fully_covered
