"""Weights that change during a run: each step averages with its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from syncpack.renderers.plane.space import Plane, Windows, place, window_views
from syncpack.sync_core.aggregate import Aggregator, HitShares, mean_map
from syncpack.sync_core.ramps import WeightRamp
from syncpack.sync_core.schedule import Trajectory
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan
from syncpack.sync_core.views import ViewSet

TRAJECTORY = Trajectory.of([8.0, 4.0, 2.0, 0.0])


def ramped(first: float = 0.0, last: float = 6.0) -> ViewSet:
    views = window_views(place(Plane(96, 64), Windows(64, 64, 16, 16), 8), "flat")
    generator = torch.Generator().manual_seed(3)
    cosine = torch.rand(views.weights.shape, generator=generator)
    cosine[::7] = 0.0
    ramp = WeightRamp(cosine, first, last)
    return replace(views, weights=ramp.weights(0), ramp=ramp)


@pytest.mark.parametrize("progress", [0.0, 0.4, 1.0])
def test_shares_weighted_are_the_mean_map(progress: float) -> None:
    views = ramped().at(progress)
    quick = HitShares.of(ramped()).weighted(views.weights)
    w = torch.randn(views.forward.rows, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(quick.apply(w), mean_map(views).apply(w), atol=1e-6)
    assert torch.equal(Aggregator(views, shares=HitShares.of(views)).seen, Aggregator(views).seen)


def test_exponents_go_evenly_from_first_to_last() -> None:
    views = ramped(1.0, 3.0)
    cosine = views.ramp.cosine  # pyright: ignore[reportOptionalMemberAccess]
    for progress, exponent in ((0.0, 1.0), (0.5, 2.0), (1.0, 3.0), (2.0, 3.0)):
        assert torch.allclose(views.at(progress).weights, cosine**exponent)


def test_what_faces_away_never_counts() -> None:
    views = ramped(0.0, 0.0)
    hidden = views.ramp.cosine == 0  # pyright: ignore[reportOptionalMemberAccess]
    assert bool((views.at(0.0).weights[hidden] == 0).all()) and bool((views.at(0.0).weights[~hidden] == 1).all())


@pytest.mark.parametrize("process", [2, 3])
@pytest.mark.parametrize("method", ["mean", "least_squares"])
def test_each_step_uses_its_own_weights(process: int, method: str) -> None:
    views, plan = ramped(), SyncPlan(process=process, aggregation=method)  # pyright: ignore[reportArgumentType]
    w = torch.randn(views.count, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    for sigma, progress in ((8.0, 0.0), (4.0, 0.5), (3.9, 0.5), (2.0, 1.0)):
        found = Synchronizer(plan, views).step(torch.tanh, sigma, TRAJECTORY, NO_STATE, w)[0]
        fixed = replace(views.at(progress), ramp=None)
        expected = Synchronizer(plan, fixed).step(torch.tanh, sigma, TRAJECTORY, NO_STATE, w)[0]
        assert found is not None and expected is not None
        assert torch.allclose(found, expected, atol=1e-5)
    first = Synchronizer(plan, views).step(torch.tanh, 8.0, TRAJECTORY, NO_STATE, w)[0]
    last = Synchronizer(plan, views).step(torch.tanh, 2.0, TRAJECTORY, NO_STATE, w)[0]
    assert first is not None and last is not None and not torch.allclose(first, last, atol=1e-2)


def test_a_single_step_run_has_its_first_exponent() -> None:
    assert Trajectory.of([1.0, 0.0]).ramp(1.0) == 0.0
    assert TRAJECTORY.ramp(None) == 1.0
