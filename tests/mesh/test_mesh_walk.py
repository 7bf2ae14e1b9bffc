"""Cameras around a mesh that are made one at a time are what stored maps are, backgrounds and changing weights
included."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from helpers.meshes import box, ring_of_cameras, torus
from oracles.transposes import adjoint
from oracles.twins import draw
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.coverage import sharing
from syncpack.renderers.mesh.geometry import MeshGeometry
from syncpack.renderers.mesh.maps.maps import SAMPLINGS, Sampling
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.mesh.uvs.seams import texture_seam_ratio
from syncpack.renderers.mesh.walk import CameraWalk
from syncpack.renderers.picture_means import MapMeans, MeanWish
from syncpack.renderers.scene import Scene
from syncpack.renderers.walked_pictures import WalkedPictures
from syncpack.sync_core import walked
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import NOISE_MODES, view_noise
from syncpack.sync_core.schedule import Trajectory
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan
from syncpack.sync_core.variance import VarianceCorrection
from syncpack.sync_core.views import ViewSet
from syncpack.sync_core.visits.policy import Visits
from syncpack.sync_core.walked import WalkedViews
from syncpack.sync_core.walked_mean import average_of
from syncpack.sync_core.walked_variance import WalkedVariance
from torch import Tensor

Pair = tuple[ViewSet, WalkedViews]


def geometry(sampling: Sampling, mesh: Any = None, exponent: tuple[float, float] = (1.0, 4.0)) -> MeshGeometry:
    rig = Orbit(ring_of_cameras()[:5], 32, 24, exponent=exponent)
    return MeshGeometry(MeshTexture(torus() if mesh is None else mesh, 64, 64, sampling=sampling), rig)


def pair(sampling: Sampling, mesh: Any = None) -> Pair:
    own = geometry(sampling, mesh)
    walk = CameraWalk(own, 24, 32, (40, 40), sampling)
    return own.views_on(24, 32, 40, 40, sampling), WalkedViews(walk)


@pytest.fixture(scope="module", params=[*SAMPLINGS, "box"])
def views(request: pytest.FixtureRequest) -> Pair:
    return pair("nearest", box()) if request.param == "box" else pair(request.param)


def close(a: Tensor, b: Tensor, tolerance: float = 2e-6) -> None:
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def batch_for(views: ViewSet) -> Tensor:
    return draw(2 * views.count, 3, views.height, views.width, seed=1)


def test_what_is_seen(views: Pair) -> None:
    stored, made = views
    assert torch.equal(made.covered, stored.covered) and not made.fully_covered
    assert torch.equal(made.hits, stored.hits)
    assert torch.equal(made.views_per_cell, stored.views_per_cell)
    assert torch.equal(made.shared_cells(), stored.shared_cells())
    assert torch.equal(made.background_of(batch_for(stored)), stored.background_of(batch_for(stored)))
    assert sharing(made) == sharing(stored)


def test_project_and_adjoint(views: Pair) -> None:
    stored, made = views
    z, w = draw(2, 3, *stored.canonical), batch_for(stored)
    close(made.project(z), stored.project(z))
    close(adjoint(made, w), adjoint(stored, w))
    close((made.project(z) * w).sum(), (z * adjoint(made, w)).sum())


@pytest.mark.parametrize("progress", [0.0, 0.4, 1.0])
def test_the_mean_with_the_weights_of_a_step(views: Pair, progress: float) -> None:
    stored, made = (each.at(progress) for each in views)
    w = batch_for(views[0])
    one, other = Aggregator(cast(ViewSet, stored)), average_of(made)
    close(other(w), one(w), 1e-5)
    assert torch.equal(other.seen, one.seen)
    some = (0, 3)
    close(average_of(made.only(some))(w), average_of(stored.only(some))(w), 1e-5)
    assert torch.equal(made.weight_pictures, stored.weight_pictures)


@pytest.mark.parametrize("mode", NOISE_MODES)
def test_noise_keeps_its_background(views: Pair, mode: Any) -> None:
    stored, made = views
    z, own = draw(2, 3, *stored.canonical), batch_for(stored)
    found = view_noise(made, mode, z, lambda: own)
    close(found, view_noise(stored, mode, z, lambda: own), 1e-5)
    outside = ~stored.covered[:, None].expand(-1, 3, -1, -1).repeat(2, 1, 1, 1)
    assert torch.equal(found[outside], own[outside])


def test_least_squares_and_variance(views: Pair) -> None:
    stored, made = views
    w = batch_for(stored)
    squares = [average_of(each, "least_squares") for each in views]
    squares = [replace(each, iterations=4) for each in squares]
    close(squares[1](w), squares[0](w), 1e-4)
    mean = Aggregator(stored)
    cells = mean(w)
    corrected = VarianceCorrection(mean)(w, cells)
    close(WalkedVariance(cast(Any, average_of(made)))(w, cells), corrected, 1e-4)


@pytest.mark.parametrize("plan", [SyncPlan(2), SyncPlan(5), SyncPlan(27), SyncPlan(2, visits=Visits("turning"))])
def test_steps_of_a_run(views: Pair, plan: SyncPlan) -> None:
    stored = views[0]
    z, w = draw(2, 3, *stored.canonical), batch_for(stored)
    trajectory, found = Trajectory.of([2.0, 1.0, 0.5, 0.0]), list[Any]()
    for each in views:
        sync = Synchronizer(plan, each)
        if not plan.visits.everywhere:
            sync = sync.asking((1, 4), NO_STATE)
        state = {"w": w if plan.rule.w else None, "z": z if plan.rule.z else None}
        found.append(sync.step(lambda v: 0.3 * v.sin(), 1.0, trajectory, NO_STATE, **state)[:2])
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            close(other, one, 1e-5)


def test_the_size_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    own = geometry("nearest")
    assert isinstance(own.views(8, 8), ViewSet) and not own.is_walked(8, 8)
    monkeypatch.setattr(walked, "MAPS_AT_MOST", 100_000)
    views = own.views(8, 8)
    assert isinstance(views, WalkedViews) and own.is_walked(8, 8) and not own.is_walked(8, 1)
    assert views is own.views(8, 8), "what was made of its views is kept for the next run"
    stored = own.views_on(views.height, views.width, *views.canonical, "bilinear")
    source = cast(CameraWalk, views.source)
    z = draw(1, 3, *views.canonical)
    close(views.project(z), stored.project(z))
    kept = source._kept  # pyright: ignore[reportPrivateUsage]
    assert 0 < len(kept) < views.count, "as many as fit are kept, the others made anew"
    close(views.project(z), stored.project(z))


def test_the_size_of_maps_is_known_before() -> None:
    own = geometry("bilinear")
    views = own.views(1, 1)
    assert isinstance(views, ViewSet) and views.gather is not None
    guess = own._entries(own._walk(1, 1))  # pyright: ignore[reportPrivateUsage]
    assert guess == pytest.approx(views.forward.nnz + views.gather.nnz, rel=0.35)


def test_pictures_and_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """What rgb_vae averages, in chunks, and what reports measure."""
    own = geometry("nearest", exponent=(1.0, 3.0))
    stored = own.views(8, 8)
    picture = draw(3, *own.grid(1)).float()
    seams = texture_seam_ratio(picture, own.texels(*own.grid(1)), own.views(1, 1))
    monkeypatch.setattr(walked, "MAPS_AT_MOST", 1)
    means = own.means(MeanWish(SyncPlan(), 8, lambda cell, finer: own.views(cell, finer), lambda: 0.0))
    mean = cast(MapMeans, means).begin(stored.count, 0.5)
    assert isinstance(mean, WalkedPictures)
    images = draw(stored.count, 3, stored.height, stored.width).float().movedim(1, -1)
    mean.add(0, images[:2])
    mean.add(2, images[2:])
    wanted = Synchronizer(SyncPlan(), stored).at(0.5).sync(images.movedim(-1, 1))[0].movedim(1, -1)
    found = torch.cat([mean.views(0, 3), mean.views(3, stored.count)])
    close(found, wanted, 1e-5)
    assert torch.equal(found[~stored.covered], images[~stored.covered]), "backgrounds are each view's own"
    assert texture_seam_ratio(picture, own.texels(*own.grid(1)), own.views(1, 1)) == pytest.approx(seams)
    assert isinstance(Scene(own.space, own.rig).views(8), WalkedViews)


def test_bad_sizes_are_a_line() -> None:
    read: Callable[[], Any] = lambda: geometry("nearest").views(5, 1)  # noqa: E731
    with pytest.raises(ValueError, match="view width"):
        read()
