"""Which steps are synchronised, and how strongly."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syncpack.sync_core.schedule import ALWAYS, Schedule, Trajectory

law = settings(deadline=None, max_examples=100)

falling = st.lists(st.floats(0.01, 100), min_size=2, max_size=40, unique_by=lambda s: round(math.log(s), 3)).map(
    lambda s: Trajectory.of([*sorted(s, reverse=True), 0.0])
)


def strengths(schedule: Schedule, steps: int) -> list[float]:
    trajectory = Trajectory.of([float(steps - i) for i in range(steps + 1)])
    return [schedule.at(trajectory, s) for s in trajectory.sigmas[:-1]]


@law
@given(falling)
def test_every_level_belongs_to_its_own_step_rounding_included(trajectory: Trajectory) -> None:
    for step, sigma in enumerate(trajectory.sigmas[:-1]):
        for slack in (1.0, 1 + 2e-7, 1 - 2e-7):  # float32 rounding
            assert trajectory.step_of(sigma * slack) == step
        assert trajectory.next_after(sigma) == trajectory.sigmas[step + 1]


@law
@given(falling, st.floats(0.05, 0.95))
def test_a_level_between_two_steps_belongs_to_the_earlier(trajectory: Trajectory, share: float) -> None:
    for step, (high, low) in enumerate(zip(trajectory.sigmas, trajectory.sigmas[1:], strict=False)):
        between = low + share * (high - low)
        if (1 + 1e-5) * low < between < (1 - 1e-5) * high:
            assert trajectory.step_of(between) == step


@law
@given(falling)
def test_levels_outside_the_run_are_its_first_and_last_step(trajectory: Trajectory) -> None:
    assert trajectory.step_of(2 * trajectory.sigmas[0]) == 0
    assert trajectory.step_of(0.0) == trajectory.steps - 1
    assert trajectory.progress(2 * trajectory.sigmas[0]) == 0


@law
@given(falling, st.lists(st.floats(0, 120), min_size=2, max_size=10))
def test_progress_grows_from_0_to_1_as_noise_falls(trajectory: Trajectory, levels: list[float]) -> None:
    found = [trajectory.progress(s) for s in sorted(levels, reverse=True)]
    assert found == sorted(found)
    assert all(0 <= p <= 1 for p in found)
    for step, sigma in enumerate(trajectory.sigmas[:-1]):
        assert trajectory.progress(sigma) == pytest.approx(step / trajectory.steps, abs=1e-9)


def test_progress_between_two_steps_is_logarithmic() -> None:
    trajectory = Trajectory.of([4.0, 1.0, 0.0])
    assert trajectory.progress(2.0) == pytest.approx(0.25)
    assert trajectory.progress(0.5) == 0.5  # the last step ends at 0: no logarithm there


def test_a_run_of_one_step_or_none() -> None:
    assert Trajectory.of([3.0, 0.0]).step_of(3.0) == 0
    empty = Trajectory.of([3.0])
    assert (empty.steps, empty.next_after(3.0)) == (0, 3.0)


def test_always_is_every_step_in_full() -> None:
    assert ALWAYS.is_constant
    assert strengths(ALWAYS, 7) == [1.0] * 7
    assert not Schedule(strength=0.5).is_constant


@law
@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50), st.integers(1, 7), st.floats(0, 1))
def test_the_window_and_the_beat_are_counted_in_steps(steps, first, last, every, strength) -> None:
    """start = first/steps, end = last/steps select the steps first, first + every, ... below last: all of them."""
    if not first < last <= steps:
        return
    schedule = Schedule(first / steps, last / steps, every, strength)
    chosen = range(first, last, every)
    assert strengths(schedule, steps) == [strength if step in chosen else 0.0 for step in range(steps)]


def test_fractions_between_steps_round_inwards() -> None:
    assert strengths(Schedule(0.25, 0.8), 10) == [0, 0, 0, 1, 1, 1, 1, 1, 0, 0]
    assert sum(strengths(Schedule(0.0, 0.8), 30)) == 24


def test_levels_of_a_higher_order_sampler_follow_their_step() -> None:
    trajectory = Trajectory.of([8.0, 4.0, 2.0, 1.0, 0.0])
    half = Schedule(end=0.5)
    assert [half.at(trajectory, s) for s in (8.0, 5.7, 4.0, 2.8, 2.0, 1.4, 1.0, 0.5)] == [1, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Schedule(start=-0.1), "sync_start -0.1 and sync_end 1: use fractions with 0 <= start < end <= 1"),
        (lambda: Schedule(end=1.5), "sync_start 0 and sync_end 1.5: .*"),
        (lambda: Schedule(start=0.5, end=0.5), "sync_start 0.5 and sync_end 0.5: .*"),
        (lambda: Schedule(start=math.nan), "sync_start nan and sync_end 1: .*"),
        (lambda: Schedule(every=0), r"sync_every 0: use 1 \(every step\) or more"),
        (lambda: Schedule(every=-2), "sync_every -2: .*"),
        (lambda: Schedule(strength=1.2), "sync_strength 1.2: use a value from 0 to 1"),
        (lambda: Schedule(strength=-0.2), "sync_strength -0.2: .*"),
        (lambda: Schedule(strength=math.nan), "sync_strength nan: .*"),
    ],
)
def test_bad_plan_values_are_one_clear_line(make, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()
