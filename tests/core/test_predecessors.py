"""SyncSDE: each view leans on the one before it. Held against the published update, and against views one by one."""

import math

import pytest
import torch
from oracles.parameterization import Level
from oracles.stepping import ddim_step
from oracles.twins import F64, draw, random_views
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.sync_core import walked
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.schedule import Schedule, Trajectory
from syncpack.sync_core.steering.predecessors import Predecessors, predecessors, reached
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan
from syncpack.sync_core.walked_mean import average_of

# Five windows of 8 x 8 cells, every 4 cells on 24 x 8.
WINDOWS = Scene(Plane(192, 64), Windows(64, 64, 32, 64)).views(8)


def model(x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(x.flip(1) + 0.5 * x.roll(1, -1))


def published(x: torch.Tensor, clean: torch.Tensor, levels: tuple[Level, Level], kappa: float) -> torch.Tensor:
    """One step of windows of 8 every 4 in a row [N, C, 8, 8], in the variables of the paper: a plain step, then three
    terms."""
    level, after = levels
    result = ddim_step(x, clean, level, after)
    gain = after.alpha / level.alpha - after.sigma / level.sigma
    for i in range(1, len(x)):
        mask = torch.ones(8, dtype=F64)
        mask[:4] = 0.0  # the left half is the right half of the window before
        mapped = torch.zeros_like(x[i])
        mapped[..., :4] = x[i - 1][..., 4:]
        result[i] -= gain * kappa * (1 - mask) * (x[i] - mapped)
    return result


@pytest.mark.parametrize("lean", [5.0, 1.0])
def test_the_published_update(lean: float) -> None:
    times = (0.9, 0.55, 0.2)
    steps = [Level.vp(share) for share in (0.05, 0.055, 0.06)]
    x = draw(5, 3, 8, 8)
    ve = tuple(level.ve_sigma for level in steps)
    sync = Synchronizer(SyncPlan(process=0, coupling=lean), WINDOWS)
    trajectory = Trajectory.of([*ve], times)
    for k in range(2):
        level, after = steps[k], steps[k + 1]
        clean = model(x / level.alpha)
        expected = published(x, clean, (level, after), lean * times[k])
        state = x / level.alpha
        answer, _, _ = sync.step(model, ve[k], trajectory, NO_STATE, state)
        assert answer is not None
        ratio = ve[k + 1] / ve[k]
        stepped = ratio * state + (1 - ratio) * answer
        torch.testing.assert_close(stepped * after.alpha, expected, rtol=1e-12, atol=1e-12)
        x = expected


def test_p_is_f_of_one_view_alone() -> None:
    """On any views: the picture that one view makes, seen by the next, and which of its pixels that covers."""
    for seed in range(4):
        views = random_views(seed, background=0.2)
        mean, batch = Predecessors(Aggregator(views)), draw(2 * views.count, 2, views.height, views.width)
        shown, share = mean(batch)
        for number, before in enumerate(mean.before):
            rows = [number, views.count + number]
            if before < 0:
                assert float(share[rows].abs().max()) == 0 and float(shown[rows].abs().max()) == 0
                continue
            alone = Aggregator(views.only((before,)))
            expected, seen = views.project(alone(batch))[rows], alone.seen.to(F64).reshape(1, 1, *views.canonical)
            size = views.forward.with_weights(views.forward.weights.abs()).apply(seen.reshape(-1, 1))
            whole = views.forward.with_weights(views.forward.weights.abs()).apply(torch.ones_like(seen.reshape(-1, 1)))
            size, whole = (v.reshape(views.count, 1, views.height, views.width)[number] for v in (size, whole))
            torch.testing.assert_close(share[rows[0]], size / whole.clamp_min(1e-12))
            torch.testing.assert_close(shown[rows] * size, expected, rtol=1e-9, atol=1e-9)


def test_who_comes_before() -> None:
    assert predecessors(WINDOWS) == [-1, 0, 1, 2, 3]
    grid = Scene(Plane(128, 128), Windows(64, 64, 32, 64)).views(8)
    assert predecessors(grid) == [-1, 0, 1, 0, 3, 4, 3, 6, 7] or grid.count != 9
    apart = Scene(Plane(192, 64), Windows(64, 64, 64, 64)).views(8)
    assert predecessors(apart) == [-1, -1, -1]
    sync = Synchronizer(SyncPlan(process=0, coupling=5.0), apart)
    x = draw(3, 2, 8, 8)
    answer = sync.step(model, 4.0, Trajectory.of([4.0, 0.0]), NO_STATE, x)[0]
    assert answer is not None and torch.equal(answer, model(x)), "views that share nothing are free"


def test_walked_views_lean_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    place = (Plane(160, 96, wrap_x=True), Windows(64, 64, 32, 32))
    stored = Scene(*place).views(8)
    batch = draw(2 * stored.count, 3, 8, 8).float()
    expected = Predecessors(Aggregator(stored))(batch)
    monkeypatch.setattr(walked, "MAPS_AT_MOST", 0)
    made = Scene(*place).views(8)
    found = Predecessors(average_of(made))(batch)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_how_strongly() -> None:
    """kappa = (1/lambda) t/T, times the schedule's strength; without the model's times, steps count."""
    sigmas = [8.0, 4.0, 2.0, 1.0, 0.0]
    steps, told = Trajectory.of(sigmas), Trajectory.of(sigmas, (1.0, 0.6, 0.3, 0.1, 0.0))
    assert [steps.left(s) for s in sigmas] == pytest.approx([1, 0.75, 0.5, 0.25, 0.25])
    assert [told.left(s) for s in sigmas[:-1]] == pytest.approx([1, 0.6, 0.3, 0.1])
    assert told.left(math.sqrt(8.0)) == pytest.approx(0.45)
    x = draw(5, 2, 8, 8)

    fine = Trajectory.of([4.0, 3.8, 3.6], (0.6, 0.58, 0.56))

    def change(**plan: object) -> torch.Tensor:
        sync = Synchronizer(SyncPlan(process=0, **plan), WINDOWS)  # pyright: ignore[reportArgumentType]
        answer = sync.step(model, 3.8, fine, NO_STATE, x)[0]
        assert answer is not None
        return answer - model(x)

    full = change(coupling=5.0)
    assert float(full[1:].abs().max()) > 1 and float(full[0].abs().max()) == 0
    torch.testing.assert_close(change(coupling=1.0), full / 5)
    torch.testing.assert_close(change(coupling=5.0, schedule=Schedule(strength=0.5)), full / 2)
    assert float(change(coupling=5.0, schedule=Schedule(end=0.5)).abs().max()) == 0
    assert float(change().abs().max()) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"coupling": -1.0, "process": 0}, r"lean -1.0: use 0 \(each view alone\) or more; 5 as published"),
        ({"coupling": math.nan, "process": 0}, "lean nan: .*"),
        ({"coupling": 5.0}, "SyncSDE averages nothing, and process 2 does; use process 0"),
    ],
)
def test_bad_values(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        SyncPlan(**values)


def test_a_step_never_carries_a_view_past_its_neighbour() -> None:
    """With a model that says nothing new a plain step leaves a share of the difference between 0 and -1 of it."""
    for ratio in (0.0, 0.1, 0.5, 0.8, 0.95, 1.0):
        for asked in (0.05, 0.9, 5.0, 100.0):
            kappa = reached(asked, ratio)
            assert kappa == asked or kappa < asked
            assert -1e-12 <= ratio - (1 - ratio) * kappa + max(0.0, 1 - 2 * ratio) <= 1 + 1e-9
    assert reached(5 * 0.981, 0.93) == 5 * 0.981
