"""Runs in which only some views are asked at a step: which ones, what happens to cells that nobody saw, and how near
the truth the result is, on a Gaussian prior, where all of it is known in closed form."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from helpers.k_runs import CLEAN, F64, gain_of, gaussian, product, ve
from helpers.meshes import torus
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.gaussian import GaussianPrior
from oracles.parameterization import ddim_levels
from syncpack.renderers.cameras.lookouts import fibonacci, sphere
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.renderers.plane.space import Plane, Windows, place
from syncpack.renderers.plane.tiling import WindowTilings
from syncpack.renderers.plane.walk import WindowWalk
from syncpack.renderers.scene import Scene
from syncpack.sync_core.process_steps import SyncMaps, run_process
from syncpack.sync_core.processes import PROCESSES
from syncpack.sync_core.schedule import Schedule, Trajectory
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan, SyncState
from syncpack.sync_core.time_travel import TimeTravel
from syncpack.sync_core.visits.answers import Answers
from syncpack.sync_core.visits.chooser import areas_of, chosen, cost_of
from syncpack.sync_core.visits.cover import Covers
from syncpack.sync_core.visits.mean import VisitedMean
from syncpack.sync_core.visits.policy import ALL, Visiting, Visits, averages
from syncpack.sync_core.walked import WalkedViews
from syncpack.sync_core.walked_mean import average_of


def draw_of(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda: float(torch.rand(1, generator=generator, dtype=F64))


def line(length, size, stride, overlap=0.125, wrap=False):
    placement = place(Plane(length, 1, wrap), Windows(size, 1, stride, 1), 1)
    return placement, WindowTilings(placement, (False, wrap), overlap, "")


# --- which views


@settings(max_examples=60, deadline=None)
@given(
    st.integers(16, 90), st.integers(16, 40), st.integers(1, 16), st.integers(1, 16), st.floats(0, 0.5),
    st.booleans(), st.booleans(), st.integers(0, 1000),
)  # fmt: skip
def test_a_tiling_sees_every_cell(width, height, across, down, overlap, wrap_x, wrap_y, seed):
    placement = place(Plane(width, height, wrap_x, wrap_y), Windows(16, 16, across, down), 1)
    rows = WindowTilings(placement, (wrap_y, wrap_x), overlap, "")(draw_of(seed))
    assert list(rows) == sorted(set(rows)) and max(rows) < placement.count
    seen = torch.zeros(height, width, dtype=torch.bool)
    for number in rows:
        top, left = placement.rows[number // len(placement.columns)], placement.columns[number % len(placement.columns)]
        seen[((top + torch.arange(16)) % height)[:, None], (left + torch.arange(16)) % width] = True
    assert bool(seen.all())


@pytest.mark.parametrize("wrap", [False, True])
def test_neighbours_share_what_was_asked_and_no_more_windows_are_taken_than_that_needs(wrap):
    placement, tiling = line(384, 64, 8, wrap=wrap)
    for seed in range(40):
        starts = [placement.columns[n] for n in tiling(draw_of(seed))]
        gaps = [b - a for a, b in itertools.pairwise(starts)]
        if wrap:
            gaps.append(starts[0] + 384 - starts[-1])
        assert max(gaps) <= 56
        assert len(starts) == 7 if wrap else len(starts) in (7, 8)


def test_borders_move():
    """Every place where a window can begin or end is one, sooner or later."""
    placement, tiling = line(384, 64, 8)
    begun = {placement.columns[n] for seed in range(200) for n in tiling(draw_of(seed))}
    assert begun == set(placement.columns)


def test_rows_of_windows_are_laid_like_bricks():
    placement = place(Plane(256, 64), Windows(32, 32, 4, 32), 1)
    tiling = WindowTilings(placement, (False, False), 0.0, "")
    across = len(placement.columns)
    rows = tiling(draw_of(3))
    assert {n % across for n in rows if n < across} != {n % across for n in rows if n >= across}


SPHERE = Scene(Panorama(64, 32), Lookout(fibonacci(90, 0.6), 16, 16))


@pytest.mark.parametrize("overlap", [0.0, 0.125, 0.25])
def test_any_rig_has_sets_that_see_what_all_see(overlap):
    views = SPHERE.views(1)
    tiling, found = Covers(views, overlap), set()
    for seed in range(12):
        rows = tiling(draw_of(seed))
        assert list(rows) == sorted(set(rows)) and len(rows) <= 0.6 * views.count
        assert torch.equal(average_of(views.only(rows)).seen, average_of(views).seen)
        found.add(rows)
    assert len(found) > 6


def test_sets_that_leave_something_out_leave_it_out_for_two_steps_at_most():
    views = SPHERE.views(1)
    for overlap in (0.0, 0.125):
        tiling = Covers(views, overlap)
        before, waited = [None], torch.zeros(views.cells, dtype=torch.int64)
        for step in range(20):
            rows = tiling(draw_of(step), before, 0.04)
            seen = average_of(views.only(rows)).seen
            assert float((~seen).double().mean()) <= 0.04
            waited = torch.where(seen, 0, waited + 1)
            before.append(rows)
            assert int(waited.max()) <= 2
        assert len({rows for rows in before if rows}) > 10
        whole = [len(tiling(draw_of(step))) for step in range(20)]
        assert sum(len(rows) for rows in before if rows) < 0.9 * sum(whole)
        assert torch.equal(average_of(views.only(tiling(draw_of(1), [], 0.04))).seen, average_of(views).seen)


def test_covers_of_walked_views_are_those_of_stored_ones():
    stored = Scene(Plane(40, 24), Windows(16, 16, 4, 4))
    walked = WalkedViews(WindowWalk(place(stored.space, stored.rig, 1), stored.rig.taper))
    for seed in range(4):
        assert Covers(walked, 0.2)(draw_of(seed)) == Covers(stored.views(1), 0.2)(draw_of(seed))


def test_the_steps_of_a_policy():
    count = 41

    class Some:
        soft = False

        def __init__(self, overlap):
            self.own = int(100 * overlap)

        def __call__(self, draw, before, leave):
            return tuple(sorted({int(draw() * count), self.own}))

    tilings = Some

    def visiting(policy, complete=False, seed=3):
        return Visiting.of(Visits(policy, last=0.4), tilings, count, 10, seed, complete)

    assert Visiting.of(ALL, tilings, count, 10, 3, False) is None
    turning, few = visiting("turning"), visiting("few then all")
    rows = list(turning.sets)
    assert all(12 in r for r in rows[:6]) and all(25 in r for r in rows[6:]) and len(set(rows)) > 5
    assert turning == visiting("turning") != visiting("turning", seed=4), "the same for the same seed"
    assert few.sets == (*rows[:6], None, None, None, None)
    assert visiting("turning", complete=True).sets == (None, *rows[1:])


# --- which processes


def test_processes_that_average_what_the_model_says_miss_nobody():
    """Noise in place of what the model says of a view that is not asked: the step is the same exactly where `averages`
    says so."""
    views = Scene(Plane(24, 8), Windows(8, 8, 4, 8)).views(1)
    rows, generator = (0, 1, 3, 4), torch.Generator().manual_seed(0)
    mean = average_of(views.only(rows))
    maps = SyncMaps(average_of(views), VisitedMean(mean, None))
    z = torch.randn(1, 2, 8, 24, generator=generator, dtype=F64)
    noise = torch.randn(5, 2, 8, 8, generator=generator, dtype=F64)
    asked = torch.tensor([n in rows for n in range(5)])[:, None, None, None]

    def says(other):
        return lambda w: torch.where(asked, torch.tanh(w), other)

    for rule in PROCESSES:
        state = {"w": views.project(z) if rule.w else None, "z": z if rule.z else None}
        a, b = (run_process(rule, maps, says(x), 2.0, 0.7, **state) for x in (torch.zeros(()).double(), noise))
        pairs = [(x, y) for x, y in ((a.w, b.w), (a.z, b.z)) if x is not None]
        same = all(torch.allclose(x, y, atol=1e-12) for x, y in pairs)
        assert same == averages(rule), rule.label


# --- cells that nobody saw


def held_run(plan, every):
    """Two windows side by side, the second one asked at every k-th step only: the state of each after 12 steps."""
    views = Scene(Plane(16, 4), Windows(8, 4, 8, 4)).views(1)
    levels = CLEAN[::4] if len(CLEAN) % 4 == 1 else [*CLEAN[::4], CLEAN[-1]]
    sigmas, sync = ve(levels), Synchronizer(plan, views)
    trajectory, state = Trajectory.of(sigmas), NO_STATE
    z = sigmas[0] * torch.randn(1, 1, 4, 16, generator=torch.Generator().manual_seed(1), dtype=F64)
    start, x = z, views.project(z) if plan.process == 2 else z
    for step, (sigma, after) in enumerate(itertools.pairwise(sigmas)):
        rows = (0, 1) if step % every == 0 else (0,)

        def denoise(w, at=sigma, rows=rows):
            clean = gaussian(0.5)(w, at)
            return clean if len(rows) == 2 else torch.cat([clean[:1], torch.zeros_like(clean[1:])])

        given = {"w": x} if plan.process == 2 else {"z": x}
        w, zs, state = sync.asking(rows, state).step(denoise, sigma, trajectory, state, **given)
        x = (after / sigma) * x + (1 - after / sigma) * (w if w is not None else zs)
    return start, average_of(views)(x) if plan.process == 2 else x, levels


@pytest.mark.parametrize("process", [2, 5])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_cell_that_is_seen_at_some_levels_goes_as_in_a_run_of_these_levels(process, every):
    """In closed form: of a Gaussian every step scales a state by ``gain_of``; held cells take longer steps."""
    start, end, levels = held_run(SyncPlan(process=process, visits=Visits("turning")), every)
    seen = [*levels[:-1:every], levels[-1]]

    def scale(some):
        steps = product([gain_of(0.5, a, b) for a, b in itertools.pairwise(some)])
        return steps * some[0].alpha / some[-1].alpha

    torch.testing.assert_close(end[..., :8], scale(levels) * start[..., :8])
    torch.testing.assert_close(end[..., 8:], scale(seen) * start[..., 8:])


def test_edges_of_views_give_way_to_what_is_held():
    """As far as they count beside the rig's best view of a cell; by stored maps and by a walk alike."""
    scene, rows = Scene(Plane(20, 8), Windows(8, 8, 4, 8)), (0, 3)
    stored, walked = scene.views(1), WalkedViews(WindowWalk(place(scene.space, scene.rig, 1), scene.rig.taper))
    held, batch = torch.zeros(1, 1, 8, 20), torch.ones(stored.count, 1, 8, 8)
    found = [
        VisitedMean(average_of(views.only(rows)), held, average_of(views).best)(batch) for views in (stored, walked)
    ]
    torch.testing.assert_close(found[0], found[1])
    line = found[0][0, 0, 4]
    weight = stored.weights.reshape(-1, 8, 8)[0, 4]
    # (cells 4 to 7: the end of window 0, the beginning of window 1, which is not asked)
    share = (weight[4:] / torch.maximum(weight[4:], weight[:4])).clamp(max=1)
    torch.testing.assert_close(line[4:8], share * share * (3 - 2 * share))
    assert bool((line[:4] == 1).all()) and bool((line[8:12] == 0).all()), "what is seen best, and what nobody sees"


def test_runs_of_few_steps_leave_nothing_out():
    views = SPHERE.views(1)
    few, many = (
        Visiting.of(Visits("turning"), lambda o: Covers(views, o), views.count, steps, 0, False) for steps in (11, 20)
    )
    assert many.soft(0) and many.soft(18) and not many.soft(19) and not any(few.soft(step) for step in range(11))
    assert all(bool(average_of(views.only(rows)).seen.all()) for rows in few.sets)
    assert max(map(len, many.sets[1:15])) < min(map(len, few.sets[1:8])), "they leave some out, and share less"
    windows = LINE.views(1)
    assert not Visiting.of(Visits("turning"), lambda o: LINE.geometry.tilings(windows, o), 41, 20, 0, False).soft(3)


def test_views_that_hardly_moved_wait():
    rule, answers = Visits("still changing", tolerance=0.1, stale=2), Answers()
    visiting = Visiting.of(rule, lambda o: None, 3, 8, 0, False)
    asked = []
    for step in range(8):
        rows = visiting.rows(step, answers)
        asked.append(rows)
        answers.moved(step, torch.tensor([0.5, 0.05 if step < 3 else 0.5, 0.05]), rule)
    assert asked == [None, (0,), (0,), None, (0, 1), (0, 1), None, None]
    answers = Answers(due=torch.tensor([9, 7, 9]))
    assert visiting.rows(4, answers) == (1,), "never nobody"


def test_what_moved_is_measured_in_what_a_view_shows():
    sync = Synchronizer(SyncPlan(visits=Visits("still changing")), Scene(Plane(16, 4), Windows(8, 4, 8, 4)).views(1))
    before, after = torch.full((2, 1, 4, 16), 2.0), torch.full((2, 1, 4, 16), 2.0)
    after[0, ..., 8:] += 0.5
    moved = sync.changes(SyncState(before), SyncState(after))
    torch.testing.assert_close(moved, torch.tensor([0.0, 0.5 / (0.5 * 4 + 0.5 * 6.25) ** 0.5]))
    assert torch.isinf(sync.changes(NO_STATE, SyncState(after))).all()


# --- how near the truth

LENGTH, SIZE, RHO = 192, 32, 0.98
LINE = Scene(Plane(LENGTH, 1), Windows(SIZE, 1, 4, 1))


def response(visits, steps, order=1, seed=0):
    """(end [cells, cells] of a run from unit vectors, model calls in units of the canvas), process 5."""
    views, sigmas = LINE.views(1), ve(ddim_levels(steps, final_alpha_bar=1.0))
    prior, trajectory = GaussianPrior.ar1(SIZE, RHO), Trajectory.of(sigmas)
    sync = Synchronizer(SyncPlan(process=5, visits=visits), views)
    visiting = Visiting.of(visits, lambda o: LINE.geometry.tilings(views, o), views.count, steps, seed, False)
    z, before, calls = sigmas[0] * torch.eye(LENGTH, dtype=F64)[:, None, None], None, 0
    for step, (sigma, after) in enumerate(itertools.pairwise(sigmas)):
        rows = visiting.sets[step] if visiting else None
        asked = torch.zeros(views.count, 1, 1, 1, dtype=F64)
        asked[list(range(views.count) if rows is None else rows)] = 1
        calls += int(asked.sum())

        def denoise(w, at=sigma, asked=asked):
            clean = prior.denoise(w, SimpleNamespace(alpha=1.0, sigma=at))
            return clean * asked.repeat(len(w) // len(asked), 1, 1, 1)

        _, clean, _ = sync.asking(rows, NO_STATE).step(denoise, sigma, trajectory, NO_STATE, z=z)
        used = clean
        if order == 2 and before is not None and after > 0:  # (dpmpp_2m)
            ratio = math.log(sigmas[step - 1] / sigma) / math.log(sigma / after)
            used = clean + (clean - before) / (2 * ratio)
        z, before = after / sigma * z + (1 - after / sigma) * used, clean
    return z.reshape(LENGTH, LENGTH).T, calls * SIZE / LENGTH / steps


def divergence(end):
    """KL(what the run makes | the prior) per cell."""
    made, truth = end @ end.T, GaussianPrior.ar1(LENGTH, RHO).covariance()
    both = torch.linalg.solve(truth, made)
    return 0.5 * float(both.diagonal().sum() - LENGTH - torch.logdet(both)) / LENGTH


@pytest.mark.parametrize("order", [1, 2])
def test_turning_windows_are_as_near_the_truth_as_all(order):
    """At a fifth of the calls, with a sampler that looks back, too; windows that only touch are not."""
    whole, calls = response(ALL, 20, order)
    turned = [response(Visits("turning"), 20, order, seed) for seed in range(2)]
    touching = [response(Visits("turning", 0.0, 0.0), 20, order, seed) for seed in range(2)]
    found = sum(divergence(end) for end, _ in turned) / 2
    assert found < 1.12 * divergence(whole)
    assert sum(divergence(end) for end, _ in touching) / 2 > (1.02, 5)[order - 1] * divergence(whole)
    assert calls > 6.8 and all(spent < 1.4 for _, spent in turned)


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"process": 0}, ("process 0", "needs what the model says of each", "process 2")),
        ({"process": 0, "coupling": 5.0}, ("SyncSDE", "process 2")),
        ({"process": 58}, ("process 58", "set visits to all")),
        ({"variance_correction": 0.5}, ("variance_correction 0.5", "use 0")),
        ({"aggregation": "balanced"}, ("aggregation balanced", "use mean")),
    ],
)
def test_plans_that_would_miss_a_view_are_refused(changes, parts):
    with pytest.raises(ValueError, match=r"^visits turning leave views out") as caught:
        SyncPlan(visits=Visits("turning"), **changes)
    assert all(part in str(caught.value) for part in parts) and "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"process": 3}, {"schedule": Schedule(every=2)}, {"travel": TimeTravel(2)}])
def test_estimates_are_kept_only_where_every_step_makes_one(changes):
    with pytest.raises(ValueError, match=r"^visits still changing keep clean estimates .* or visits turning$"):
        SyncPlan(visits=Visits("still changing"), **changes)


def test_values_that_make_no_sense_are_refused():
    for wrong, part in (
        (dict(policy="turning, still changing"), "use one of all, turning, few then all, still changing, auto"),
        (dict(tolerance=math.inf), "use 0 .no view ever waits."),
        (dict(stale=-1), "stale -1"),
        (dict(policy="some"), "use one of all, turning"),
        (dict(overlap=0.7), r"from 0 .* to 0\.5"),
        (dict(last=math.nan), "from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=part):
            Visits(**wrong)
    views = Scene(Plane(64, 16), Windows(16, 16, 8, 8))
    with pytest.raises(ValueError, match=r"leave out none of the 7 views.*stride to 2 pixels.*or set visits to all"):
        Visiting.of(Visits("turning"), lambda o: views.geometry.tilings(views.views(1), o), 7, 10, 0, False)


def test_half_of_the_usual_calls_of_a_sphere_and_fewer_than_two_thirds_of_a_meshs():
    """The usual visits on the usual rigs: 17 views, and 10."""
    round_scenes = (
        (Scene(Panorama(96, 48), Lookout(sphere(90), 24, 24)), 0.5 * len(sphere(90))),
        (Scene(MeshTexture(torus(), 64, 64), Orbit(orbit(), 40, 40)), 0.65 * len(orbit())),
    )
    for scene, most in round_scenes:
        views = scene.views(1)
        tilings = lambda overlap, scene=scene, views=views: scene.geometry.tilings(views, overlap)  # noqa: E731
        visiting = Visiting.of(Visits("turning"), tilings, views.count, 20, 0, False)
        assert sum(visiting.asked(views.count)) / 20 <= most
        seen = torch.zeros(views.cells, dtype=torch.bool)
        for rows in visiting.sets[-3:]:
            seen |= average_of(views.only(rows or tuple(range(views.count)))).seen
        assert torch.equal(seen, average_of(views).seen)


def test_waiting_longer_than_the_run_is_refused():
    with pytest.raises(ValueError, match=r"stale 9: views would wait to the end of a run of 10 steps; use at most 8"):
        Visiting.of(Visits("still changing", stale=9), lambda o: None, 7, 10, 0, False)


def test_the_state_of_a_run_is_handed_on():
    sync = Synchronizer(SyncPlan(visits=Visits("turning")), LINE.views(1))
    assert sync.asking(None, NO_STATE) is sync
    assert sync.asking((0, 2), SyncState(torch.ones(1))).visited.held is not None


# --- a budget


def wide(stride=8):
    """Tilings of windows of 64 on 384 cells, by their overlap."""
    placement = place(Plane(384, 64), Windows(64, 64, stride, 64), 1)
    return placement, lambda overlap: WindowTilings(placement, (False, False), overlap, "")


def test_areas_are_counted_alike_by_windows_and_by_what_they_see():
    placement, tilings = wide(40)
    views = Scene(Plane(384, 64), Windows(64, 64, 40, 64)).views(1)
    for rows in ((0,), (0, 3, 8), tuple(range(placement.count))):
        assert tilings(0.0).areas(rows) == pytest.approx(Covers(views).areas(rows), abs=1e-12)
    assert Covers(views).areas((0, 3)) == pytest.approx(2 * 64 / 384)


@pytest.mark.parametrize("budget", [1.25, 1.4, 1.5, 2.0, 3.0])
def test_a_budget_is_kept_and_spent_on_overlap(budget):
    placement, tilings = wide()
    visits = chosen(Visits("auto", budget=budget), tilings, placement.count)
    assert visits.policy == "turning"
    asked = Visiting.of(visits, tilings, placement.count, 20, 3, False).asked(placement.count)
    areas = sum(asked) / len(asked) / 6
    assert areas <= budget * 1.05
    dearer = [o for o in (0.0625, 0.125, 0.25, 0.5) if o > visits.overlap]
    assert not dearer or areas_of(Visits("turning", dearer[0]), cost_of(tilings)) > budget


def test_a_budget_for_all_views_asks_all_and_the_smallest_asks_as_few_as_may_be():
    placement, tilings = wide()
    whole = placement.count * 64 / 384
    assert chosen(Visits("auto", budget=whole), tilings, placement.count) == ALL
    assert chosen(Visits("auto", budget=whole - 0.01), tilings, placement.count).policy == "turning"
    assert chosen(Visits("auto", budget=1.0), tilings, placement.count).overlap == 0.0625
    assert chosen(Visits("few then all"), tilings, placement.count) == Visits("few then all")
    with pytest.raises(ValueError, match=r"budget 0.9: .*; use 1 \(as little as possible\) or more"):
        Visits("auto", budget=0.9)


def test_a_sphere_has_a_budget_too():
    views = Scene(Panorama(32, 16), Lookout(fibonacci(90, 0.8), 8, 8)).views(1)

    def tilings(overlap):
        return Covers(views, overlap)

    costs = [
        areas_of(chosen(Visits("auto", budget=budget), tilings, views.count), cost_of(tilings)) for budget in (1.0, 3.0)
    ]
    assert costs[0] < costs[1] <= 3.0, costs
