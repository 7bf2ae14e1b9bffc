"""Figures promised for ambiguous images that need a model with structure, or more samples than checks elsewhere."""

import itertools
from dataclasses import replace

import pytest
import torch
from helpers.k_runs import gain_of, gaussian, product, rms, run, ve
from oracles.exemplar_twin import DenseTwin
from oracles.parameterization import ddim_levels
from oracles.twins import F64, draw
from syncpack.renderers.illusions.space import Illusion, Warps, illusion_views
from syncpack.renderers.illusions.warps import warp
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.exemplar.prior import DEFAULT_LEVELS, ExemplarConfig, ExemplarPrior
from syncpack.sync_core.noise import polar_noise
from syncpack.sync_core.views import ViewSet
from torch import Tensor

STD = 0.5
# The steps that 1e-12 was shown for; others multiply rounding errors to up to 4e-12.
LEVELS = tuple(replace(level, step=step) for level, step in zip(DEFAULT_LEVELS, (1, 1, 2, 1), strict=True))


@pytest.fixture
def double():
    """Plain code of the twin in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(F64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize(
    ("names", "sigmas"),
    [
        (("identity", "flip_y"), (10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02)),
        (("identity", "rotate_90", "negate"), (10.0, 5.0, 2.0, 1.0, 0.5)),
    ],
)
def test_k1_five_cases_agree_on_the_exemplar_model(
    names: tuple[str, ...], sigmas: tuple[float, ...], double: None
) -> None:
    """1-to-1: another exemplar in every reading: one trajectory, to 1e-12 in float64. (At low levels the choice of a
    patch is sharp and multiplies rounding errors, the more the more readings: 8e-12 for three down to 0.02.)"""
    side, count = 32, len(names)
    images = [0.6 * draw(3, 32, 32, seed=s).clamp(-2, 2) for s in range(count)]
    twin = DenseTwin(ExemplarPrior.from_images([i.float() for i in images], ExemplarConfig(levels=LEVELS)), images)
    views = illusion_views(Illusion(side, side), Warps(tuple(map(warp, names))), side, side)
    forward = views.forward.with_weights(views.forward.weights.to(F64))
    views = ViewSet(forward, views.canonical, side, side, views.weights.to(F64))
    chosen = torch.full((count, count), -1e4).fill_diagonal_(0.0)

    def denoise(x: Tensor, sigma: float) -> Tensor:
        return twin.denoise(x, sigma, chosen.repeat(len(x) // count, 1))

    aggregator = Aggregator(views)
    z = sigmas[0] * draw(1, 3, side, side, seed=9)
    ends = []
    for case in (1, 2, 3, 4, 5):
        end = run(case, aggregator, denoise, sigmas, views.project(z) if case < 4 else z)
        ends.append(aggregator(end) if case < 4 else end)
    assert float(ends[0].std()) > 0.1
    assert max(float((e - ends[0]).abs().max()) for e in ends) < 1e-12 * float(ends[0].abs().max())


@pytest.mark.parametrize("names", [("identity", "rotate_90"), ("identity", "jigsaw", "negate")])
def test_n_to_1_case_2_keeps_the_variance_within_three_percent(names: tuple[str, ...]) -> None:
    """Ten planes; 82944 values, standard error 0.5 %. Cases 4 and 5 keep a tenth."""
    side, levels = 96, ddim_levels(50, final_alpha_bar=1.0)
    views = illusion_views(Illusion(side, side, 10), Warps(tuple(map(warp, names))), side, side)
    plain = (product([gain_of(STD, a, b) for a, b in itertools.pairwise(levels)]) / STD) ** 2
    z = draw(3, 3, 10 * side, side, seed=3).float()
    start = polar_noise(views, z, lambda: torch.zeros(0)) / levels[0].alpha
    end = run(2, views, gaussian(STD), ve(levels), start)
    assert rms(end) ** 2 / STD**2 / plain == pytest.approx(1.0, rel=0.03)
    lost = run(5, views, gaussian(STD), ve(levels), z / levels[0].alpha)
    assert rms(views.project(lost)) ** 2 / STD**2 / plain == pytest.approx(0.1, rel=0.05)
