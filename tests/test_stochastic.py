"""The numbers of the stochastic walk."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syncpack.sync_core.schedule import Schedule
from syncpack.sync_core.stochastic import Stochastic, inner_levels
from syncpack.sync_core.synchronizer import SyncPlan


def test_the_published_walk():
    """25 steps: timesteps 900 to 270, two without content, two soft ones at 540."""
    walk = Stochastic()
    times = [1000 * (1 - walk.fraction(k, 25)) for k in range(25)]
    assert times[0] == pytest.approx(900) and times[22] == pytest.approx(270)
    assert times[23:] == pytest.approx([540, 540])
    assert all(a > b for a, b in itertools.pairwise(times[:23]))
    assert [k for k in range(25) if walk.is_blank(k, 25)] == [0, 1]
    assert [k for k in range(25) if walk.is_soft(k, 25)] == [23, 24]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_short_walks_still_begin_and_end(steps):
    walk = Stochastic()
    fractions = [walk.fraction(k, steps) for k in range(steps)]
    assert all(0 <= f <= 1 for f in fractions) and fractions[0] == pytest.approx(0.1)
    assert not walk.is_soft(0, steps) and not walk.is_blank(steps - 1, steps)


@given(st.lists(st.floats(0.01, 50), min_size=2, max_size=12, unique=True), st.integers(1, 30), st.floats(0, 1))
def test_inner_levels_fall_to_zero_along_the_curve(levels, steps, part):
    curve = [*sorted(levels, reverse=True), 0.0]
    start = curve[0] * (1 - part) + 1e-3
    inner = inner_levels(curve, start, steps)
    assert len(inner) == steps + 1 and inner[0] == start and inner[-1] == 0.0
    assert all(a >= b - 1e-9 for a, b in itertools.pairwise(inner[1:]))


def test_inner_levels_from_the_top_are_the_curve_itself():
    curve = [8.0, 4.0, 2.0, 1.0, 0.0]
    assert inner_levels(curve, 8.0, 4) == pytest.approx(curve)
    assert inner_levels(curve, 3.0, 5)[1] < 3.0


@pytest.mark.parametrize(
    "changes, message",
    [({"inner_steps": 0}, "inner_steps 0"), ({"start": 0.9}, "start 0.9"), ({"soft_steps": -1}, "counts")],
)
def test_bad_walks(changes, message):
    with pytest.raises(ValueError, match=message):
        Stochastic(**changes)


def test_a_walk_does_not_mix_with_other_plans():
    for plan in ({"process": 5}, {"schedule": Schedule(end=0.5)}):
        with pytest.raises(ValueError, match="StochSync"):
            SyncPlan(stochastic=Stochastic(), **plan)
