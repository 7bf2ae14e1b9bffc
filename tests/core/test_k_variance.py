"""What averaging does to views that differ, and how well they agree at the end.

K4: the gain of one direction over a run, by its eigenvalue. K5: the disagreement of four views over a run. K7:
stochastic samplers need noise that views share. K15: agreement at the end, with and without a final synchronisation.
Tables are figures of an evaluation of the cases made before this code, by other code.

DDIM on the SD schedule, 50 steps, S = 0.5. States are at the host's scale (VE); "VP" figures are times alpha.
"""

import itertools
import math

import pytest
import torch
from helpers.k_runs import CLEAN, RHO, SD, STD, disagreement, gain_of, gaussian, product, run, same_views, ve
from oracles.gaussian import GaussianPrior
from oracles.parameterization import Level
from oracles.stepping import ddim_eta_step
from oracles.twins import F64, dense, draw, make_views
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import canonical_noise_sampler
from syncpack.sync_core.quality import cross_view_psnr
from syncpack.sync_core.schedule import Schedule, Trajectory
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan
from syncpack.sync_core.views import ViewSet
from torch import Tensor


@pytest.mark.parametrize(
    ("lam", "one", "two", "three"),
    [
        (0.0, 13.16, 0.0, 0.0),
        (0.25, 5.87, 0.022, 4e-31),
        (0.5, 2.58, 0.084, 4e-16),
        (0.75, 1.12, 0.218, 3e-7),
        (0.9, 0.672, 0.354, 2.5e-3),
        (0.99, 0.493, 0.463, 0.288),
        (1.0, 0.476, 0.476, 0.476),
    ],
)
def test_k4_eigen_gain(lam: float, one: float, two: float, three: float) -> None:
    """One pixel that reads one cell with weight lam: Q = Pi = lam. Gain after 50 steps, ending clean, by the closed
    form and by the table."""
    matrix = torch.tensor([[lam]], dtype=F64) if lam else torch.tensor([[1.0], [1.0]], dtype=F64)
    # lam = 0: the difference of two views of one cell; for the canonical cases the same of one view of two cells.
    start = {"w": torch.tensor([1.0], dtype=F64), "z": torch.tensor([1.0], dtype=F64)}
    views = {"w": make_views(matrix, (1,), matrix.shape[0], 1, 1)}
    views["z"] = views["w"] if lam else make_views(torch.tensor([[0.5, 0.5]]), (2,), 1, 1, 1)
    if not lam:
        start = {name: torch.tensor([1.0, -1.0], dtype=F64) for name in start}
    held = {1: 1.0, 2: None, 3: 0.0, 4: 1.0, 5: None}
    table = {1: one, 2: two, 3: three, 4: one, 5: two}
    for case in (1, 2, 3, 4, 5):
        kind = "w" if case < 4 else "z"
        x = start[kind].reshape(-1, 1, 1, 1) if kind == "w" else start[kind].reshape(1, 1, -1)
        end = run(case, views[kind], gaussian(STD), ve(CLEAN), x).flatten()[0] / CLEAN[0].alpha
        theory = 1.0
        for a, b in itertools.pairwise(CLEAN):
            rho = gain_of(STD, a, b)
            carried = held[case] * b.alpha / a.alpha if held[case] is not None else b.sigma / a.sigma
            theory *= (1 - lam) * carried + lam * rho
        assert float(end) == pytest.approx(theory, rel=1e-11, abs=1e-14)
        # The table has three decimals; Case 3's smallest numbers have one digit.
        table_digit = 0.0 if case == 3 else 5e-4
        assert float(end) == pytest.approx(table[case], rel=0.15 if case == 3 else 0.005, abs=table_digit)


def test_k5_disagreement_of_four_views() -> None:
    """Independent starts: Case 1 keeps them apart (x a_t/a_T), Case 2 by exactly what the noise level asks
    (sigma_t sqrt(3/4)), Case 3 not at all. The start's own disagreement carries the sampling error."""
    pixels = 4000
    views = same_views(4, pixels)
    start = draw(4, 1, 1, pixels) / SD[0].alpha
    first = disagreement(start, 4) * SD[0].alpha / SD[0].sigma
    assert first == pytest.approx(math.sqrt(0.75), rel=0.02)
    found: dict[int, dict[int, float]] = {1: {}, 2: {}, 3: {}}
    for case, seen in found.items():

        def watch(step: int, x: Tensor, seen: dict[int, float] = seen) -> None:
            seen[step] = disagreement(x, 4) * CLEAN[step].alpha

        run(case, views, gaussian(STD), ve(CLEAN), start, watch)
    for step in range(1, 51):
        assert found[1][step] == pytest.approx(first * SD[0].sigma * CLEAN[step].alpha / SD[0].alpha, rel=1e-9)
        assert found[2][step] == pytest.approx(first * CLEAN[step].sigma, rel=1e-9, abs=1e-12)
        assert found[3][step] < 1e-12
    steps = (10, 25, 40, 50)
    assert [found[1][k] for k in steps] == pytest.approx([2.36, 6.23, 10.0, 11.3], rel=0.03)
    assert [found[2][k] for k in steps] == pytest.approx([0.844, 0.721, 0.403, 0], rel=0.03, abs=1e-12)


@pytest.mark.parametrize(("count", "kept"), [(2, 0.499), (4, 0.252), (8, 0.126)])
def test_k7_stochastic_samplers_need_canonical_noise(count: int, kept: float) -> None:
    """eta = 1, Case 2: noise drawn per view averages away (1/N left), shared noise gives the single run."""
    pixels = 20000
    levels = [Level.ve(s) for s in ve(CLEAN)]
    prior = GaussianPrior.diagonal(0.0, STD)

    def ancestral(views: ViewSet, start: Tensor, shared: bool) -> Tensor:
        sync = Synchronizer(SyncPlan(), views)
        trajectory = Trajectory.of(ve(CLEAN))
        rng, own = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
        sampler = canonical_noise_sampler(
            views,
            lambda a, b: torch.randn(1, 1, pixels, generator=rng, dtype=F64),
            lambda a, b: torch.randn(views.count, 1, 1, pixels, generator=own, dtype=F64),
        )
        x = start
        for level, following in itertools.pairwise(levels):
            here, there = torch.tensor(level.sigma), torch.tensor(following.sigma)
            clean, _, _ = sync.step(lambda v, at=level: prior.denoise(v, at), level.sigma, trajectory, NO_STATE, x)
            assert clean is not None
            noise = sampler(here, there) if shared else torch.randn(x.shape, generator=own, dtype=F64)
            x = ddim_eta_step(x, clean, level, following, noise, 1.0)
        return x

    views, alone = same_views(count, pixels), same_views(1, pixels)
    z = draw(1, 1, 1, pixels) * levels[0].sigma
    single = ancestral(alone, z, True)
    together = ancestral(views, z.repeat(count, 1, 1, 1), True)
    assert all(torch.equal(together[0], view) for view in together)
    torch.testing.assert_close(together[:1], single, rtol=1e-12, atol=1e-12)  # a sum of N parts x / N rounds
    apart = ancestral(views, draw(count, 1, 1, pixels, seed=3) * levels[0].sigma, False).mean(0)
    # Variance of 20000 samples: standard error sqrt(2 / 20000) = 1 % each; four of them for the ratio of two.
    ratio = float(apart.square().mean() / single.square().mean())
    assert ratio == pytest.approx(1 / count, rel=0.057)
    assert ratio == pytest.approx(kept, rel=0.06)


@pytest.mark.parametrize(
    ("plan", "psnr"),
    [
        (SyncPlan(process=0), 13.7),
        (SyncPlan(process=1), -15.1),
        (SyncPlan(process=2), 37.9),
        (SyncPlan(process=3), math.inf),
        (SyncPlan(schedule=Schedule(end=0.8)), 16.4),
        (SyncPlan(schedule=Schedule(end=0.5)), 14.2),
        (SyncPlan(schedule=Schedule(end=0.2)), 13.8),
    ],
)
def test_k15_final_agreement(plan: SyncPlan, psnr: float) -> None:
    """Four views of the whole signal, independent starts: PSNR (peak 2) of each view against what the canonical shows,
    exactly what 50 steps leave of the start's disagreement; a final sync makes it perfect."""
    pixels, count = 4000, 4
    views = same_views(count, pixels)
    sync = Synchronizer(plan, views)
    sigmas = ve(SD)
    trajectory = Trajectory.of(sigmas)
    x = start = draw(count, 1, 1, pixels) / SD[0].alpha
    for sigma, following in itertools.pairwise(sigmas):
        clean, _, _ = sync.step(lambda v, s=sigma: gaussian(STD)(v, s), sigma, trajectory, NO_STATE, x)
        assert clean is not None
        x = x + (x - clean) / sigma * (following - sigma)
    x = x * SD[-1].alpha
    factors = []
    for step, (rho, a, b) in enumerate(zip(RHO, SD, SD[1:], strict=False)):
        free = plan.process == 0 or step >= plan.schedule.end * 50 - 1e-9
        synced = {1: b.alpha / a.alpha, 2: b.sigma / a.sigma, 3: 0.0}.get(plan.process, 0.0)
        factors.append(rho if free else synced)
    left = disagreement(start, count) * SD[0].alpha * product(factors)
    consistent, _ = sync.sync(x)
    found = cross_view_psnr(x, consistent, 2.0)
    if math.isinf(psnr):
        assert found > 250
    else:
        assert disagreement(x, count) == pytest.approx(left, rel=1e-8)
        assert found == pytest.approx(10 * math.log10(4 / left**2), abs=1e-6)
        # 16000 normal numbers: the start's disagreement is known to 1 %, 0.1 dB.
        assert found == pytest.approx(psnr, abs=0.25)
    again, _ = sync.sync(consistent)
    assert torch.equal(again, consistent)


def test_k15_sync_to_the_very_end_agrees_without_a_final_sync_when_the_last_level_is_clean() -> None:
    views = same_views(4, 500)
    end = run(2, views, gaussian(STD), ve(CLEAN), draw(4, 1, 1, 500) / SD[0].alpha)
    assert disagreement(end, 4) < 1e-14


def test_the_dense_view_of_the_setup() -> None:
    """Q of identical views is the mean over views: eigenvalues 1 and 0, the extremes of test_k4_eigen_gain."""
    views = same_views(4, 1)
    q = dense(views.forward) @ dense(Aggregator(views).mean)
    assert torch.linalg.eigvalsh(q).tolist() == pytest.approx([0, 0, 0, 1], abs=1e-12)
