"""What averaging does to variance. K9: many cells to one pixel. K10: views that start from noise of their own, for a
Gaussian and for a prior of two modes. K11: polar, projected and independent starts. K13: windows of a wide picture.

Gaussian priors make a run linear in its start, so figures are exact: unit vectors in, covariance out. DDIM on the SD
schedule, 50 steps, S = 0.5 unless said. States are at the host's scale (VE); "VP" figures are times alpha. Tables and
"the study": figures of an evaluation of the cases made before this code, by other code.
"""

import itertools
import math

import pytest
import torch
from helpers.k_runs import CLEAN, GAIN, SD, STD, TO_VP, gain_of, gaussian, product, rms, run, same_views, ve
from oracles.gaussian import GaussianPrior
from oracles.mixture import GaussianMixturePrior
from oracles.parameterization import Level
from oracles.twins import F64, draw, make_views
from syncpack.renderers.plane.space import Plane, Windows, place, window_views
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import view_noise
from syncpack.sync_core.variance import VarianceCorrection
from torch import Tensor

WEIGHTS_10 = [0.31, 0.2, 0.14, 0.09, 0.08, 0.06, 0.05, 0.04, 0.02, 0.01]


@pytest.mark.parametrize(
    ("weights", "table"), [([0.5] * 2, 0.505), ([0.2] * 5, 0.2), ([0.1] * 10, 0.1), (WEIGHTS_10, None)]
)
def test_k9_n_to_1(weights: list[float], table: float | None) -> None:
    """A pixel is a weighted mean of n cells. Cases 1-3 from independent views are right; 4 and 5 keep sum w^2 of the
    variance; Case 4 fills the null space with noise; Case 5 is repaired by z_T / sqrt(sum w^2). Exact covariances."""
    share = torch.tensor(weights, dtype=F64)
    squares = float(share.square().sum())
    cells, pixels = 3 * len(weights), 3
    views = make_views(torch.kron(torch.eye(pixels, dtype=F64), share[None]), (cells,), 1, 1, pixels)
    plain = gaussian(STD)

    def rendered(case: int, start: Tensor, scale: float = 1.0) -> tuple[float, Tensor]:
        end = run(case, views, plain, ve(CLEAN), scale * start / SD[0].alpha)
        return float((end if case < 4 else views.project(end)).square().sum()) / pixels, end

    target = (product([gain_of(STD, a, b) for a, b in itertools.pairwise(CLEAN)])) ** 2
    basis = torch.eye(pixels, dtype=F64).reshape(pixels, 1, 1, pixels)
    for case in (1, 2, 3):
        assert rendered(case, basis)[0] == pytest.approx(target, rel=1e-9)
    unit = torch.eye(cells, dtype=F64).reshape(cells, 1, cells)
    for case in (4, 5):
        variance, end = rendered(case, unit)
        assert variance == pytest.approx(squares * target, rel=1e-9)
        if table is not None:
            assert variance / target == pytest.approx(table, rel=0.012)
        hidden = end - Aggregator(views)(views.project(end))
        expected = 0.0
        if case == 4:
            # The part of the start that A f does not see, carried by 1 / alpha_T.
            pi = Aggregator(views)(views.project(unit)).reshape(cells, cells)
            expected = rms(torch.eye(cells, dtype=F64) - pi) * math.sqrt(cells) / SD[0].alpha
            assert 8 < expected < 14
        assert rms(hidden) * math.sqrt(cells) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert rendered(5, unit, 1 / math.sqrt(squares))[0] == pytest.approx(target, rel=1e-9)


@pytest.mark.parametrize(
    ("weights", "table"),
    [
        ([1.0] * 2, 0.498),
        ([1.0] * 4, 0.251),
        ([1.0] * 8, 0.123),
        ([1, 0.5, 0.25, 0.125], 0.377),
        ([1, 0.1, 0.1, 0.1], 0.613),
    ],
)
def test_k10_independent_noise_loses_variance_to_the_effective_number_of_views(weights, table: float) -> None:
    """Identical views: sum w^2 of the variance is left in Cases 1 to 3 (exactly), and 1 from shared noise."""
    share = torch.tensor(weights, dtype=F64)
    count = share.numel()
    aggregator = Aggregator(same_views(count, 1, share))
    squares = float((share / share.sum()).square().sum())
    assert float(VarianceCorrection(aggregator).gain) == pytest.approx(squares, rel=1e-12)
    basis = torch.eye(count, dtype=F64).reshape(count * count, 1, 1, 1) / SD[0].alpha * SD[-1].alpha
    for case in (1, 2, 3):
        end = aggregator(run(case, aggregator, gaussian(STD), ve(SD), basis))
        assert float(end.square().sum()) / GAIN**2 == pytest.approx(squares, rel=1e-9)
        shared = aggregator(run(case, aggregator, gaussian(STD), ve(SD), basis[:1].repeat(count, 1, 1, 1)))
        assert float(shared * SD[0].alpha / SD[-1].alpha) * TO_VP == pytest.approx(GAIN, rel=1e-9)
    assert squares == pytest.approx(table, rel=0.02)


def test_k10_averaging_while_sampling_chooses_a_mode_and_averaging_afterwards_does_not() -> None:
    """Prior +-1 with std 0.2, four views, independent starts: total variance .604 against .249 in the study."""
    signals = 8000
    prior = GaussianMixturePrior.make(torch.tensor([[-1.0], [1.0]]), 0.2)
    aggregator = Aggregator(same_views(4, 1))
    start = draw(4 * signals, 1, 1, 1, seed=1) / SD[0].alpha

    def denoise(x: Tensor, sigma: float) -> Tensor:
        return prior.denoise(x.reshape(-1, 1), Level.ve(sigma)).reshape(x.shape)

    together = aggregator(run(2, aggregator, denoise, ve(CLEAN), start))
    after = aggregator(run(0, aggregator, denoise, ve(CLEAN), start))
    # Standard error of these variances at 8000 samples is below 1.6 %.
    assert float(together.square().mean()) == pytest.approx(0.604, rel=0.05)
    assert float(after.square().mean()) == pytest.approx(0.249, rel=0.05)


def test_k11_polar_start_of_duplicated_views() -> None:
    """1-to-4, AR(1) .97 over view pixels, Case 2, exact covariances. Against one view with white noise (.978 in the
    study): projected 4 x too strong at low frequencies, independent 1/N, polar unchanged in N. The level itself
    depends on an unstated size and step count, so ratios to it are compared."""
    cells = 16
    pixels = 4 * cells
    copy = torch.eye(cells, dtype=F64).repeat_interleave(4, 0)
    prior = GaussianPrior.ar1(pixels, 0.97, STD)
    target = float((copy.T @ prior.covariance() @ copy).trace()) / 16
    total: dict[tuple[str, int], float] = {}
    for count in (1, 2, 4, 8):
        views = make_views(copy.repeat(count, 1), (cells,), count, 1, pixels)
        aggregator = Aggregator(views)

        def response(start: Tensor, aggregator: Aggregator = aggregator) -> float:
            end = run(2, aggregator, lambda x, s: prior.denoise(x, Level.ve(s)), ve(CLEAN), start / SD[0].alpha)
            return float(aggregator(end).square().sum()) / target

        impulse = torch.zeros(pixels, count, 1, 1, pixels, dtype=F64)
        impulse[:, 0, 0, 0] = torch.eye(pixels, dtype=F64)
        # The views are alike: each contributes the same independent variance.
        total["independent", count] = count * response(impulse.flatten(0, 1))
        unit = torch.eye(cells, dtype=F64).reshape(cells, 1, cells)
        nothing = torch.zeros(cells * count, 1, 1, pixels, dtype=F64)
        shared = view_noise(views, "polar", unit, lambda nothing=nothing: nothing)
        own = view_noise(
            views, "polar", torch.zeros(pixels, 1, cells, dtype=F64), lambda impulse=impulse: impulse.flatten(0, 1)
        )
        total["polar", count] = response(shared) + count * response(own)
        total["projected", count] = response(view_noise(views, "projected", unit, lambda nothing=nothing: nothing))
    level = total["independent", 1]
    assert 0.85 < level < 1
    for count, independent, polar in ((1, 0.978, 0.978), (2, 0.489, 0.975), (4, 0.244, 0.973), (8, 0.122, 0.973)):
        assert total["independent", count] == pytest.approx(level / count, rel=1e-9)
        assert total["independent", count] / level == pytest.approx(independent / 0.978, rel=0.003)
        assert total["polar", count] / level == pytest.approx(polar / 0.978, rel=0.003)
        assert total["projected", count] / level == pytest.approx(3.89 / 0.978, rel=0.01)


def test_k13_window_panorama_of_an_ar1_prior() -> None:
    """192 cells, window 64, std 1: KL per cell of the exact covariance from the truth, seam ratio, correlation at lag
    96, against the table. The table's triangle is a slightly different one: its seam ratios only as bounds."""
    length, sigmas = 192, ve(CLEAN)
    truth, window = GaussianPrior.ar1(length, 0.97), GaussianPrior.ar1(64, 0.97)
    target, basis = truth.covariance(), torch.eye(length, dtype=F64).reshape(length, 1, 1, length) / SD[0].alpha

    def judge(z: Tensor) -> tuple[float, Tensor, float]:
        covariance = z.reshape(length, length).T @ z.reshape(length, length)
        kl = torch.linalg.solve(target, covariance).trace() - length + torch.logdet(target) - torch.logdet(covariance)
        variance = covariance.diagonal()
        steps = variance[1:] + variance[:-1] - 2 * covariance.diagonal(1)
        far = covariance.diagonal(96) / (variance[:96] * variance[96:]).sqrt()
        return float(kl) / 2 / length, steps, float(far.mean())

    whole = make_views(torch.eye(length), (1, length), 1, 1, length)
    kl, _, far = judge(run(0, whole, lambda x, s: truth.denoise(x, Level.ve(s)), sigmas, basis))
    assert kl == pytest.approx(0.0222, rel=0.01)
    assert far == pytest.approx(0.033, abs=0.001)
    assert pytest.approx(0.054, abs=0.001) == 0.97**96
    table = [
        ("flat", 64, 0.153, 38.7), ("flat", 32, 0.0405, 4.49), ("flat", 16, 0.0277, 2.09), ("flat", 8, 0.0240, 1.53),
        ("triangle", 32, 0.0225, None), ("triangle", 16, 0.0223, None),
        ("hann", 32, None, None), ("hann", 16, None, None),
    ]  # fmt: skip
    for taper, stride, expected, seam in table:
        placed = place(Plane(length, 1), Windows(64, 1, stride, 1, taper), 1)
        views = window_views(placed, taper)
        end = run(2, views, lambda x, s: window.denoise(x, Level.ve(s)), sigmas, views.project(basis))
        kl, steps, far = judge(Aggregator(views)(end))
        border = torch.zeros(length - 1, dtype=torch.bool)
        border[[b - 1 for b in placed.borders((False, False))[1]]] = True
        ratio = float(steps[border].mean() / steps[~border].mean())
        assert abs(far) < 0.006  # .003 in the study: windows alone carry no long-range coherence
        if expected is not None:
            assert kl == pytest.approx(expected, rel=0.01)
        if seam is not None:
            assert ratio == pytest.approx(seam, rel=0.005)
        if taper != "flat":
            assert kl < 0.0226
            assert ratio < (1.13 if stride == 32 else 1.07)
