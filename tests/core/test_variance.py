"""Variance correction on priors whose answers are known: what averaging takes comes back, and nothing else changes."""

import itertools

import pytest
import torch
from helpers.k_runs import CLEAN, SD, same_views, ve
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.gaussian import GaussianPrior
from oracles.mixture import GaussianMixturePrior
from oracles.noise_audit import variance_ratio
from oracles.parameterization import Level, ddim_levels
from oracles.twins import F64, dense, draw, make_views, mean_matrix, random_views
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.schedule import Schedule, Trajectory
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan
from syncpack.sync_core.variance import VarianceCorrection
from syncpack.sync_core.views import ViewSet
from torch import Tensor

STD = 0.5
FINE = ve(ddim_levels(200, final_alpha_bar=1.0))
SIDE = 32
view_sets = st.builds(
    random_views,
    st.integers(0, 1000),
    count=st.integers(1, 4),
    interpolating=st.booleans(),
    negative=st.booleans(),
    background=st.sampled_from([0.0, 0.4]),
)


def whole_views(count: int, weights: Tensor | None = None, side: int = SIDE) -> ViewSet:
    """Views that all show the whole square picture."""
    flat = same_views(count, side * side, weights)
    return ViewSet(flat.forward, (side, side), side, side, flat.weights)


def sample(views: ViewSet, denoise, start: Tensor, sigmas: list[float], correction: float) -> Tensor:
    """A DDIM run of process 2 and the canonical picture at its end."""
    sync = Synchronizer(SyncPlan(variance_correction=correction), views)
    trajectory, x = Trajectory.of(sigmas), start * sigmas[0]
    for sigma, following in itertools.pairwise(sigmas):
        clean, _, _ = sync.step(lambda v, s=sigma: denoise(v, s), sigma, trajectory, NO_STATE, x)
        assert clean is not None
        x = x + (x - clean) / sigma * (following - sigma)
    return Aggregator(views)(x)


@settings(max_examples=30, deadline=None)
@given(view_sets)
def test_gain_is_the_variance_left_of_independent_views(views: ViewSet) -> None:
    """Every view disagrees as one: its pixels of a cell move together. Slow twin: w_i from the mean's own matrix."""
    mean = mean_matrix(views).abs().reshape(views.cells, views.count, -1).sum(2)
    gain = VarianceCorrection(Aggregator(views)).gain
    torch.testing.assert_close(gain, mean.square().sum(1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "weights", [[1.0] * 2, [1.0] * 4, [1.0] * 8, [1, 0.5, 0.25, 0.125], [1, 0.1, 0.1, 0.1]], ids=str
)
def test_independent_noise_keeps_the_variance_of_the_prior(weights: list[float]) -> None:
    """Views of the whole picture from noise of their own. Without: sum w^2 of what a run from shared noise has (.897 of
    the prior's variance after 50 steps). With: at least that, and not more than the prior's; the start's own variance
    is known to 3 %."""
    share = torch.tensor(weights, dtype=F64)
    left = float((share / share.sum()).square().sum())
    views, prior = whole_views(len(weights), share), GaussianPrior.diagonal(0.0, STD)
    start = draw(views.count, 2, SIDE, SIDE, seed=1)

    def variance(start: Tensor, correction: float) -> float:
        end = sample(views, lambda x, s: prior.denoise(x, Level.ve(s)), start, ve(CLEAN), correction)
        return float(end.square().mean()) / STD**2

    shared = variance(start[:1].repeat(views.count, 1, 1, 1), 0.0)
    assert shared == pytest.approx(0.897, rel=0.06)
    assert variance(start, 0.0) == pytest.approx(left * 0.897, rel=0.08)
    assert 0.9 < variance(start, 1.0) < 1.04


@pytest.mark.parametrize(("count", "expected"), [(2, 1.0), (4, 1.06), (8, 1.11)])
def test_what_measuring_locally_adds(count: int, expected: float) -> None:
    """Over the theory: the walk of one view at sqrt(1 / count) times the noise. The figures are in variance.py."""
    views, prior, levels = whole_views(count), GaussianPrior.diagonal(0.0, STD), ve(CLEAN)
    theory = levels[0] ** 2 / count
    for high, low in itertools.pairwise(levels):
        ratio = low / high
        theory *= (ratio + (1 - ratio) * STD**2 / (STD**2 + high**2 / count)) ** 2
    found = []
    for seed in range(4):
        start = draw(count, 2, SIDE, SIDE, seed=seed)
        common = float(start.mean(0).square().mean()) * count  # (what this draw has of variance 1)
        end = sample(views, lambda x, s: prior.denoise(x, Level.ve(s)), start, levels, 1.0)
        found.append(variance_ratio(end, theory * common, mean=0.0))
    assert sum(found) / len(found) == pytest.approx(expected, abs=0.05)


def test_k10_with_many_steps_reaches_the_prior() -> None:
    views, prior = whole_views(4), GaussianPrior.diagonal(0.0, STD)
    end = sample(views, lambda x, s: prior.denoise(x, Level.ve(s)), draw(4, 2, SIDE, SIDE, seed=1), FINE, 1.0)
    assert float(end.square().mean()) / STD**2 == pytest.approx(1.0, rel=0.03)


def ar1_picture(side: int, correlation: float) -> GaussianPrior:
    line = GaussianPrior.ar1(side, correlation).covariance()
    values, vectors = torch.linalg.eigh(line)
    outer = torch.outer(values.clamp_min(0), values.clamp_min(0)).flatten() * STD**2
    return GaussianPrior.from_eigen(0.0, torch.kron(vectors, vectors), outer, (side, side))


def test_it_returns_what_was_lost_at_every_scale() -> None:
    """A smooth prior (AR(1) .9 in both directions), four views: total variance, mean of 8 x 8 cells, and differences of
    neighbours. 50 steps lose some of it by themselves, so the measure is a run from shared noise."""
    side, count = 24, 4
    prior, views = ar1_picture(side, 0.9), whole_views(count, side=side)
    own = draw(6 * count, 2, side, side, seed=2)
    shared = draw(6 * count, 2, side, side, seed=3)[::count].repeat_interleave(count, 0)

    def figures(start: Tensor, correction: float) -> list[float]:
        z = sample(views, lambda x, s: prior.denoise(x, Level.ve(s)), start, ve(CLEAN), correction)
        coarse = torch.nn.functional.avg_pool2d(z, 8)
        return [float(v.square().mean()) for v in (z, coarse, z[..., 1:] - z[..., :-1])]

    target, lost, kept = figures(shared, 0.0), figures(own, 0.0), figures(own, 1.0)
    assert all(0.15 < a / b < 0.35 for a, b in zip(lost, target, strict=True))
    assert all(0.8 < a / b < 1.45 for a, b in zip(kept, target, strict=True))


def test_two_modes_stay_two_modes() -> None:
    """A prior of +-1, std .2, total variance 1.04: .60 by symmetry breaking alone, and with the correction all."""
    views = whole_views(4, side=32)
    prior = GaussianMixturePrior.make(torch.tensor([[-1.0], [1.0]]), 0.2)
    start = draw(4, 3, 32, 32, seed=1)

    def denoise(x: Tensor, sigma: float) -> Tensor:
        return prior.denoise(x.reshape(-1, 1), Level.ve(sigma)).reshape(x.shape)

    plain, corrected = (float(sample(views, denoise, start, ve(CLEAN), c).square().mean()) for c in (0.0, 1.0))
    assert plain == pytest.approx(0.604, rel=0.06)
    assert corrected == pytest.approx(1.04, rel=0.06)


def test_half_the_strength_and_finished_views_get_the_contrast_of_one_view() -> None:
    """Four pictures that share a part of variance 1 and disagree with variance 3: 4 in each, 1.75 in their average."""
    views = whole_views(4)
    shown = draw(1, 3, SIDE, SIDE, seed=1) + 3**0.5 * draw(4, 3, SIDE, SIDE, seed=2)
    aggregator = Aggregator(views)
    mean = aggregator(shown)
    assert float(mean.var()) == pytest.approx(1.75, rel=0.05)
    half = VarianceCorrection(aggregator, 0.5)(shown, mean)
    assert float(half.var()) == pytest.approx(4.0, rel=0.06)
    finished = VarianceCorrection(aggregator, 1.0)(shown, mean, finished=True)
    assert torch.equal(half, finished)
    # The full factor is that of what all four know together: (1 + 3) / (1 + 3/4), squared in the variance.
    assert float(VarianceCorrection(aggregator)(shown, mean).var()) == pytest.approx(1.75 * (4 / 1.75) ** 2, rel=0.06)


def overlapping(taper: str = "triangle") -> ViewSet:
    """Two windows of 16 x 16 that share a third of 24 columns."""
    return Scene(Plane(24, 16), Windows(16, 16, 8, 16, taper)).views(1)


def test_cells_of_a_single_view_and_cells_that_agree_keep_every_bit() -> None:
    views = overlapping()
    aggregator = Aggregator(views)
    shown = draw(2 * views.count, 3, 16, 16).float()
    # All views show the same in rows 4 to 8.
    agreed = views.project(draw(2, 3, 16, 24, seed=4).float())
    shown[..., 4:9, :] = agreed[..., 4:9, :]
    mean = aggregator(shown)
    result = VarianceCorrection(aggregator)(shown, mean)
    alone = views.views_per_cell.reshape(16, 24) == 1
    assert bool(alone.any()) and not bool(alone.all())
    assert torch.equal(result[..., alone], mean[..., alone])
    assert torch.equal(result[..., 4:9, :], mean[..., 4:9, :])
    changed = ~alone
    changed[4:9] = False
    assert float((result - mean)[..., changed].abs().mean()) > 0.05


@settings(max_examples=30, deadline=None)
@given(view_sets, st.sampled_from(["mean", "least_squares"]))
def test_it_never_goes_beyond_the_number_of_views(views: ViewSet, method) -> None:
    """The change of a cell is at most 1/g - 1 times what can deviate there, for wild disagreement and any views; holes
    and agreeing views stay."""
    aggregator = Aggregator(views, method)
    shown = 100 * draw(2 * views.count, 2, views.height, views.width)
    mean = aggregator(shown)
    correction = VarianceCorrection(aggregator)
    result = correction(shown, mean)
    assert torch.isfinite(result).all()
    holes = ~aggregator.seen.reshape(views.canonical)
    assert torch.equal(result[..., holes], mean[..., holes])
    bound = 1 / correction.gain.clamp_min(1e-9).reshape(views.canonical) - 1
    reach = 2 * views.project(mean).abs().max() + mean.abs().max()
    assert bool(((result - mean).abs() <= 3 * bound * reach + 1e-9)[..., ~holes].all())
    same = views.project(draw(2, 2, *views.canonical, seed=3))
    if method == "mean" and not bool((mean_matrix(views) @ dense(views.forward) - 1).abs().diagonal().max() > 1e-9):
        torch.testing.assert_close(correction(same, aggregator(same)), aggregator(same), rtol=1e-9, atol=1e-9)


def test_views_that_show_the_negative_are_corrected_alike() -> None:
    """negate: the canonical picture cannot tell whether a view shows it or its negative."""
    eye = torch.eye(64, dtype=F64)
    plain = make_views(torch.cat([eye, eye, eye]), (8, 8), 3, 8, 8)
    negated = make_views(torch.cat([eye, -eye, eye]), (8, 8), 3, 8, 8)
    shown = draw(3, 2, 8, 8) + 0.5
    sign = torch.tensor([1.0, -1.0, 1.0], dtype=F64).reshape(3, 1, 1, 1)
    results = []
    for views, batch in ((plain, shown), (negated, shown * sign)):
        aggregator = Aggregator(views)
        results.append(VarianceCorrection(aggregator)(batch, aggregator(batch)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_the_step_stays_consistent_and_off_changes_no_bit(strength: float) -> None:
    views, x = overlapping(), draw(2 * overlapping().count, 3, 16, 16).float()
    trajectory = Trajectory.of([4.0, 2.0, 0.0])

    def step(**plan) -> Tensor:
        result = Synchronizer(SyncPlan(**plan), views).step(torch.tanh, 4.0, trajectory, NO_STATE, x)[0]
        assert result is not None
        return result

    plain, corrected = step(), step(variance_correction=strength)
    assert float((corrected - plain).abs().max()) > 0.05
    again, _ = Synchronizer(SyncPlan(), views).sync(corrected)
    torch.testing.assert_close(again, corrected, rtol=0, atol=1e-6)
    assert torch.equal(plain, step(variance_correction=0.0))
    half = step(variance_correction=strength, schedule=Schedule(strength=0.5))
    torch.testing.assert_close(half, torch.tanh(x) + 0.5 * (corrected - torch.tanh(x)))
    # A least-squares run starts its next solution from the average itself.
    sync = Synchronizer(SyncPlan(variance_correction=strength), views)
    assert torch.equal(sync.sync(x)[1].canonical, Aggregator(views)(x))


def test_one_view_of_everything_is_the_model_bit_for_bit() -> None:
    views = Scene(Plane(64, 48), Windows(64, 48, 64, 48)).views(8)
    sync = Synchronizer(SyncPlan(variance_correction=1.0), views)
    x = draw(3, 4, 6, 8).float()
    result = sync.step(torch.tanh, 4.0, Trajectory.of([4.0, 0.0]), NO_STATE, x)[0]
    assert torch.equal(result, torch.tanh(x))


def test_shared_noise_is_left_alone() -> None:
    """Views that share their noise under a local prior agree: nothing to correct (SD's own levels, four views)."""
    views, prior = whole_views(4, side=16), GaussianPrior.diagonal(0.3, STD)
    start = draw(1, 3, 16, 16).repeat(4, 1, 1, 1)
    ends = [sample(views, lambda x, s: prior.denoise(x, Level.ve(s)), start, ve(SD), c) for c in (0.0, 1.0)]
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"variance_correction": 1.5}, r"variance_correction 1.5: use a value from 0 \(off\) to 1"),
        ({"variance_correction": -0.1}, r"variance_correction -0.1: use a value from 0 \(off\) to 1"),
        (
            {"variance_correction": 0.5, "process": 3},
            "variance_correction 0.5 restores the averaged clean estimate, which process 3 does not make; use 0, or "
            "process 2",
        ),
    ],
)
def test_bad_values_are_one_clear_line(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        SyncPlan(**values)
    if "process" not in values:
        with pytest.raises(ValueError, match=f"^{message}$"):
            VarianceCorrection(Aggregator(overlapping()), values["variance_correction"])
