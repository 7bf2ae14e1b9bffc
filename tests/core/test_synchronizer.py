"""The plan on a view set: what a sampler gets to see at each step."""

import pytest
import torch
from oracles.twins import F64, apply_to_views, dense, draw, make_views, mean_matrix, random_views
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.sync_core.process_steps import run_process
from syncpack.sync_core.processes import PROCESSES, process
from syncpack.sync_core.schedule import Schedule, Trajectory
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan, SyncState
from torch import Tensor

TRAJECTORY = Trajectory.of([8.0, 4.0, 2.0, 1.0, 0.0])
VIEWS = random_views(1)


def model(x: Tensor) -> Tensor:
    """Nonlinear, mixes channels and pixels; the same for every view."""
    return torch.tanh(x.flip(1) + 0.5 * x.roll(1, -1))


def batch_of(views=VIEWS, batch: int = 2, channels: int = 2) -> Tensor:
    return draw(batch * views.count, channels, views.height, views.width)


def test_sync_is_aggregate_and_project_and_background_stays() -> None:
    for background in (0.0, 0.3):
        views = random_views(2, background=background)
        w = batch_of(views)
        synced, state = Synchronizer(SyncPlan(), views).sync(w)
        cells = apply_to_views(mean_matrix(views), views, w)
        slow = torch.einsum("pk,bck->bcp", dense(views.forward), cells.flatten(2))
        slow = slow.reshape(2, 2, views.count, views.height, views.width).transpose(1, 2).flatten(0, 1)
        covered = views.covered.repeat(2, 1, 1)[:, None]
        torch.testing.assert_close(synced, torch.where(covered, slow, w), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(state.canonical, cells, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", range(60))
def test_every_process_steps_through_the_synchronizer(number: int) -> None:
    """The door the samplers use gives what the interpreter gives, with the ratio taken from the trajectory."""
    synchronizer = Synchronizer(SyncPlan(process=number), VIEWS)
    rule = synchronizer.plan.rule
    w = batch_of() if rule.w else None
    z = draw(2, 2, *VIEWS.canonical, seed=1) if rule.z else None
    for sigma, ratio in ((4.0, 0.5), (1.0, 0.0)):
        new_w, new_z, _ = synchronizer.step(model, sigma, TRAJECTORY, NO_STATE, w, z)
        expected = run_process(rule, synchronizer.maps, model, sigma, ratio, w, z)
        for got, want in ((new_w, expected.w), (new_z, expected.z)):
            assert (got is None) == (want is None)
            if got is not None and want is not None:
                torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", range(60))
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_one_identity_view_is_the_plain_model(number: int, dtype: torch.dtype) -> None:
    views = Scene(Plane(64, 48), Windows(64, 48, 64, 48)).views(8)
    synchronizer = Synchronizer(SyncPlan(process=number), views)
    rule = synchronizer.plan.rule
    x = draw(3, 4, 6, 8).to(dtype)
    w, z, _ = synchronizer.step(model, 4.0, TRAJECTORY, NO_STATE, x if rule.w else None, x if rule.z else None)
    for result in (w, z):
        if result is not None:
            assert result.dtype == dtype
            assert float((result - model(x)).abs().max()) < (1e-12 if dtype == F64 else 1e-5)
            if number in (0, 2):
                assert torch.equal(result, model(x))


@pytest.mark.parametrize("method", ["mean", "least_squares"])
def test_the_default_process_is_the_model_bit_for_bit_on_one_identity_view(method) -> None:
    """Through a whole run with a warm start; least squares to the accuracy of its ridge."""
    views = Scene(Plane(64, 48), Windows(64, 48, 64, 48)).views(8)
    synchronizer = Synchronizer(SyncPlan(aggregation=method), views)
    x = plain = 8 * draw(2, 4, 6, 8).float()
    state: SyncState = NO_STATE
    for sigma, following in zip(TRAJECTORY.sigmas, TRAJECTORY.sigmas[1:], strict=False):
        denoised, _, state = synchronizer.step(model, sigma, TRAJECTORY, state, x)
        assert denoised is not None
        x = x + (x - denoised) / sigma * (following - sigma)
        plain = plain + (plain - model(plain)) / sigma * (following - sigma)
    if method == "mean":
        assert torch.equal(x, plain)
    else:
        torch.testing.assert_close(x, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_equal_views_stay_equal(number: int) -> None:
    one = random_views(4, count=1, interpolating=False)
    views = make_views(dense(one.forward).repeat(3, 1), one.canonical, 3, 3, 4)
    synchronizer = Synchronizer(SyncPlan(process=number), views)
    rule = synchronizer.plan.rule
    w = draw(1, 2, 3, 4).repeat(3, 1, 1, 1)
    z = draw(1, 2, *one.canonical)
    new_w, new_z, _ = synchronizer.step(model, 4.0, TRAJECTORY, NO_STATE, w if rule.w else None, z if rule.z else None)
    seen = new_w if new_w is not None else views.project(new_z)
    assert all(torch.equal(seen[0], other) for other in seen)


@pytest.mark.parametrize("number", [1, 2, 3, 35])
@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_strength_blends_towards_the_synchronised_estimate(number: int, strength: float) -> None:
    w = batch_of()
    plan = SyncPlan(process=number, schedule=Schedule(strength=strength))
    full = Synchronizer(SyncPlan(process=number), VIEWS).step(model, 4.0, TRAJECTORY, NO_STATE, w)[0]
    result = Synchronizer(plan, VIEWS).step(model, 4.0, TRAJECTORY, NO_STATE, w)[0]
    torch.testing.assert_close(result, model(w) + strength * (full - model(w)), rtol=1e-12, atol=1e-12)
    if strength == 0:
        assert torch.equal(result, model(w))


INSTANCE = [p.number for p in PROCESSES if p.state == "instance"]
# Shown F(w) alone: there is no estimate of w without a second call.
SHOWN_CONSISTENT = [p.number for p in PROCESSES if p.state == "instance" and "eps(F(w))" in p.w]


@pytest.mark.parametrize(
    ("number", "strength"), [(n, 1.0) for n in range(60)] + [(n, g) for n in INSTANCE for g in (0.0, 0.4)]
)
def test_one_model_call_a_step(number: int, strength: float) -> None:
    """Whatever the strength; joint processes have two states to ask about."""
    rule, calls = process(number), []

    def counted(x: Tensor) -> Tensor:
        calls.append(x)
        return model(x)

    plan = SyncPlan(process=number, schedule=Schedule(strength=strength))
    w, z = batch_of() if rule.w else None, draw(2, 2, *VIEWS.canonical, seed=1) if rule.z else None
    Synchronizer(plan, VIEWS).step(counted, 4.0, TRAJECTORY, NO_STATE, w, z)
    assert len(calls) == (2 if rule.state == "joint" else 1)


@pytest.mark.parametrize("number", [n for n in INSTANCE if n not in SHOWN_CONSISTENT])
def test_every_process_blends_with_the_views_own_estimate(number: int) -> None:
    w = batch_of()
    full = Synchronizer(SyncPlan(process=number), VIEWS).step(model, 4.0, TRAJECTORY, NO_STATE, w)[0]
    plan = SyncPlan(process=number, schedule=Schedule(strength=0.3))
    result = Synchronizer(plan, VIEWS).step(model, 4.0, TRAJECTORY, NO_STATE, w)[0]
    torch.testing.assert_close(result, model(w) + 0.3 * (full - model(w)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", SHOWN_CONSISTENT)
def test_processes_that_show_consistent_views_go_from_nothing_to_all(number: int) -> None:
    """The model sees views moved by the strength: it meets the plain model at 0 and the process at 1."""
    w = batch_of()

    def at(strength: float) -> Tensor:
        plan = SyncPlan(process=number, schedule=Schedule(strength=strength))
        return Synchronizer(plan, VIEWS).step(model, 4.0, TRAJECTORY, NO_STATE, w)[0]

    torch.testing.assert_close(at(1e-9), model(w), rtol=0, atol=1e-6)
    torch.testing.assert_close(at(1 - 1e-9), at(1.0), rtol=0, atol=1e-6)
    seen = []

    def watched(x: Tensor) -> Tensor:
        seen.append(x)
        return model(x)

    plan = SyncPlan(process=number, schedule=Schedule(strength=0.3))
    Synchronizer(plan, VIEWS).step(watched, 4.0, TRAJECTORY, NO_STATE, w)
    consistent = Synchronizer(SyncPlan(), VIEWS).maps.sync(w)
    torch.testing.assert_close(seen[0], w + 0.3 * (consistent - w), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_steps_off_schedule_are_the_model_bit_for_bit(number: int) -> None:
    synchronizer = Synchronizer(SyncPlan(process=number, schedule=Schedule(end=0.5)), VIEWS)
    w = batch_of()
    for sigma, free in ((8.0, False), (4.0, False), (2.0, True), (1.0, True)):
        result = synchronizer.step(model, sigma, TRAJECTORY, NO_STATE, w)[0]
        assert torch.equal(result, model(w)) == free


def test_state_in_state_out_nothing_kept() -> None:
    """Two runs interleaved on one synchroniser do not see each other; the state is the last canonical estimate."""
    synchronizer = Synchronizer(SyncPlan(aggregation="least_squares"), VIEWS)
    a, b = batch_of(), 3 - batch_of()
    alone = synchronizer.step(model, 4.0, TRAJECTORY, NO_STATE, a)
    other = synchronizer.step(model, 4.0, TRAJECTORY, NO_STATE, b)
    again = synchronizer.step(model, 4.0, TRAJECTORY, NO_STATE, a)
    assert torch.equal(alone[0], again[0])
    assert torch.equal(alone[2].canonical, again[2].canonical)
    assert not torch.equal(alone[2].canonical, other[2].canonical)
    assert NO_STATE.canonical is None


def test_a_warm_start_reaches_the_same_answer() -> None:
    synchronizer = Synchronizer(SyncPlan(aggregation="least_squares"), VIEWS)
    w = batch_of()
    cold, state = synchronizer.sync(w)
    warm, _ = synchronizer.sync(w, state)
    torch.testing.assert_close(warm, cold, rtol=0, atol=1e-5)


def test_a_step_starts_from_the_state_it_is_given() -> None:
    """A start within the tolerance is kept as it is; a cold start would solve anew."""
    synchronizer = Synchronizer(SyncPlan(aggregation="least_squares"), VIEWS)
    w = batch_of()
    solved = synchronizer.step(model, 4.0, TRAJECTORY, NO_STATE, w)[2].canonical
    near = solved + 1e-10 * draw(*solved.shape, seed=5)
    after = synchronizer.step(model, 4.0, TRAJECTORY, SyncState(near), w)[2].canonical
    assert torch.equal(after, near)


def test_the_same_plan_gives_the_same_bits() -> None:
    results = [
        Synchronizer(SyncPlan(), random_views(1)).step(model, 4.0, TRAJECTORY, NO_STATE, batch_of())[0] for _ in "ab"
    ]
    assert torch.equal(results[0], results[1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"process": 60}, r"process 60 does not exist; use 0 to 59 \(2 is SyncTweedies\)"),
        ({"process": -1}, "process -1 does not exist; .*"),
        ({"aggregation": "sum"}, "aggregation 'sum' is unknown; use one of mean, least_squares, alternate, balanced"),
        ({"noise": "white"}, "noise 'white' is unknown; use one of polar, projected, independent"),
        ({"step_noise": "shared"}, "step_noise 'shared' is unknown; use one of canonical, independent"),
        (
            {"process": 4, "schedule": Schedule(start=0.2, end=0.8)},
            "process 4 keeps a canonical state, so it synchronises every step until sync_end in full; leave .* or use "
            "process 2",
        ),
        ({"process": 57, "schedule": Schedule(strength=0.5)}, "process 57 keeps a canonical state, .*"),
    ],
)
def test_bad_plan_values_are_one_clear_line(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        SyncPlan(**values)


def test_a_batch_that_does_not_match_the_rig_is_refused() -> None:
    synchronizer = Synchronizer(SyncPlan(), VIEWS)
    with pytest.raises(ValueError, match=r"^a batch of 4 views of 4 x 3 does not match a rig of 3 views of 4 x 3$"):
        synchronizer.step(model, 4.0, TRAJECTORY, NO_STATE, draw(4, 2, 3, 4))
