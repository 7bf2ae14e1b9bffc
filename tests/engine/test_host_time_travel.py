"""Time travel: steps done again from fresh noise. The state keeps the law of its noise level; sampler by sampler."""

import pytest
import torch
from helpers.hosting import gaussian, one_line, opinionated, run_advanced, run_node, run_patched
from oracles.twins import draw
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.sync_core.schedule import Schedule
from syncpack.sync_core.stochastic import Stochastic
from syncpack.sync_core.synchronizer import SyncPlan
from syncpack.sync_core.time_travel import STAY, TimeTravel, renoised

pytestmark = pytest.mark.host

SPACE, RIG = Illusion(128, 128), Warps((warp("identity"), warp("rotate_90"), warp("negate")))
ALL = {"travel_start": 0.0, "travel_end": 1.0}


def test_steps_inside_the_range_are_repeated_and_never_the_last() -> None:
    travel = TimeTravel(3, 0.2, 0.6)
    assert [travel.at(step, 10) for step in range(10)] == [1, 1, 3, 3, 3, 3, 1, 1, 1, 1]
    assert [TimeTravel(2).at(step, 3) for step in range(3)] == [2, 2, 1]
    assert STAY.at(0, 10) == 1
    for times, start, end, says in (
        (0, 0, 1, "travel_times 0: use 1"),
        (2, 0.6, 0.5, "travel_start 0.6 and travel_end"),
    ):
        with pytest.raises(ValueError, match=says):
            TimeTravel(times, start, end)


@pytest.mark.parametrize("flow", [False, True])
def test_going_back_keeps_the_law_of_the_level(flow: bool) -> None:
    """x = a picture + b noise at the low level: the same at the high one, with its own a and b."""
    low, high = ((0.7, 0.3), (0.2, 0.8)) if flow else ((1.0, 0.5), (1.0, 3.0))
    picture, first, fresh = (draw(200_000, seed=s) for s in range(3))
    x = renoised(low[0] * picture + low[1] * first, fresh, low, high)
    rest = x - high[0] * picture
    assert float(rest.std()) == pytest.approx(high[1], rel=0.01)
    assert float((rest * picture).mean()) == pytest.approx(0, abs=0.02)
    whole = renoised(x, fresh, high, (0.0, 1.0)) if flow else x
    assert not flow or torch.equal(whole, fresh)


def calls_of(model) -> list[int]:
    """Counts the model's calls from here on."""
    seen: list[int] = []
    inner = model.model.apply_model

    def counted(*args, **kwargs):
        seen.append(1)
        return inner(*args, **kwargs)

    model.model.apply_model = counted
    return seen


@pytest.mark.parametrize(("sampler", "each"), [("euler", 1), ("ddim", 1), ("heun", 2), ("dpm_2", 2)])
def test_it_costs_a_call_for_every_repetition(sampler: str, each: int) -> None:
    model = opinionated()
    seen = calls_of(model)
    run_node(model, SPACE, RIG, steps=5, sampler_name=sampler, views_per_batch=64)
    plain = len(seen)
    run_node(model, SPACE, RIG, steps=5, sampler_name=sampler, views_per_batch=64, travel_times=3, **ALL)
    assert len(seen) - plain == plain + 2 * 4 * each


@pytest.mark.parametrize("kind", ["EPS", "FLOW"])
@pytest.mark.parametrize("process", [2, 5])
def test_the_prior_is_kept_and_readings_agree(kind: str, process: int) -> None:
    """A Gaussian prior: what comes out has its spread, with and without journeys, and is one picture."""
    model = gaussian(0.5, kind)
    result = {}
    for times in (1, 4):
        views, whole = run_node(
            model, SPACE, RIG, steps=20, sampler_name="heun", process=process, batch_size=6, travel_times=times, **ALL
        )
        views, whole = views["samples"], whole["samples"]
        assert torch.allclose(views[0::3], whole, atol=1e-5) and torch.allclose(views[2::3], -whole, atol=1e-5)
        result[times] = float(whole.std())
    # (twenty steps of Heun come as near by themselves)
    assert result[1] == pytest.approx(0.5, rel=0.05) and result[4] == pytest.approx(0.5, rel=0.05)


def test_one_time_changes_no_bit_and_seeds_decide() -> None:
    plain = run_node(opinionated(), SPACE, RIG, steps=4)[0]["samples"]
    assert torch.equal(plain, run_node(opinionated(), SPACE, RIG, steps=4, travel_times=1)[0]["samples"])
    first, again, other = (
        run_node(opinionated(), SPACE, RIG, steps=4, travel_times=2, seed=seed, **ALL)[0]["samples"]
        for seed in (5, 5, 6)
    )
    assert torch.equal(first, again) and not torch.equal(first, other) and not torch.equal(first, plain)


def test_the_other_doors() -> None:
    latent = {"samples": torch.zeros(3, 4, 16, 16)}
    node = run_node(opinionated(), SPACE, RIG, steps=4, travel_times=2, **ALL)[0]["samples"]
    wrapped = run_advanced(opinionated(), SPACE, RIG, latent, steps=4, travel_times=2, **ALL)
    assert torch.allclose(node, wrapped, atol=1e-5)
    from syncpack.nodes import host

    if host.HAS_WRAPPERS:
        patched = run_patched(opinionated(), SPACE, RIG, latent["samples"], steps=4, travel_times=2, **ALL)
        assert torch.allclose(node, patched, atol=1e-5)
    else:
        with pytest.raises(ValueError, match="can patch a MODEL only for process 2 on every step"):
            run_patched(opinionated(), SPACE, RIG, latent["samples"], travel_times=2)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler_ancestral", "lms", "heunpp2"])
def test_samplers_that_cannot_are_refused(sampler: str) -> None:
    with pytest.raises(ValueError) as caught:
        run_node(opinionated(), SPACE, RIG, sampler_name=sampler, travel_times=2)
    one_line(
        caught.value, "SyncTweediesSampler", f"travel_times 2 repeats single steps, and {sampler}", "travel_times 1"
    )


def test_plans_that_cannot_are_refused() -> None:
    with pytest.raises(ValueError, match="leave travel_times 1"):
        SyncPlan(stochastic=Stochastic(), travel=TimeTravel(2))
    assert SyncPlan(schedule=Schedule(0, 0.5), travel=TimeTravel(2)).travel.times == 2
