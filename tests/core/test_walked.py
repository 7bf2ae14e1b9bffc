"""Views that are walked are what stored maps are, in the memory of the canonical signal."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.transposes import adjoint
from oracles.twins import F64, draw
from syncpack.renderers.cameras.looks import Look
from syncpack.renderers.panorama.space import SAMPLINGS, Lookout, Panorama, panorama_views
from syncpack.renderers.panorama.walk import LookWalk
from syncpack.renderers.plane.space import TAPERS, Plane, Windows, place, window_views
from syncpack.renderers.plane.walk import WindowWalk
from syncpack.renderers.scene import Scene
from syncpack.renderers.walked_pictures import WalkedPictures
from syncpack.sync_core import walked
from syncpack.sync_core.aggregate import METHODS, Aggregator
from syncpack.sync_core.noise import NOISE_MODES, canonical_noise_sampler, view_noise
from syncpack.sync_core.processes import PROCESSES
from syncpack.sync_core.schedule import Trajectory
from syncpack.sync_core.stochastic import disjoint_sets
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan
from syncpack.sync_core.variance import VarianceCorrection
from syncpack.sync_core.views import ViewSet
from syncpack.sync_core.walked import WalkedViews, too_large
from syncpack.sync_core.walked_mean import WalkedAggregator, average_of
from syncpack.sync_core.walked_variance import WalkedVariance, correction_of

law = settings(deadline=None, max_examples=25)

Pair = tuple[ViewSet, WalkedViews]


def windows(seed: int) -> Pair:
    """A plane of any size, wrapped or not, whose last windows are shifted where the stride does not fit."""
    rng = random.Random(seed)
    width, height = rng.randint(3, 16), rng.randint(3, 16)
    plane = Plane(rng.randint(width, 30), rng.randint(height, 30), rng.random() < 0.5, rng.random() < 0.5)
    rig = Windows(width, height, rng.randint(2, width), rng.randint(2, height), rng.choice(TAPERS))
    placement = place(plane, rig, 1)
    return window_views(placement, rig.taper), WalkedViews(WindowWalk(placement, rig.taper))


def looks(seed: int) -> Pair:
    """Cameras at the poles, across the seam and anywhere else; cells finer and coarser than pixels; holes."""
    rng = random.Random(seed)
    rows = rng.choice([4, 9, 16, 32])
    cameras = tuple(
        Look.degrees(
            rng.choice([0, 180, rng.uniform(-180, 180)]),
            rng.choice([0, 45, 90, -90, rng.uniform(-90, 90)]),
            rng.choice([20, 90, rng.uniform(30, 120)]),
            rng.choice([0, 90, rng.uniform(-180, 180)]),
        )
        for _ in range(rng.randint(1, 4))
    )
    height, width = rng.choice([(8, 8), (5, 9), (16, 12)])
    rig, grid = Lookout(cameras, width, height, rng.choice(SAMPLINGS)), (rows, 2 * rows)
    return panorama_views(rig, height, width, grid), WalkedViews(LookWalk(rig, height, width, grid))


pairs = st.one_of(st.builds(windows, st.integers(0, 10_000)), st.builds(looks, st.integers(0, 10_000)))


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float = 2e-6) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def batch_for(views: ViewSet, count: int = 2, seed: int = 1) -> torch.Tensor:
    return draw(count * views.count, 3, views.height, views.width, seed=seed)


@law
@given(pairs)
def test_project_and_adjoint(pair: Pair) -> None:
    views, walk = pair
    z, w = draw(2, 3, *views.canonical), batch_for(views)
    assert torch.equal(walk.project(z), views.project(z))
    close(adjoint(walk, w), adjoint(views, w))
    close((walk.project(z) * w).sum(), (z * adjoint(walk, w)).sum())


@law
@given(pairs)
def test_what_is_seen(pair: Pair) -> None:
    views, walk = pair
    assert (walk.count, walk.cells, walk.canonical) == (views.count, views.cells, views.canonical)
    assert torch.equal(walk.covered, views.covered) and views.fully_covered
    assert torch.equal(walk.hits, views.hits)
    assert torch.equal(walk.views_per_cell, views.views_per_cell)
    assert torch.equal(walk.weight_pictures, views.weight_pictures)
    assert torch.equal(walk.shared_cells(), views.shared_cells())
    assert walk.resampled == views.resampled
    assert not walk.background_of(batch_for(views)).any()


@law
@given(pairs, st.sampled_from([F64, torch.float32, torch.bfloat16]))
def test_the_mean_and_its_holes(pair: Pair, dtype: torch.dtype) -> None:
    views, walk = pair
    stored, made, w = Aggregator(views), average_of(walk), batch_for(views).to(dtype)
    close(made(w), stored(w), 1e-2 if dtype == torch.bfloat16 else 2e-6)
    assert torch.equal(made.seen, stored.seen)
    assert not made(w).flatten(2)[..., ~made.seen].any()


@law
@given(st.builds(windows, st.integers(0, 10_000)))
def test_what_one_window_sees_alone_keeps_its_bits(pair: Pair) -> None:
    views, walk = pair
    w = batch_for(views).float()
    single = views.hits == 1
    assert torch.equal(average_of(walk)(w).flatten(2)[..., single], Aggregator(views)(w).flatten(2)[..., single])


@law
@given(pairs)
def test_sets_of_views(pair: Pair) -> None:
    """Some views count, all are shown: what StochSync replaces at a step."""
    views, walk = pair
    sets = disjoint_sets(views)
    assert disjoint_sets(walk) == sets
    w = batch_for(views)
    for members in sets:
        stored, made = Aggregator(views.only(members)), average_of(walk.only(members))
        close(made(w), stored(w))
        assert torch.equal(made.seen, stored.seen)
        assert torch.equal(made.views.weight_pictures, stored.views.weight_pictures)


@law
@given(pairs)
def test_least_squares(pair: Pair) -> None:
    """The same iterations; few, as roundings grow where views leave a cell nearly open."""
    views, walk = pair
    z, w = draw(2, 3, *views.canonical), batch_for(views)
    stored = Aggregator(views, "least_squares", iterations=4)
    made = WalkedAggregator(walk, "least_squares", iterations=4)
    close(made(w), stored(w), 1e-4)
    close(made(w, z), stored(w, z), 1e-4)


@law
@given(pairs, st.sampled_from(NOISE_MODES))
def test_noise(pair: Pair, mode) -> None:
    views, walk = pair
    z, own = draw(2, 3, *views.canonical), batch_for(views, seed=2)
    drawn: list[str] = []

    def fresh(who: str) -> torch.Tensor:
        drawn.append(who)
        return own

    close(view_noise(walk, mode, z, lambda: fresh("walk")), view_noise(views, mode, z, lambda: fresh("maps")))
    assert drawn.count("walk") == drawn.count("maps") <= 1
    sigma = torch.ones(())
    samplers = (canonical_noise_sampler(v, lambda *_: z, lambda *_: own) for v in (views, walk))
    stored, made = (sampler(sigma, sigma) for sampler in samplers)
    close(made, stored)


@law
@given(pairs, st.sampled_from(METHODS), st.booleans(), st.sampled_from([0.5, 1.0]))
def test_variance_correction(pair: Pair, method, finished: bool, strength: float) -> None:
    views, walk = pair
    w = batch_for(views)
    stored, made = Aggregator(views, method), average_of(walk, method)
    cells = stored(w)
    by_maps, by_walk = correction_of(stored, strength), correction_of(made, strength)
    assert isinstance(by_maps, VarianceCorrection) and isinstance(by_walk, WalkedVariance)
    close(by_walk(w, cells, finished), by_maps(w, cells, finished), 1e-4)
    agreeing = views.project(cells)
    close(by_walk(agreeing, cells, finished), by_maps(agreeing, cells, finished), 1e-4)


@pytest.mark.parametrize("pair", [windows(3), looks(5)], ids=["windows", "looks"])
@pytest.mark.parametrize("number", [rule.number for rule in PROCESSES[::7]])
def test_processes(pair: Pair, number: int) -> None:
    views = pair[0]
    z, w = draw(2, 3, *views.canonical), batch_for(views)
    trajectory, results = Trajectory.of([2.0, 1.0, 0.0]), []
    for seen in pair:
        sync = Synchronizer(SyncPlan(number), seen)
        state = {"w": w if sync.plan.rule.w else None, "z": z if sync.plan.rule.z else None}
        results.append(sync.step(lambda v: 0.3 * v.sin(), 2.0, trajectory, NO_STATE, **state)[:2])
    for stored, made in zip(*results, strict=True):
        assert (stored is None) == (made is None)
        if stored is not None:
            close(made, stored, 1e-5)


@law
@given(pairs, st.sampled_from(METHODS), st.integers(1, 5))
def test_pictures_in_chunks(pair: Pair, method, chunk: int) -> None:
    """As Synchronizer.sync of all pictures at once; of least squares, through its few first iterations."""
    views, walk = pair
    aggregator = WalkedAggregator(walk, method, iterations=4)
    w = batch_for(views)
    mean, images = WalkedPictures(aggregator, 2), w.movedim(1, -1)
    for first in range(0, len(w), chunk):
        mean.add(first, images[first : first + chunk])
    seen = torch.cat([mean.views(i, min(i + chunk, len(w))) for i in range(0, len(w), chunk)])
    close(seen.movedim(-1, 1), views.project(Aggregator(views, method, iterations=4)(w)), 1e-5)


def test_views_that_do_not_fit() -> None:
    _, walk = windows(0)
    with pytest.raises(ValueError, match=f"^a batch of 1 views of 2 x 2 does not match a rig of {walk.count} views"):
        average_of(walk)(torch.zeros(1, 3, 2, 2))
    with pytest.raises(ValueError, match=r"^canonical signal \(2, 2\) does not fit views of"):
        walk.project(torch.zeros(1, 3, 2, 2))
    with pytest.raises(ValueError, match=r"^views of 2 x 3 pixels do not fit a rig of"):
        WalkedPictures(WalkedAggregator(walk)).add(0, torch.zeros(1, 3, 2, 3))
    with pytest.raises(ValueError, match=r"^aggregation 'median' is unknown; use one of mean, least_squares"):
        WalkedAggregator(walk, "median")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"^variance_correction 2: use a value from 0"):
        WalkedVariance(WalkedAggregator(walk), 2)


def test_moving_to_its_own_device_is_nothing() -> None:
    _, walk = looks(0)
    assert walk.to("cpu") is walk and walk.at(0.5) is walk


# Which of the two


def sphere(width: int) -> Scene:
    cameras = tuple(Look.degrees(60 * i, e, 90) for i in range(6) for e in (-45, 0, 45))
    return Scene(Panorama(width, width // 2), Lookout(cameras, width // 4, width // 4))


def test_the_size_decides() -> None:
    for scene, walks in (
        (Scene(Plane(768, 512), Windows(512, 512, 256, 256)), False),
        (Scene(Plane(1024, 1024), Windows(512, 512, 256, 256)), True),
        (Scene(Plane(4096, 4096), Windows(512, 512, 256, 256)), True),
        (sphere(512), False),
        (sphere(4096), True),
    ):
        assert isinstance(scene.views(16), ViewSet)
        assert isinstance(scene.views(1), WalkedViews) == walks


def test_the_size_of_a_spheres_maps_is_known_before() -> None:
    scene = sphere(256)
    assert isinstance(scene.rig, Lookout)
    views = scene.views(1)
    assert isinstance(views, ViewSet) and views.gather is not None
    entries = LookWalk(scene.rig, 64, 64, (128, 256)).entries
    assert entries == pytest.approx(views.forward.nnz + views.gather.nnz, rel=0.05)


def test_many_small_windows_are_placed_at_once() -> None:
    """Millions of windows are counted without making one."""
    scene = Scene(Plane(8192, 8192), Windows(512, 512, 8, 8))
    views = scene.views(8)
    assert isinstance(views, WalkedViews) and views.count == 961**2
    assert int(views.views_per_cell.max()) == 64**2


def test_the_limit_is_one_gibibyte() -> None:
    assert walked.MAPS_AT_MOST == 2**30 and walked.CROPS_AT_MOST == 2**26
    assert too_large(2**26 // walked.BYTES_PER_ENTRY + 1, crops=True)
    assert too_large(2**30 // walked.BYTES_PER_ENTRY + 1) and not too_large(2**30 // walked.BYTES_PER_ENTRY)


_PEAK = """
import sys, types
sys.modules["syncpack"] = pack = types.ModuleType("syncpack")
pack.__path__ = [{root!r}]
import torch
from syncpack.renderers.cameras.looks import Look
from syncpack.renderers.panorama.space import Lookout, panorama_views
from syncpack.renderers.plane.space import Plane, Windows, place, window_views
from syncpack.renderers.panorama.walk import LookWalk
from syncpack.renderers.plane.walk import WindowWalk
from syncpack.sync_core.synchronizer import Synchronizer, SyncPlan
from syncpack.sync_core.walked import WalkedViews
torch.set_num_threads(1)
placement = place(Plane(768, 768), Windows(256, 256, 64, 64), 1)
rig = Lookout(tuple(Look.degrees(60 * i, e, 90) for i in range(6) for e in (-45, 0, 45)), 128, 128)
small = WalkedViews(WindowWalk(place(Plane(8, 8), Windows(8, 8, 8, 8), 1), "hann"))
Synchronizer(SyncPlan(), small).sync(torch.rand(1, 3, 8, 8))
ways = dict(
    windows=(lambda: WalkedViews(WindowWalk(placement, "hann")), lambda: window_views(placement, "hann")),
    looks=(lambda: WalkedViews(LookWalk(rig, 128, 128, (256, 512))), lambda: panorama_views(rig, 128, 128, (256, 512))),
)
def peak():
    # (getrusage counts the peak of the process that started this one too)
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
for make in ways[sys.argv[1]]:
    before = peak()
    views = make()
    batch = torch.rand(views.count, 3, views.height, views.width)
    Synchronizer(SyncPlan(), views).sync(batch)
    print((peak() - before) / batch.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is counted otherwise elsewhere")
@pytest.mark.parametrize("kind, most", [("windows", 4.0), ("looks", 10.0)])
def test_memory_does_not_hold_the_overlaps(kind: str, most: float) -> None:
    """Peak memory of averaging in multiples of the views themselves, which every run holds: in one process, walked
    first, as a peak never falls."""
    code = _PEAK.format(root=str(Path(__file__).parents[2]))
    done = subprocess.run([sys.executable, "-c", code, kind], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    by_walk, more_by_maps = (float(line) for line in done.stdout.split())
    assert by_walk < most
    assert more_by_maps > 2 * by_walk
