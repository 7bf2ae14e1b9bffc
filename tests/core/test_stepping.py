"""Single steps: exactness, what noise they keep, and their agreement with the published formulas."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.gaussian import GaussianPrior
from oracles.parameterization import Level, ddim_levels, direction, noise_of, tweedie
from oracles.stepping import ddim_eta_step, ddim_step, fresh_noise_std, posterior_step, renoised_step

law = settings(deadline=None, max_examples=40)

share = st.floats(0.05, 0.95)
falling = st.tuples(share, share).filter(lambda p: abs(p[0] - p[1]) > 1e-3).map(lambda p: (max(p), min(p)))
makers = st.sampled_from([Level.ve, Level.flow, lambda noise: Level.vp(1.0 - noise)])


def triple(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """x0, the noise in the state, fresh noise: [2, 3, 4, 4], float64."""
    generator = torch.Generator().manual_seed(seed)
    x0, eps, fresh = torch.randn((3, 2, 3, 4, 4), generator=generator, dtype=torch.float64)
    return x0, eps, fresh


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@law
@given(falling, makers)
def test_ddim_carries_signal_and_noise_exactly(pair, make) -> None:
    x0, eps, _ = triple()
    level, following = make(pair[0]), make(pair[1])
    x = level.alpha * x0 + level.sigma * eps
    moved = ddim_step(x, tweedie(x, eps, level), level, following)
    close(moved, following.alpha * x0 + following.sigma * eps)


def test_a_whole_ddim_run_with_exact_noise_returns_x0() -> None:
    """The estimate never changes, so any number of steps ends where the first estimate says."""
    x0, eps, _ = triple()
    levels = ddim_levels(50, final_alpha_bar=1.0)
    x = levels[0].alpha * x0 + levels[0].sigma * eps
    for level, following in pairwise(levels):
        x = ddim_step(x, tweedie(x, eps, level), level, following)
    close(x, x0, 1e-12)


@law
@given(falling, st.sampled_from([Level.ve, Level.flow]))
def test_ddim_is_the_euler_step_of_the_sampler_ode(pair, make) -> None:
    x0, x, _ = triple()
    level, following = make(pair[0]), make(pair[1])
    euler = x + direction(x, x0, level) * (following.sigma - level.sigma)
    close(ddim_step(x, x0, level, following), euler)


@law
@given(falling)
def test_ddim_in_vp_is_ddim_in_ve_rescaled(pair) -> None:
    x0, x, noise = triple()
    level, following = Level.vp(1.0 - pair[0]), Level.vp(1.0 - pair[1])
    ve, ve_following = Level.ve(level.ve_sigma), Level.ve(following.ve_sigma)
    for eta in (0.0, 0.4, 1.0):
        vp_step = ddim_eta_step(x, x0, level, following, noise, eta)
        ve_step = ddim_eta_step(x / level.alpha, x0, ve, ve_following, noise, eta)
        close(vp_step, following.alpha * ve_step)


@law
@given(falling, makers)
def test_eta_zero_is_ddim_and_draws_nothing(pair, make) -> None:
    x0, x, noise = triple()
    level, following = make(pair[0]), make(pair[1])
    still = ddim_eta_step(x, x0, level, following, noise, 0.0)
    assert torch.equal(still, ddim_eta_step(x, x0, level, following, -7 * noise, 0.0))
    close(still, ddim_step(x, x0, level, following))


@law
@given(falling, makers)
def test_eta_one_is_the_ancestral_step(pair, make) -> None:
    x0, x, noise = triple()
    level, following = make(pair[0]), make(pair[1])
    close(
        ddim_eta_step(x, x0, level, following, noise, 1.0),
        posterior_step(x, x0, level, following, noise),
        tolerance=1e-9,
    )


@law
@given(falling, makers, st.floats(0.0, 1.0))
def test_stochastic_steps_keep_the_levels_noise(pair, make, eta: float) -> None:
    """Old and fresh noise are independent: their squared amplitudes must add up to the next level's."""
    x0, eps, noise = triple()
    level, following = make(pair[0]), make(pair[1])
    zero = torch.zeros_like(x0)
    # The step is linear, so its response to each input alone gives that input's amplitude.
    of_x0 = ddim_eta_step(level.alpha * x0, x0, level, following, zero, eta)
    of_eps = ddim_eta_step(level.sigma * eps, zero, level, following, zero, eta)
    of_noise = ddim_eta_step(zero, zero, level, following, noise, eta)
    close(of_x0, following.alpha * x0)
    kept, fresh = float((of_eps / eps).mean()), float((of_noise / noise).mean())
    assert kept**2 + fresh**2 == pytest.approx(following.sigma**2, abs=1e-10)


@law
@given(falling)
def test_ancestral_step_is_bayes_rule(pair) -> None:
    """VP against the DDPM paper's eq. 7; the same through conditioning of a joint Gaussian."""
    x0, x, noise = triple()
    abar, abar_next = 1.0 - pair[0], 1.0 - pair[1]
    level, following = Level.vp(abar), Level.vp(abar_next)
    beta = 1.0 - abar / abar_next
    mean = math.sqrt(abar_next) * beta / (1 - abar) * x0 + math.sqrt(1 - beta) * (1 - abar_next) / (1 - abar) * x
    std = math.sqrt((1 - abar_next) / (1 - abar) * beta)
    close(posterior_step(x, x0, level, following, noise), mean + std * noise)
    # Joint of (x', x) given x0: variances s'^2 and s^2, covariance (a/a') s'^2.
    covariance = level.alpha / following.alpha * following.sigma**2
    regressed = following.alpha * x0 + covariance / level.sigma**2 * (x - level.alpha * x0)
    close(posterior_step(x, x0, level, following, torch.zeros_like(x)), regressed)
    assert fresh_noise_std(level, following) ** 2 == pytest.approx(
        following.sigma**2 - covariance**2 / level.sigma**2, abs=1e-12
    )


@law
@given(falling, st.floats(0.0, 1.0))
def test_ve_step_is_the_samplers_euler_ancestral(pair, eta: float) -> None:
    x0, x, noise = triple()
    high, low = pair
    up = min(low, eta * math.sqrt(low**2 * (high**2 - low**2) / high**2))
    down = math.sqrt(low**2 - up**2)
    expected = x + (x - x0) / high * (down - high) + up * noise
    close(ddim_eta_step(x, x0, Level.ve(high), Level.ve(low), noise, eta), expected, 1e-9)


@law
@given(falling)
def test_last_step_to_sigma_zero_returns_x0(pair) -> None:
    x0, x, noise = triple()
    for make in (Level.ve, Level.flow):
        for eta in (0.0, 0.5, 1.0):
            assert torch.equal(ddim_eta_step(x, x0, make(pair[0]), make(0.0), noise, eta), x0)
        assert torch.equal(posterior_step(x, x0, make(pair[0]), make(0.0), noise), x0)


def test_flow_starts_from_pure_noise() -> None:
    x0, eps, noise = triple()
    level, following = Level.flow(1.0), Level.flow(0.8)
    close(ddim_step(eps, x0, level, following), 0.2 * x0 + 0.8 * eps)
    # x says nothing of x' there, so the ancestral step forgets it.
    close(posterior_step(eps, x0, level, following, noise), 0.2 * x0 + 0.8 * noise)
    close(ddim_eta_step(eps, x0, level, following, noise, 1.0), 0.2 * x0 + 0.8 * noise)


@law
@given(falling, makers)
def test_full_renoising_forgets_the_state(pair, make) -> None:
    x0, x, noise = triple()
    level, following = make(pair[0]), make(pair[1])
    fresh = renoised_step(x, x0, level, following, noise, following.sigma)
    close(fresh, following.alpha * x0 + following.sigma * noise)
    assert torch.equal(fresh, renoised_step(3 * x + 1, x0, level, following, noise, following.sigma))


def test_trap_of_the_unsynchronised_noise() -> None:
    """With a changed x0 the direction must change too: the state otherwise no longer is what the level says."""
    x0, eps, _ = triple()
    level, following = Level.vp(0.2), Level.vp(0.6)
    x = level.alpha * x0 + level.sigma * eps
    other = x0 + 0.5
    step = ddim_step(x, other, level, following)
    close(noise_of(step, other, following), noise_of(x, other, level))
    reused = following.alpha * other + following.sigma * eps
    assert float((step - reused).abs().min()) > 0.1


def test_gaussian_run_gains_as_the_theory_says() -> None:
    """50 DDIM steps on N(0, 0.5^2): a direction seen by every view is scaled by 0.476 in all."""
    levels, prior = ddim_levels(50, final_alpha_bar=1.0), GaussianPrior.diagonal(0.0, 0.5)
    x = torch.ones((1, 4), dtype=torch.float64)
    gain = 1.0
    for level, following in pairwise(levels):
        x = ddim_step(x, prior.denoise(x, level), level, following)
        top = level.alpha * following.alpha * 0.25 + level.sigma * following.sigma
        gain *= top / (level.alpha**2 * 0.25 + level.sigma**2)
    assert float(x[0, 0]) == pytest.approx(gain, abs=1e-14)
    assert gain == pytest.approx(0.476, abs=5e-4)


def test_stochastic_run_samples_the_prior() -> None:
    """Many small ancestral steps reach the prior's variance exactly: tracked in closed form, no sampling error."""
    std, steps = 0.7, 4000
    levels = [Level.flow(k / steps) for k in range(steps, -1, -1)]
    prior = GaussianPrior.diagonal(0.3, std)
    one, zero = torch.ones((1, 1), dtype=torch.float64), torch.zeros((1, 1), dtype=torch.float64)
    mean, variance = 0.0, 1.0
    for level, following in pairwise(levels):
        at = [posterior_step(v, prior.denoise(v, level), level, following, zero) for v in (zero, one)]
        slope = float(at[1] - at[0])
        mean = float(at[0]) + slope * mean
        variance = slope**2 * variance + fresh_noise_std(level, following) ** 2
    assert mean == pytest.approx(0.3, abs=2e-3)
    assert variance == pytest.approx(std**2, rel=5e-3)


@pytest.mark.parametrize(
    "bad",
    [
        lambda x: ddim_step(x, x, Level.ve(0.0), Level.ve(0.0)),
        lambda x: ddim_eta_step(x, x, Level.ve(1.0), Level.ve(0.5), x, -0.1),
        lambda x: ddim_eta_step(x, x, Level.ve(1.0), Level.ve(0.5), x, 1.1),
        lambda x: ddim_eta_step(x, x, Level.ve(0.5), Level.ve(1.0), x, 1.0),
        lambda x: posterior_step(x, x, Level.flow(1.0), Level.flow(1.0), x),
        lambda x: posterior_step(x, x, Level.ve(0.0), Level.ve(0.0), x),
        lambda x: renoised_step(x, x, Level.ve(1.0), Level.ve(0.5), x, 0.6),
        lambda x: renoised_step(x, x, Level.ve(1.0), Level.ve(0.5), x, -0.1),
    ],
)
def test_meaningless_steps_are_refused(bad) -> None:
    with pytest.raises(ValueError):
        bad(torch.ones(1))


def test_step_to_the_same_level_changes_nothing() -> None:
    x0, x, noise = triple()
    level = Level.vp(0.4)
    close(ddim_step(x, x0, level, level), x, 1e-14)
    close(posterior_step(x, x0, level, level, noise), x, 1e-14)
    pure = Level.flow(1.0)
    close(ddim_eta_step(x, x0, pure, pure, noise, 1.0), x, 1e-14)
