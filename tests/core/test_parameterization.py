"""Laws of the noise levels and of the conversions between what models predict."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.parameterization import (
    Coefficients,
    Level,
    Prediction,
    convert,
    ddim_levels,
    direction,
    leading_timesteps,
    noise_of,
    scaled_linear_alphas_cumprod,
    to_denoised,
    to_noise,
    tweedie,
    velocity,
)

law = settings(deadline=None, max_examples=40)

inner = st.floats(0.01, 0.99)
levels = st.one_of(inner.map(Level.vp), inner.map(Level.flow), st.floats(0.01, 20.0).map(Level.ve))
kinds = st.sampled_from(list(Prediction))


def pair(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A clean signal and its noise [2, 3, 4, 5], float64."""
    generator = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn((2, 2, 3, 4, 5), generator=generator, dtype=torch.float64)
    return x0, eps


def noisy(x0: torch.Tensor, eps: torch.Tensor, level: Level) -> torch.Tensor:
    return level.alpha * x0 + level.sigma * eps


def definition(kind: Prediction, x0: torch.Tensor, eps: torch.Tensor, level: Level) -> torch.Tensor:
    """Each prediction from its textbook definition; v through the VP twin of the level."""
    abar = level.alpha**2 / (level.alpha**2 + level.sigma**2)
    return {
        Prediction.X0: x0,
        Prediction.EPS: eps,
        Prediction.V: math.sqrt(abar) * eps - math.sqrt(1 - abar) * x0,
        Prediction.FLOW: eps - x0,
    }[kind]


def close(a: torch.Tensor, b: torch.Tensor, level: Level, tolerance: float = 1e-12) -> None:
    # Dividing by a small alpha or sigma magnifies rounding by as much.
    scale = max(1.0, level.norm / level.alpha, level.norm / level.sigma) ** 2
    assert float((a - b).abs().max()) <= tolerance * scale


@law
@given(levels, kinds)
def test_every_prediction_gives_back_signal_and_noise(level: Level, kind: Prediction) -> None:
    x0, eps = pair()
    x, value = noisy(x0, eps, level), definition(kind, x0, eps, level)
    close(to_denoised(kind, value, x, level), x0, level)
    close(to_noise(kind, value, x, level), eps, level)


@law
@given(levels, kinds, kinds)
def test_conversion_agrees_with_definition_and_returns(level: Level, source: Prediction, target: Prediction) -> None:
    x0, eps = pair()
    x, value = noisy(x0, eps, level), definition(source, x0, eps, level)
    converted = convert(source, target, value, x, level)
    close(converted, definition(target, x0, eps, level), level)
    close(convert(target, source, converted, x, level), value, level, 1e-11)


@law
@given(levels, kinds, kinds, st.floats(-2, 3))
def test_conversion_is_affine(level: Level, source: Prediction, target: Prediction, t: float) -> None:
    """Averaging one prediction and converting equals converting and averaging at one x: guidance relies on it."""
    x0, eps = pair()
    x = noisy(x0, eps, level)
    a, b = pair(1)
    mixed = convert(source, target, (1 - t) * a + t * b, x, level)
    apart = (1 - t) * convert(source, target, a, x, level) + t * convert(source, target, b, x, level)
    close(mixed, apart, level, 1e-11)


@law
@given(levels)
def test_phi_and_its_inverse(level: Level) -> None:
    x0, eps = pair()
    x = noisy(x0, eps, level)
    close(tweedie(x, noise_of(x, x0, level), level), x0, level)
    close(noise_of(x, tweedie(x, eps, level), level), eps, level)
    close(velocity(x, x0, level), eps - x0, level)


@law
@given(inner)
def test_direction_is_noise_for_ve_and_velocity_for_flow(sigma: float) -> None:
    x0, eps = pair()
    for level, slope in ((Level.ve(sigma), eps), (Level.flow(sigma), eps - x0)):
        x = noisy(x0, eps, level)
        close(direction(x, x0, level), slope, level)


@law
@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.sampled_from([Level.vp, Level.ve, Level.flow]))
def test_psi_of_the_true_signal_is_the_next_state(one: float, other: float, make) -> None:
    x0, eps = pair()
    level, following = make(one), make(other)
    step = Coefficients.between(level, following)
    close(step.apply(noisy(x0, eps, level), x0), noisy(x0, eps, following), level)
    # The other form: x' = (a'/a) x + b eps with b = -(e s)/a.
    b = following.sigma - level.sigma * following.alpha / level.alpha
    assert b == pytest.approx(-step.e * level.sigma / level.alpha, abs=1e-12)


@law
@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_psi_composes_when_x0_stays(a: float, b: float, c: float) -> None:
    x0, x = pair()
    first, second, third = Level.vp(a), Level.flow(b), Level.ve(c)
    through = Coefficients.between(second, third).apply(Coefficients.between(first, second).apply(x, x0), x0)
    torch.testing.assert_close(through, Coefficients.between(first, third).apply(x, x0), rtol=1e-11, atol=1e-10)


@law
@given(inner)
def test_ve_and_vp_are_one_process_at_two_scales(abar: float) -> None:
    x0, eps = pair()
    vp = Level.vp(abar)
    ve = Level.ve(vp.ve_sigma)
    x = noisy(x0, eps, vp)
    for kind in Prediction:
        value = definition(kind, x0, eps, vp)
        close(to_denoised(kind, value, x, vp), to_denoised(kind, value, x / vp.alpha, ve), vp)
    assert vp.norm == pytest.approx(1.0, abs=1e-15)


def test_velocity_predictions_survive_pure_noise() -> None:
    """At flow sigma 1 the state holds no signal, yet v and velocity still carry the model's x0."""
    x0, eps = pair()
    level = Level.flow(1.0)
    for kind in (Prediction.V, Prediction.FLOW):
        value = definition(kind, x0, eps, level)
        torch.testing.assert_close(to_denoised(kind, value, eps, level), x0, rtol=0, atol=1e-15)
        torch.testing.assert_close(convert(kind, Prediction.EPS, value, eps, level), eps, rtol=0, atol=1e-15)


def test_clean_state_is_its_own_estimate() -> None:
    x0, eps = pair()
    for level in (Level.vp(1.0), Level.flow(0.0), Level.ve(0.0)):
        for kind in (Prediction.EPS, Prediction.V, Prediction.FLOW):
            assert torch.equal(to_denoised(kind, eps, x0, level), x0)
    last = Coefficients.between(Level.ve(0.3), Level.ve(0.0))
    assert (last.c, last.e) == (0.0, 1.0)


def test_float32_stays_float32() -> None:
    x0, eps = (t.float() for t in pair())
    level = Level.vp(0.3)
    x = noisy(x0, eps, level)
    for kind in Prediction:
        result = convert(kind, Prediction.X0, definition(kind, x0, eps, level), x, level)
        assert result.dtype is torch.float32
        torch.testing.assert_close(result, x0, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Level(-0.1, 1.0),
        lambda: Level(1.0, -0.1),
        lambda: Level(0.0, 0.0),
        lambda: Level(1.0, math.nan),
        lambda: Level(math.inf, 0.0),
        lambda: Level.vp(1.01),
        lambda: Level.vp(math.nan),
        lambda: Level.flow(-0.01),
        lambda: tweedie(torch.ones(1), torch.ones(1), Level.flow(1.0)),
        lambda: noise_of(torch.ones(1), torch.ones(1), Level.ve(0.0)),
        lambda: direction(torch.ones(1), torch.ones(1), Level.ve(0.0)),
        lambda: direction(torch.ones(1), torch.ones(1), Level.vp(0.5)),
        lambda: Coefficients.between(Level.ve(0.0), Level.ve(1.0)),
        lambda: leading_timesteps(0),
        lambda: leading_timesteps(1001),
        lambda: leading_timesteps(1000, offset=1),
    ],
)
def test_meaningless_requests_are_refused(bad) -> None:
    with pytest.raises(ValueError):
        bad()


def test_float32_rounding_of_a_sigma_is_tolerated() -> None:
    assert Level.flow(1.0 + 1e-7) == Level(0.0, 1.0)
    assert Level.vp(-1e-9) == Level(0.0, 1.0)


def test_stable_diffusion_schedule() -> None:
    table = scaled_linear_alphas_cumprod()
    assert table.dtype is torch.float64 and table.shape == (1000,)
    # A plain loop, as the recursion is defined.
    abar, low, high = 1.0, math.sqrt(0.00085), math.sqrt(0.012)
    for t in range(1000):
        abar *= 1.0 - (low + (high - low) * t / 999) ** 2
        assert float(table[t]) == pytest.approx(abar, rel=1e-11)
    assert float(table[958]) == pytest.approx(0.00753, abs=5e-6)
    assert float(table[0]) == pytest.approx(0.99915, abs=1e-9)


def test_leading_timesteps() -> None:
    assert leading_timesteps(30) == [958 - 33 * k for k in range(30)]
    assert leading_timesteps(50) == list(range(981, 0, -20))
    assert leading_timesteps(30, offset=0)[0] == 957
    assert leading_timesteps(1000, offset=0) == list(range(999, -1, -1))


def test_ddim_levels_end_at_alpha_bar_zero() -> None:
    table = scaled_linear_alphas_cumprod()
    levels = ddim_levels(30)
    assert len(levels) == 31
    assert levels[0] == Level.vp(float(table[958])) and levels[-2] == Level.vp(float(table[1]))
    assert levels[-1] == Level.vp(float(table[0]))
    assert levels[-1].ve_sigma == pytest.approx(0.0292, abs=5e-5)
    assert all(a.ve_sigma > b.ve_sigma for a, b in pairwise(levels))
    # 50 steps ending noise-free: all the signal a state can gain.
    levels = ddim_levels(50, final_alpha_bar=1.0)
    assert levels[-1] == Level(1.0, 0.0)
    assert levels[-1].alpha / levels[0].alpha == pytest.approx(13.16, abs=5e-3)
