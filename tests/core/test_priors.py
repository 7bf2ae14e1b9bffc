"""The analytic denoisers against independent routes to the same posterior mean."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.gaussian import GaussianPrior
from oracles.mixture import GaussianMixturePrior
from oracles.parameterization import Level
from torch import Tensor

law = settings(deadline=None, max_examples=40)

LEVELS = [
    Level.ve(0.03),
    Level.ve(1.3),
    Level.ve(14.6),
    Level.vp(0.0047),
    Level.vp(0.6),
    Level.flow(0.1),
    Level.flow(0.9),
]
levels = pytest.mark.parametrize("level", LEVELS, ids=lambda v: f"a{v.alpha:.3g}_s{v.sigma:.3g}")


def draw(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gaussian_log_density(x: Tensor, mean: Tensor, covariance: Tensor, level: Level) -> Tensor:
    """log N(x; alpha mean, alpha^2 S + sigma^2 I), dense, by torch's own distribution; x [N, D]."""
    noisy = level.alpha**2 * covariance + level.sigma**2 * torch.eye(covariance.shape[0], dtype=torch.float64)
    return torch.distributions.MultivariateNormal(level.alpha * mean, noisy).log_prob(x)


def mixture_log_density(x: Tensor, prior: GaussianMixturePrior, level: Level) -> Tensor:
    parts = []
    for mean, std, weight in zip(prior.means, prior.stds, prior.weights, strict=True):
        total = math.sqrt(level.alpha**2 * float(std) ** 2 + level.sigma**2)
        one = torch.distributions.Normal(level.alpha * mean, total).log_prob(x).flatten(1).sum(1)
        parts.append(one + weight.log())
    return torch.logsumexp(torch.stack(parts), dim=0)


def score_by_autograd(log_density, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(log_density(x).sum(), x)
    return gradient


def score_by_differences(log_density, x: Tensor, step: float) -> Tensor:
    """Fourth-order central differences, one element at a time; x [1, ...]."""
    result = torch.zeros_like(x)
    for k in range(x.numel()):
        shift = torch.zeros_like(x).view(-1)
        shift[k] = step
        shift = shift.view(x.shape)
        near = log_density(x + shift) - log_density(x - shift)
        far = log_density(x + 2 * shift) - log_density(x - 2 * shift)
        result.view(-1)[k] = (8 * near - far) / (12 * step)
    return result


def random_covariance(size: int, seed: int = 3) -> Tensor:
    root = draw((size, size), seed) / math.sqrt(size)
    return root @ root.T + 0.05 * torch.eye(size, dtype=torch.float64)


def mixture(seed: int = 5) -> GaussianMixturePrior:
    return GaussianMixturePrior.make(
        draw((4, 2, 3), seed), torch.tensor([0.1, 0.4, 0.0, 1.2]), torch.tensor([1.0, 2.0, 0.5, 3.0])
    )


def tweedie_of(score: Tensor, x: Tensor, level: Level) -> Tensor:
    return (x + level.sigma**2 * score) / level.alpha


@levels
def test_diagonal_gaussian_is_tweedie_of_the_numeric_score(level: Level) -> None:
    mean, std = draw((2, 3), 1), draw((2, 3), 2).abs()
    prior = GaussianPrior.diagonal(mean, std)
    x = level.alpha * prior.sample((5, 2, 3), torch.Generator().manual_seed(1)) + level.sigma * draw((5, 2, 3))

    def log_density(v: Tensor) -> Tensor:
        return gaussian_log_density(v.flatten(1), mean.flatten(), torch.diag(std.flatten() ** 2), level)

    score = score_by_autograd(log_density, x)
    torch.testing.assert_close(prior.score(x, level), score, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(prior.denoise(x, level), tweedie_of(score, x, level), rtol=0, atol=1e-9)


@levels
def test_full_gaussian_is_tweedie_of_the_numeric_score(level: Level) -> None:
    covariance, mean = random_covariance(12), draw((3, 4), 4)
    prior = GaussianPrior.full(mean, covariance, block=(3, 4))
    x = level.alpha * prior.sample((5, 3, 4), torch.Generator().manual_seed(1)) + level.sigma * draw((5, 3, 4))

    def log_density(v: Tensor) -> Tensor:
        return gaussian_log_density(v.flatten(1), mean.flatten(), covariance, level)

    score = score_by_autograd(log_density, x)
    torch.testing.assert_close(prior.score(x, level), score, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(prior.denoise(x, level), tweedie_of(score, x, level), rtol=0, atol=1e-9)


@levels
def test_mixture_is_tweedie_of_the_numeric_score(level: Level) -> None:
    prior = mixture()
    x = level.alpha * prior.sample(6, torch.Generator().manual_seed(1)) + level.sigma * draw((6, 2, 3))
    score = score_by_autograd(lambda v: mixture_log_density(v, prior, level), x)
    torch.testing.assert_close(prior.score(x, level), score, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(prior.denoise(x, level), tweedie_of(score, x, level), rtol=0, atol=1e-9)


def test_scores_by_finite_differences() -> None:
    """No automatic differentiation either: densities only."""
    level = Level.vp(0.6)
    covariance = random_covariance(4)
    gaussian, mixed = GaussianPrior.full(0.0, covariance), mixture()
    x = draw((1, 4), 8)
    found = score_by_differences(lambda v: gaussian_log_density(v, torch.zeros(4).double(), covariance, level), x, 1e-3)
    torch.testing.assert_close(gaussian.score(x, level), found, rtol=0, atol=1e-9)
    x = draw((1, 2, 3), 8)
    found = score_by_differences(lambda v: mixture_log_density(v, mixed, level), x, 1e-3)
    torch.testing.assert_close(mixed.score(x, level), found, rtol=0, atol=1e-9)
    torch.testing.assert_close(mixed.denoise(x, level), tweedie_of(found, x, level), rtol=0, atol=1e-9)


def test_posterior_mean_by_quadrature() -> None:
    """E[x0 | x] from its definition, an integral over x0: no score and no Tweedie."""
    level, grid = Level.vp(0.5), torch.linspace(-8, 8, 8001, dtype=torch.float64)
    mixed = GaussianMixturePrior.make(torch.tensor([[-1.0], [1.0], [0.3]]), torch.tensor([0.2, 0.2, 0.7]))
    gaussian = GaussianPrior.diagonal(*torch.tensor([0.4, 0.7]).double())
    density = sum(
        w * torch.exp(torch.distributions.Normal(m[0], s).log_prob(grid))
        for m, s, w in zip(mixed.means, mixed.stds, mixed.weights, strict=True)
    )
    for prior, p0 in (
        (mixed, density),
        (gaussian, torch.exp(torch.distributions.Normal(*torch.tensor([0.4, 0.7]).double()).log_prob(grid))),
    ):
        for value in (-2.0, -0.1, 0.7, 3.0):
            weight = p0 * torch.exp(-0.5 * ((value - level.alpha * grid) / level.sigma) ** 2)
            expected = float((weight * grid).sum() / weight.sum())
            x = torch.tensor([[value]], dtype=torch.float64)
            assert float(prior.denoise(x, level)) == pytest.approx(expected, abs=1e-9)


def test_ar1_covariance_and_its_independent_rows() -> None:
    prior = GaussianPrior.ar1(24, 0.97, std=0.5)
    covariance = prior.covariance()
    for i in range(24):
        for j in range(24):
            assert float(covariance[i, j]) == pytest.approx(0.25 * 0.97 ** abs(i - j), abs=1e-12)
    # Axes before the last are independent copies: a picture is denoised row by row.
    x, level = draw((2, 3, 5, 24)), Level.flow(0.4)
    together = prior.denoise(x, level)
    for row in range(5):
        torch.testing.assert_close(together[:, 1, row], prior.denoise(x[:, 1, row], level), rtol=0, atol=1e-12)


@law
@given(st.floats(0.01, 0.99), st.floats(-0.95, 0.95))
def test_full_and_diagonal_agree_where_both_apply(abar: float, mean: float) -> None:
    std = torch.tensor([0.0, 0.3, 1.0, 2.5], dtype=torch.float64)
    x, level = draw((3, 4)), Level.vp(abar)
    diagonal = GaussianPrior.diagonal(mean, std)
    full = GaussianPrior.full(mean, torch.diag(std**2))
    torch.testing.assert_close(diagonal.denoise(x, level), full.denoise(x, level), rtol=0, atol=1e-11)
    assert float((diagonal.denoise(x, level)[:, 0] - mean).abs().max()) == 0.0


def test_eigenvectors_give_the_same_prior_as_their_matrix() -> None:
    covariance = random_covariance(6)
    values, vectors = torch.linalg.eigh(covariance)
    turned = GaussianPrior.from_eigen(0.2, vectors.flip(1), values.flip(0), block=(2, 3))
    x, level = draw((4, 2, 3)), Level.ve(0.8)
    torch.testing.assert_close(
        turned.denoise(x, level), GaussianPrior.full(0.2, covariance, (2, 3)).denoise(x, level), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(turned.covariance(), covariance, rtol=0, atol=1e-12)


@law
@given(st.sampled_from(LEVELS), st.floats(-2, 2))
def test_gaussian_denoiser_is_affine(level: Level, t: float) -> None:
    prior = GaussianPrior.ar1(8, 0.9, mean=0.3)
    a, b = draw((3, 8), 1), draw((3, 8), 2)
    mixed = prior.denoise((1 - t) * a + t * b, level)
    torch.testing.assert_close(
        mixed, (1 - t) * prior.denoise(a, level) + t * prior.denoise(b, level), rtol=0, atol=1e-11
    )


@law
@given(st.sampled_from(LEVELS), st.floats(-3, 3))
def test_one_component_is_a_gaussian(level: Level, shift: float) -> None:
    mean, x = draw((1, 2, 3), 1), draw((4, 2, 3)) + shift
    single = GaussianMixturePrior.make(mean, 0.6)
    plain = GaussianPrior.diagonal(mean[0], 0.6)
    torch.testing.assert_close(single.denoise(x, level), plain.denoise(x, level), rtol=0, atol=1e-11)
    torch.testing.assert_close(single.score(x, level), plain.score(x, level), rtol=1e-11, atol=1e-11)


def test_limits_of_the_noise() -> None:
    x = draw((3, 2, 3))
    gaussian, mixed = GaussianPrior.diagonal(0.3, 0.7), mixture()
    # No noise: the state is the answer. No signal: the prior's mean is.
    for prior in (gaussian, mixed):
        torch.testing.assert_close(prior.denoise(x, Level.ve(0.0)), x, rtol=0, atol=1e-14)
        torch.testing.assert_close(prior.denoise(0.5 * x, Level(0.5, 0.0)), x, rtol=0, atol=1e-14)
    assert torch.equal(gaussian.denoise(x, Level.flow(1.0)), torch.full_like(x, 0.3))
    overall = (mixed.weights[:, None, None] * mixed.means).sum(0)
    torch.testing.assert_close(mixed.denoise(x, Level.flow(1.0)), overall.expand_as(x), rtol=0, atol=1e-14)


def test_points_as_prior_pick_the_nearest_when_sharp() -> None:
    """Components without spread: a training set; far away and nearly noise-free, where exp underflows."""
    points = torch.stack([torch.zeros(64), torch.ones(64), 40 * torch.ones(64)]).double()
    prior = GaussianMixturePrior.make(points)
    for dtype in (torch.float32, torch.float64):
        x = torch.stack([points[1] + 0.01, points[2] - 1, points[0] - 500]).to(dtype)
        result = prior.denoise(x, Level.ve(1e-3))
        assert result.dtype is dtype and torch.equal(result, points[[1, 2, 0]].to(dtype))
        assert bool(torch.isfinite(prior.score(x, Level.ve(1e-3))).all())


@levels
def test_float32_follows_float64(level: Level) -> None:
    x = draw((3, 2, 3))
    for prior in (GaussianPrior.diagonal(0.2, 0.7), GaussianPrior.full(0.2, random_covariance(6), (2, 3)), mixture()):
        narrow = prior.denoise(x.float(), level)
        assert narrow.dtype is torch.float32
        torch.testing.assert_close(narrow.double(), prior.denoise(x, level), rtol=1e-5, atol=1e-5)


def test_large_float32_images_keep_their_odds() -> None:
    """Two components a hair apart on 3 x 128 x 128: the log-odds are order one, the log-densities 25000."""
    base, offset = draw((3, 128, 128), 1), 4e-3 * draw((3, 128, 128), 2)
    prior = GaussianMixturePrior.make(torch.stack([base, base + offset]), 0.5)
    x = (base + 0.4 * offset + draw((3, 128, 128), 3))[None]
    level = Level.ve(1.0)
    exact = prior.responsibilities(x, level)
    assert 0.05 < float(exact[0, 0]) < 0.95
    torch.testing.assert_close(prior.responsibilities(x.float(), level), exact, rtol=0, atol=1e-4)


def test_responsibilities_sum_to_one_and_follow_bayes() -> None:
    prior, level = mixture(), Level.vp(0.6)
    x = draw((5, 2, 3))
    share = prior.responsibilities(x, level)
    torch.testing.assert_close(share.sum(1), torch.ones(5).double(), rtol=0, atol=1e-14)
    everything = mixture_log_density(x, prior, level).exp()
    for k in range(4):
        alone = GaussianMixturePrior(prior.means[k : k + 1], prior.stds[k : k + 1], prior.weights[k : k + 1])
        torch.testing.assert_close(share[:, k], mixture_log_density(x, alone, level).exp() / everything)


def test_a_component_of_no_weight_is_not_there() -> None:
    means = draw((3, 4), 1)
    with_ghost = GaussianMixturePrior.make(means, 0.2, torch.tensor([1.0, 0.0, 1.0]))
    without = GaussianMixturePrior.make(means[[0, 2]], 0.2)
    x = draw((5, 4)) + means[1]
    torch.testing.assert_close(with_ghost.denoise(x, Level.ve(0.5)), without.denoise(x, Level.ve(0.5)))


def test_samples_follow_the_prior() -> None:
    generator = torch.Generator().manual_seed(11)
    prior = GaussianPrior.ar1(6, 0.8, std=0.5, mean=1.0)
    sample = prior.sample((40000, 6), generator)
    torch.testing.assert_close(torch.cov(sample.T), prior.covariance(), rtol=0, atol=0.01)
    torch.testing.assert_close(sample.mean(0), torch.ones(6).double(), rtol=0, atol=0.02)
    mixed = GaussianMixturePrior.make(torch.tensor([[-1.0], [1.0]]), 0.2, torch.tensor([1.0, 3.0]))
    sample = mixed.sample(40000, generator)
    assert float(sample.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(sample.var()) == pytest.approx(0.04 + 0.75, abs=0.02)
    diagonal = GaussianPrior.diagonal(torch.tensor([0.0, 5.0]), torch.tensor([1.0, 0.0]))
    sample = diagonal.sample((20000, 2), generator)
    assert float(sample[:, 0].std()) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(sample[:, 1], torch.full((20000,), 5.0).double())


@pytest.mark.parametrize(
    "bad",
    [
        lambda: GaussianPrior.diagonal(0.0, -1.0),
        lambda: GaussianPrior.full(0.0, torch.ones(2, 3)),
        lambda: GaussianPrior.full(0.0, torch.tensor([[1.0, 0.5], [0.2, 1.0]])),
        lambda: GaussianPrior.full(0.0, torch.tensor([[1.0, 2.0], [2.0, 1.0]])),
        lambda: GaussianPrior.full(0.0, torch.eye(4), block=(2, 3)),
        lambda: GaussianPrior.from_eigen(0.0, 2 * torch.eye(2), torch.ones(2)),
        lambda: GaussianPrior.from_eigen(0.0, torch.eye(2), torch.tensor([1.0, -1.0])),
        lambda: GaussianPrior.ar1(0, 0.5),
        lambda: GaussianPrior.ar1(4, 1.0),
        lambda: GaussianPrior.ar1(4, 0.5).denoise(torch.zeros(1, 5), Level.ve(1.0)),
        lambda: GaussianPrior.diagonal(0.0, 0.0).score(torch.zeros(1, 5), Level.ve(0.0)),
        lambda: GaussianMixturePrior.make(torch.zeros(0, 3)),
        lambda: GaussianMixturePrior.make(torch.zeros(3)),
        lambda: GaussianMixturePrior.make(torch.zeros(2, 3), torch.ones(3)),
        lambda: GaussianMixturePrior.make(torch.zeros(2, 3), -1.0),
        lambda: GaussianMixturePrior.make(torch.zeros(2, 3), 1.0, torch.zeros(2)),
        lambda: GaussianMixturePrior.make(torch.zeros(2, 3), 1.0).denoise(torch.zeros(1, 4), Level.ve(1.0)),
        lambda: GaussianMixturePrior.make(torch.zeros(2, 3), 0.0).score(torch.zeros(1, 3), Level.ve(0.0)),
        lambda: GaussianMixturePrior.make(torch.zeros(2, 3), 0.0).responsibilities(torch.zeros(1, 3), Level.ve(0.0)),
    ],
)
def test_meaningless_priors_are_refused(bad) -> None:
    with pytest.raises(ValueError):
        bad()
