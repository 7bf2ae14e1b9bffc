"""Each figure on signals whose answer is known, and against a plain loop."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.gaussian import GaussianPrior
from oracles.noise_audit import lag_autocorrelation, noise_audit, variance_ratio
from oracles.parameterization import Level
from syncpack.sync_core.quality import (
    border_energy,
    coverage_summary,
    cross_view_psnr,
    high_frequency_energy,
    noise_floor,
    seam_ratio,
    seam_ratio_of_edges,
)

law = settings(deadline=None, max_examples=40)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seam_ratio_by_loop(image, columns, rows, wrap_x, wrap_y) -> float:
    _, height, width = image.shape
    found = expected = 0.0
    for places, length, cells, wrap, step in (
        (columns, width, height, wrap_x, lambda b: image[:, :, b % width] - image[:, :, b - 1]),
        (rows, height, width, wrap_y, lambda b: image[:, b % height] - image[:, b - 1]),
    ):
        border, other = [], []
        for b in range(1, length + (1 if wrap else 0)):
            at_border = b in places or (b == length and 0 in places)
            (border if at_border else other).append(float((step(b) ** 2).mean()))
        if border:
            found += sum(border) * cells
            expected += sum(other) / len(other) * len(border) * cells
    return found / expected


@pytest.mark.parametrize("wrap_x", [False, True])
@pytest.mark.parametrize("wrap_y", [False, True])
def test_seam_ratio_against_a_loop(wrap_x: bool, wrap_y: bool) -> None:
    image = noise(3, 9, 14)
    columns, rows = (0, 4, 4, 10, 14), (0, 3)
    found = seam_ratio(image, columns, rows, wrap_x=wrap_x, wrap_y=wrap_y)
    assert found == pytest.approx(seam_ratio_by_loop(image, columns, rows, wrap_x, wrap_y), rel=1e-12)


def test_border_energy_is_one_where_borders_are_as_all_else() -> None:
    found = border_energy(noise(3, 200, 400), (0, 100, 250, 400), (50,))
    assert found == pytest.approx((1.0, 1.0, 1.0), abs=0.05)
    assert border_energy(torch.ones(1, 9, 9), (4,)) == (1.0, 1.0, 1.0)


def test_border_energy_tells_softened_borders_from_hard_ones_by_band() -> None:
    image = noise(1, 300, 120, seed=1)
    soft, hard = image.clone(), image.clone()
    soft[..., 58:62] *= 0.5
    hard[..., 60:] += 3.0
    fine, middle, coarse = border_energy(soft, (60,))
    assert fine == pytest.approx(0.25, abs=0.06) and fine < middle < 1.0
    assert min(border_energy(hard, (60,))) > 1.3
    across = border_energy(soft.transpose(1, 2), (), (60,))
    assert across == pytest.approx((fine, middle, coarse), rel=1e-9)


def test_border_energy_by_hand() -> None:
    """One pixel of a row in twelve: a band is what a box blur takes away."""
    image = torch.zeros(1, 1, 12)
    image[..., 6] = 3.0
    low = torch.zeros(12)
    low[5:8] = 1.0  # (the mean of three; the row alone above and below)
    detail = (image[0, 0] - low).square()
    near, far = detail[4:8].mean(), torch.cat([detail[:4], detail[8:]]).mean()
    assert float(far) == 0.0 and border_energy(image, (6,), bands=1) == (math.inf,)
    image[..., 2] = 3.0
    far = torch.tensor([0, 1.0, 4.0, 1.0, 0, 0, 0, 0]).mean()
    assert border_energy(image, (6,), bands=1) == pytest.approx((float(near / far),))


def test_border_energy_needs_a_border_and_something_else() -> None:
    image = noise(1, 8, 8)
    assert all(math.isnan(value) for value in (*border_energy(image), *border_energy(image, (2, 4, 6))))
    with pytest.raises(ValueError, match=r"\[C, H, W\]"):
        border_energy(image[0], (3,))
    with pytest.raises(ValueError, match="lies outside"):
        border_energy(image, (9,))


def test_seam_ratio_is_one_on_a_stationary_signal_and_rises_with_a_step() -> None:
    prior = GaussianPrior.ar1(192, 0.97)
    image = prior.sample((1, 2000, 192), torch.Generator().manual_seed(2))
    borders = (0, 64, 128, 192)
    assert seam_ratio(image, borders) == pytest.approx(1.0, abs=0.05)
    # Independent windows side by side: steps of variance 2 (1 - 0) against 2 (1 - 0.97).
    windows = GaussianPrior.ar1(64, 0.97).sample((1, 2000, 3, 64), torch.Generator().manual_seed(3)).flatten(2)
    assert seam_ratio(windows, borders) == pytest.approx(1 / 0.03, rel=0.05)


def test_seam_ratio_is_not_fooled_by_stripes() -> None:
    """Horizontal stripes have steep rows everywhere and no seam at all."""
    image = noise(1, 32, 1).expand(1, 32, 48) + 1e-3 * noise(1, 32, 48, seed=1)
    assert seam_ratio(image, columns=(16, 32)) == pytest.approx(1.0, abs=0.5)


@law
@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_seam_ratio_ignores_brightness_and_contrast(scale: float, shift: float) -> None:
    image = noise(2, 8, 12)
    assert seam_ratio(scale * image + shift, (4, 8), (4,)) == pytest.approx(seam_ratio(image, (4, 8), (4,)), rel=1e-9)


def test_seam_ratio_turns_with_the_picture() -> None:
    image = noise(3, 10, 15)
    turned = image.transpose(1, 2)
    assert seam_ratio(image, (5, 9), (4,), wrap_x=True) == pytest.approx(
        seam_ratio(turned, (4,), (5, 9), wrap_y=True), rel=1e-12
    )


def test_seam_ratio_at_its_limits() -> None:
    flat, step = torch.zeros(1, 4, 8), torch.zeros(1, 4, 8)
    step[..., 4:] = 1
    assert seam_ratio(flat, (4,)) == 1.0
    assert seam_ratio(step, (4,)) == math.inf
    assert seam_ratio(step, (3,)) == 0.0
    # The wrapped edge is a border like any other, and only when the canvas wraps.
    assert seam_ratio(step, (0, 8), wrap_x=True) == pytest.approx(1 / (1 / 7))
    assert math.isnan(seam_ratio(step, (0, 8)))
    assert math.isnan(seam_ratio(step))
    assert math.isnan(seam_ratio(step, range(9)))
    for bad in (lambda: seam_ratio(step, (9,)), lambda: seam_ratio(step, (-1,)), lambda: seam_ratio(step[0], (4,))):
        with pytest.raises(ValueError):
            bad()


def test_psnr_of_a_known_error() -> None:
    views = noise(3, 2, 4, 5)
    off = views + 0.1
    assert cross_view_psnr(views, off, peak=1.0) == pytest.approx(20.0, abs=1e-9)
    assert cross_view_psnr(views, off, peak=2.0) == pytest.approx(20.0 + 20 * math.log10(2), abs=1e-9)
    assert cross_view_psnr(views, views.clone(), peak=1.0) == math.inf


def test_psnr_of_views_that_were_not_synchronised() -> None:
    """N independent views against their mean: 10 log10(peak^2 / ((1 - 1/N) s^2))."""
    views = 0.5 * noise(4, 3, 64, 64)
    mean = views.mean(0, keepdim=True).expand_as(views)
    expected = 10 * math.log10(4 / ((1 - 1 / 4) * 0.25))
    assert cross_view_psnr(views, mean, peak=2.0) == pytest.approx(expected, abs=0.1)


def test_psnr_leaves_out_uncovered_pixels() -> None:
    views = noise(2, 3, 4, 4)
    covered = torch.ones(2, 4, 4, dtype=torch.bool)
    covered[0, :2] = False
    other = views + torch.tensor([0.01, 0.02, 0.03])[:, None, None]
    other[0, :, :2] = 77.0
    expected = -10 * math.log10(1e-4 * (1 + 4 + 9) / 3)
    assert cross_view_psnr(views, other, 1.0, covered) == pytest.approx(expected, abs=1e-5)
    assert math.isnan(cross_view_psnr(views, other, 1.0, torch.zeros_like(covered)))
    for bad in (
        lambda: cross_view_psnr(views, other[:1], 1.0),
        lambda: cross_view_psnr(views, other, 0.0),
        lambda: cross_view_psnr(views, other, 1.0, covered[:1]),
    ):
        with pytest.raises(ValueError):
            bad()


@law
@given(st.floats(0.1, 5), st.floats(-3, 3))
def test_variance_ratio_scales_with_the_square(scale: float, shift: float) -> None:
    values = noise(4, 50)
    plain = variance_ratio(values, 1.0)
    assert variance_ratio(scale * values + shift, 2.0) == pytest.approx(scale**2 * plain / 2, rel=1e-9)
    # About a known mean, an offset counts as error.
    about = variance_ratio(values + shift, 1.0, mean=0.0)
    assert about == pytest.approx(plain + (float(values.mean()) + shift) ** 2, rel=1e-9)


def test_variance_of_averaged_views() -> None:
    """Averaging N independent views leaves 1/N of the variance."""
    for count in (2, 4, 8):
        assert variance_ratio(noise(count, 200000).mean(0), 1.0) == pytest.approx(1 / count, rel=0.02)
    for bad in (lambda: variance_ratio(torch.ones(0), 1.0), lambda: variance_ratio(torch.ones(2), 0.0)):
        with pytest.raises(ValueError):
            bad()


def test_autocorrelation_against_a_loop_and_a_known_process() -> None:
    values = noise(3, 7)
    centred = values - values.mean()
    for lag in (1, 3):
        pairs = [float(centred[i, j] * centred[i, j + lag]) for i in range(3) for j in range(7 - lag)]
        expected = sum(pairs) / len(pairs) / float(centred.square().mean())
        assert lag_autocorrelation(values, lag, axis=1) == pytest.approx(expected, rel=1e-12)
    sample = GaussianPrior.ar1(64, 0.9).sample((4000, 64), torch.Generator().manual_seed(1))
    assert lag_autocorrelation(sample, 5, -1) == pytest.approx(0.9**5, abs=0.02)
    assert lag_autocorrelation(sample, 1, 0) == pytest.approx(0.0, abs=0.02)
    assert math.isnan(lag_autocorrelation(torch.ones(4), 1, 0))
    for lag in (0, 7):
        with pytest.raises(ValueError):
            lag_autocorrelation(values, lag, axis=1)


@pytest.mark.parametrize("level", [Level.vp(0.3), Level.ve(7.0), Level.flow(0.6)])
def test_noise_audit_finds_what_is_wrong_with_the_noise(level: Level) -> None:
    x0 = GaussianPrior.ar1(64, 0.97).sample((2, 4, 64, 64), torch.Generator().manual_seed(1))
    white = noise(2, 4, 64, 64, seed=2)
    good = noise_audit(level.alpha * x0 + level.sigma * white, x0, level, lags=(1, 2, 8))
    assert good.ratio == pytest.approx(1.0, abs=0.02)
    assert good.lags == (1, 2, 8)
    assert max(map(abs, good.correlation_x + good.correlation_y)) < 0.03
    inflated = noise_audit(level.alpha * x0 + 1.5 * level.sigma * white, x0, level)
    assert inflated.ratio == pytest.approx(1.5 * good.ratio, rel=1e-9)
    # Doubled pixels: full strength, but neighbours agree.
    doubled = white[..., ::2].repeat_interleave(2, dim=-1)
    spread = noise_audit(level.alpha * x0 + level.sigma * doubled, x0, level)
    assert spread.ratio == pytest.approx(1.0, abs=0.02)
    assert spread.correlation_x[0] == pytest.approx(0.5, abs=0.03)
    assert abs(spread.correlation_y[0]) < 0.03


def test_noise_audit_refuses_what_it_cannot_measure() -> None:
    x = noise(2, 4, 4)
    for bad in (
        lambda: noise_audit(x, x, Level.ve(0.0)),
        lambda: noise_audit(x, x[:1], Level.ve(1.0)),
        lambda: noise_audit(x, x, Level.ve(1.0), lags=(4,)),
    ):
        with pytest.raises(ValueError):
            bad()


def test_high_frequency_energy_sees_blur() -> None:
    image = 0.3 * noise(3, 256, 256)
    sharp = high_frequency_energy(image)
    assert sharp == pytest.approx(20 * 0.09, rel=0.02)
    blurred = (image + image.roll(1, -1) + image.roll(1, -2) + image.roll((1, 1), (-1, -2))) / 4
    assert high_frequency_energy(blurred) < 0.2 * sharp
    ramp = torch.arange(64.0).expand(1, 64, 64) + 3 * torch.arange(64.0)[:, None]
    assert high_frequency_energy(ramp) == 0.0
    with pytest.raises(ValueError):
        high_frequency_energy(torch.zeros(1, 2, 9))
    left = torch.zeros(1, 256, 256, dtype=torch.bool)
    left[..., :128] = True
    half = torch.where(left, image, blurred)
    assert high_frequency_energy(half, left) == pytest.approx(sharp, rel=0.02)
    assert high_frequency_energy(half, ~left) < 0.25 * sharp
    assert math.isnan(high_frequency_energy(half, torch.zeros_like(left)))


def test_noise_floor_reads_the_noise_under_a_picture() -> None:
    # Smooth shading with one hard edge, odd size.
    y, x = torch.meshgrid(torch.linspace(0, 3, 257), torch.linspace(0, 5, 255), indexing="ij")
    clean = (torch.sin(x) * torch.cos(y) + 2.0 * (x > 2.5)).double()[None]
    assert noise_floor(clean) < 1e-3
    for strength in (0.02, 0.1, 0.5):
        assert noise_floor(clean + strength * noise(1, 257, 255)) == pytest.approx(strength, rel=0.03)
    with pytest.raises(ValueError):
        noise_floor(torch.zeros(1, 1, 9))


def test_coverage_summary() -> None:
    summary = coverage_summary(torch.tensor([[0, 1, 1, 2], [5, 0, 0, 1]]))
    assert (summary.holes, summary.once, summary.shared) == (3 / 8, 3 / 8, 2 / 8)
    assert (summary.minimum, summary.mean, summary.maximum) == (0.0, 10 / 8, 5.0)
    with pytest.raises(ValueError):
        coverage_summary(torch.zeros(0))
    with pytest.raises(ValueError):
        coverage_summary(torch.tensor([1, -1]))


@law
@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_coverage_shares_sum_to_one(hits: list[int]) -> None:
    summary = coverage_summary(torch.tensor(hits))
    assert summary.holes + summary.once + summary.shared == pytest.approx(1.0, abs=1e-12)
    assert summary.holes == pytest.approx(hits.count(0) / len(hits))
    assert summary.minimum <= summary.mean <= summary.maximum


def test_figures_take_half_precision_images() -> None:
    """Sums run wide: a large half image must not overflow or lose its last bits."""
    image = (0.5 + 0.1 * noise(3, 300, 300)).half()
    exact = image.double()
    assert high_frequency_energy(image) == high_frequency_energy(exact)
    assert noise_floor(image) == noise_floor(exact)
    assert seam_ratio(image, (100, 200)) == seam_ratio(exact, (100, 200))
    assert variance_ratio(image, 0.01) == variance_ratio(exact, 0.01)


# Borders of any shape


def test_borders_of_any_shape_agree_with_straight_ones():
    image = noise(3, 40, 60)
    image[:, :, 20:] += 1.0
    left, above = torch.zeros(40, 60, dtype=torch.bool), torch.zeros(40, 60, dtype=torch.bool)
    left[:, 20] = True
    straight = seam_ratio(image, [20], wrap_x=True)
    left[:, 0] = False
    assert seam_ratio_of_edges(image, left, above) == pytest.approx(straight, rel=0.2)
    assert seam_ratio_of_edges(noise(3, 40, 60), left, above) == pytest.approx(1.0, abs=0.3)


def test_a_jump_along_a_slanted_border_is_found():
    y, x = torch.meshgrid(torch.arange(50), torch.arange(100), indexing="ij")
    inside = (x - y > 10) & (x + y < 90)
    left, above = inside != inside.roll(1, 1), torch.zeros_like(inside)
    above[1:] = inside[1:] != inside[:-1]
    image = 0.1 * noise(3, 50, 100)
    assert seam_ratio_of_edges(image, left, above) == pytest.approx(1.0, abs=0.2)
    assert seam_ratio_of_edges(image + 0.5 * inside, left, above) > 5


def test_no_border_is_nothing_measured():
    none = torch.zeros(8, 16, dtype=torch.bool)
    assert math.isnan(seam_ratio_of_edges(noise(1, 8, 16), none, none))
    some = none.clone()
    some[:, 4] = True
    assert seam_ratio_of_edges(torch.ones(1, 8, 16), some, none) == 1.0
    with pytest.raises(ValueError, match="masks"):
        seam_ratio_of_edges(torch.ones(1, 8, 15), some, none)
