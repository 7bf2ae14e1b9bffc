"""The numbers of the stochastic walk."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.stochsync_twin import CLEAN, timesteps
from syncpack.sync_core.schedule import Schedule
from syncpack.sync_core.stochastic import NOISE, Stochastic, released
from syncpack.sync_core.synchronizer import SyncPlan


def test_the_published_walk():
    """25 steps on two sets: noise twice, 900 - 25.2 k, and twice the level in the last two."""
    walk = Stochastic().of(25, 2, blank=True)
    times = [walk.time(k) for k in range(25)]
    assert times[:2] == [999, 999]
    assert times[2:23] == [int(900 - 25.2 * k + 1e-9) for k in range(2, 23)] and times[22] == 345
    assert times[23:] == [640, 590]
    assert [k for k in range(25) if walk.is_soft(k)] == [23, 24]


def test_the_published_ladder():
    """The part below a level of linspace(999, 0, 25), of 50 for the plain steps of the last two: 420 evaluations."""
    walk = Stochastic().of(25, 2, blank=True)
    for k in range(25):
        assert [*walk.times(k), CLEAN] == timesteps(walk.time(k), 50 if k > 22 else 25)
    assert [len(walk.times(k)) for k in (0, 2, 22, 23, 24)] == [24, 21, 9, 32, 29]
    assert sum(len(walk.times(k)) for k in range(25)) == 420


@pytest.mark.parametrize("sets", [1, 2, 4, 7])
def test_as_many_steps_begin_with_noise_as_there_are_sets(sets):
    """(the published configurations: 2 of 2 on panoramas, 4 of 4 on meshes)"""
    walk = Stochastic().of(25, sets, blank=True)
    assert [k for k in range(25) if walk.time(k) == NOISE] == list(range(sets))
    assert not any(Stochastic().of(25, sets, blank=False).time(k) == NOISE for k in range(25))
    assert Stochastic(blank_steps=3).of(25, sets, blank=True).blank == 3


@pytest.mark.parametrize("count", [25, 26, 40, 50])
def test_the_ladder_of_torch(count):
    walk = Stochastic(inner_steps=count).of(25, 2, blank=True)
    rungs = [int(t) for t in torch.linspace(999, 0, count, dtype=torch.long)]
    assert walk.times(0) == [t for t in rungs if t > 0]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_short_walks_still_begin_and_end(steps):
    """Nothing is kept where nothing is yet, and the only step is no last one."""
    walk = Stochastic().of(steps, 1, blank=True)
    assert walk.time(0) == NOISE and not walk.is_soft(0)
    assert all(0 < walk.time(k) <= NOISE for k in range(steps))


@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_every_step_falls_from_its_level(steps, count, sets, blank):
    walk = Stochastic(inner_steps=count).of(steps, sets, blank)
    for k in range(steps):
        times = walk.times(k)
        assert times[0] == walk.time(k) and times[-1] > 0
        assert all(a > b for a, b in itertools.pairwise(times))
        assert len(times) <= min(max(count, 50), 2 * count)


def test_borders_are_let_go_from_the_middle():
    assert [released(k, 4) for k in range(4)] == [1.0, 0.75, 0.5, 0.25]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"inner_steps": 0}, "inner_steps 0"),
        ({"start": 200}, "start 200 and end 270"),
        ({"start": 1000}, "start 1000"),
        ({"soft_steps": -1}, "counts"),
        ({"blank_steps": -1}, "counts"),
    ],
)
def test_bad_walks(changes, message):
    with pytest.raises(ValueError, match=message):
        Stochastic(**changes)


def test_a_walk_does_not_mix_with_other_plans():
    for plan in ({"process": 5}, {"schedule": Schedule(end=0.5)}):
        with pytest.raises(ValueError, match="StochSync"):
            SyncPlan(stochastic=Stochastic(), **plan)
