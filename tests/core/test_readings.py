"""Averages for readings of one picture: one view a step in turn, and opinions balanced."""

from dataclasses import replace

import pytest
import torch
from oracles.twins import F64, draw, random_views
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.sync_core import walked
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.schedule import Trajectory
from syncpack.sync_core.steering.readings import REDUCTIONS, Alternate, Balanced
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan
from syncpack.sync_core.views import ViewSet
from syncpack.sync_core.walked_mean import average_of
from torch import Tensor

TRAJECTORY = Trajectory.of([8.0, 4.0, 2.0, 1.0, 0.0])
READINGS = Scene(Illusion(32, 32), Warps(tuple(warp(n) for n in ("identity", "rotate_90", "negate")))).views(8)


def same(count: int, weights: tuple[float, ...] | None = None) -> ViewSet:
    """The whole picture of 4 x 4 cells, seen so many times, the views of these weights."""
    views = Scene(Illusion(32, 32), Warps((warp("identity"),) * count)).views(8)
    assert isinstance(views, ViewSet)
    if weights is None:
        return views
    return replace(views, weights=torch.tensor(weights).repeat_interleave(views.height * views.width))


@pytest.mark.parametrize("seed", range(3))
def test_alternate_is_the_view_whose_turn_it_is(seed: int) -> None:
    """And the mean of all, where it sees nothing."""
    views = random_views(seed)
    batch, mean = draw(2 * views.count, 2, views.height, views.width), Aggregator(views)
    for turn in range(2 * views.count):
        alone = Aggregator(views.only((turn % views.count,)))
        found, seen = Alternate(mean, turn)(batch), alone.seen.reshape(views.canonical)
        assert torch.equal(found[..., seen], alone(batch)[..., seen])
        assert torch.equal(found[..., ~seen], mean(batch)[..., ~seen])


@pytest.mark.parametrize("process", [2, 4, 5])
def test_steps_take_turns(process: int) -> None:
    """Views that are the whole picture, moved: every view gets the reading of the step's number, in any process."""
    views = READINGS
    sync = Synchronizer(SyncPlan(process=process, aggregation="alternate"), views)
    z = draw(2, 3, *views.canonical)
    w = views.project(z)
    seen: list[Tensor] = []

    def model(x: Tensor) -> Tensor:
        seen.append(torch.tanh(x + torch.arange(3, dtype=F64).repeat(2)[:, None, None, None]))
        return seen[-1]

    for step, sigma in enumerate(TRAJECTORY.sigmas[:-1]):
        state = {"w": w} if process == 2 else {"z": z}
        answer = sync.step(model, sigma, TRAJECTORY, NO_STATE, **state)
        wanted = Aggregator(views.only((step % 3,)))(seen[-1])
        found = answer[1] if process != 2 else answer[0]
        torch.testing.assert_close(found, views.project(wanted) if process == 2 else wanted, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(sync.sync(w, finished=True)[0], w)


@pytest.mark.parametrize("seed", range(4))
def test_balanced_is_the_mean_with_the_rig_s_weights_times_the_distance(seed: int) -> None:
    """Weights per picture of a batch, and maps with negative entries too."""
    views = random_views(seed) if seed < 3 else READINGS
    batch, mean = draw(2 * views.count, 2, views.height, views.width), Aggregator(views)
    agreed = views.project(mean(batch)) + views.background_of(batch)
    found = Balanced(mean)(batch)
    for picture in range(2):
        rows = slice(picture * views.count, (picture + 1) * views.count)
        apart, own = (batch - agreed)[rows].pow(2).mean(1), views.weight_pictures[:, 0].to(F64)
        distance = ((apart * own).sum((1, 2)) / own.sum((1, 2))).sqrt()
        scaled = views.weights.to(F64) * (distance / distance.max()).repeat_interleave(views.height * views.width)
        expected = Aggregator(replace(views, weights=scaled))(batch[rows])
        torch.testing.assert_close(found[picture : picture + 1], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (3.0, 1.0), (1.0, 1.0, 1.0), (1.0, 5.0, 0.5, 2.0, 1.0, 1.0)])
def test_two_opinions_are_equally_close(weights: tuple[float, ...]) -> None:
    views = same(len(weights), weights)
    one, other = draw(2, 1, 3, 4, 4)
    batch = torch.cat([*[one] * (len(weights) - 1), other])
    mean, found = Aggregator(views)(batch), Balanced(Aggregator(views))(batch)
    near = [float((found - wish).norm()) for wish in (one, other)]
    assert near[0] == pytest.approx(near[1], rel=1e-6)
    plain = [float((mean - wish).norm()) for wish in (one, other)]
    assert plain[0] == pytest.approx(plain[1] * weights[-1] / sum(weights[:-1]), rel=1e-5)


def test_views_that_agree_stay_as_they_are() -> None:
    z = draw(2, 3, *READINGS.canonical)
    w = READINGS.project(z)
    torch.testing.assert_close(Balanced(Aggregator(READINGS))(w), z, rtol=1e-9, atol=1e-9)
    assert torch.equal(Balanced(Aggregator(same(2))).weights(torch.zeros(2, 3, 4, 4)), torch.ones(1, 2))


def test_walked_views_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    place = (Plane(160, 96, wrap_x=True), Windows(64, 64, 32, 32))
    stored = Scene(*place).views(8)
    batch = draw(2 * stored.count, 3, 8, 8).float()
    expected = [Balanced(average_of(stored))(batch), Alternate(average_of(stored), 3)(batch)]
    monkeypatch.setattr(walked, "MAPS_AT_MOST", 0)
    mean = average_of(Scene(*place).views(8))
    for found, wanted in zip((Balanced(mean)(batch), Alternate(mean, 3)(batch)), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wish", REDUCTIONS)
def test_what_it_does_not_go_with(wish) -> None:
    with pytest.raises(ValueError, match=f"^variance_correction 0.5 goes by fixed weights, which aggregation {wish} "):
        SyncPlan(aggregation=wish, variance_correction=0.5)
    parts = Scene(Illusion(128, 128), Warps((warp("low_band"), warp("high_band")))).views(8)
    with pytest.raises(ValueError, match=f"^aggregation {wish} weighs views.*; use aggregation mean$"):
        Synchronizer(SyncPlan(aggregation=wish), parts)
