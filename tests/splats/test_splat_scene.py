"""Splats as a scene: what the engine is given, what is refused, what is kept."""

import math
import weakref

import pytest
import torch
from oracles.splat_twins import ball, fog
from syncpack.nodes.engine.latents import keep_unmasked, to_canonical, to_views
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.pictures import contact_sheet
from syncpack.renderers.plane.space import Plane
from syncpack.renderers.scene import Scene
from syncpack.renderers.splats import geometry as splat_scene
from syncpack.renderers.splats import memory
from syncpack.renderers.splats.background import background_pixels
from syncpack.renderers.splats.looks import renders
from syncpack.renderers.splats.space import SplatColours
from syncpack.renderers.splats.weights.project import project
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import polar_noise
from syncpack.sync_core.synchronizer import Synchronizer, SyncPlan
from torch import Tensor


def orbit(count: int, size: int, elevation: float = 0.2, distance: float = 2.8) -> Orbit:
    looks = [Viewpoint.orbit(2 * math.pi * i / count, elevation, distance, fov=math.radians(48)) for i in range(count)]
    return Orbit(tuple(looks), size, size)


def scene_of(count: int = 500, views: int = 4, size: int = 32) -> Scene:
    return Scene(SplatColours(ball(count), backend="torch"), orbit(views, size))


@pytest.mark.parametrize("cell", [1, 8, 16])
@pytest.mark.parametrize("count", [300, 1000, 1001, 1023])
def test_a_latents_shape_says_its_cell(count: int, cell: int) -> None:
    space = SplatColours(ball(count), backend="torch")
    scene = Scene(space, orbit(2, 32))
    rows, columns = space.grid(cell)
    assert rows * columns >= count > rows * columns - cell
    assert scene.cell_of_canonical((1, 4, rows, columns)) == cell
    values = torch.rand(2, count)
    assert torch.equal(space.in_order(space.laid_out(values, cell)), values)
    assert (scene.space.width, scene.space.height) == (count, 1) and scene.view_size == (32, 32)


def test_rows_sum_to_alpha_and_cells_are_splats() -> None:
    scene = scene_of()
    views = scene.views(8)
    assert (views.count, views.height, views.width, views.canonical) == (4, 4, 4, (8, 63))
    assert views.composite is not None
    sums = views.forward.apply(torch.ones(views.cells, 1))[:, 0]
    torch.testing.assert_close(sums, views.composite.alpha, rtol=1e-5, atol=1e-6)
    fine = scene.views(8, 8)
    assert (fine.height, fine.canonical) == (32, (1, 500))
    colours = scene.space.picture  # pyright: ignore[reportAttributeAccessIssue]
    pictures, alpha = renders(scene.geometry, (0.0, 0.0, 0.0))  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(fine.project(colours).movedim(1, -1), pictures, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(scene.look(colours).movedim(1, -1), pictures, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(scene.look(torch.ones(1, 1, 1, 500))[:, 0], alpha, rtol=1e-5, atol=1e-5)


def test_maps_are_kept_for_the_next_run_and_no_longer_than_needed() -> None:
    space = SplatColours(ball(300), backend="torch")
    first = Scene(space, orbit(2, 32)).views(8)
    assert Scene(space, orbit(2, 32)).views(8) is first
    assert Scene(space, orbit(3, 32)).views(8) is not first
    assert Scene(space, orbit(2, 32)).views(8) is first
    for size in (16, 24):
        Scene(space, orbit(2, size)).views(8)
    assert Scene(space, orbit(2, 32)).views(8) is not first


def test_places_are_where_the_upright_cameras_are() -> None:
    import dataclasses

    splats = dataclasses.replace(ball(300), up="-y")
    rig = Orbit((Viewpoint.orbit(0.5, 0.3, 3), Viewpoint.orbit(0.0, math.pi / 2, 3)), 16, 16)
    first, above = Scene(SplatColours(splats, backend="torch"), rig).view_places()
    assert first.azimuth == pytest.approx(math.degrees(0.5)) and first.elevation == pytest.approx(math.degrees(0.3))
    assert above.azimuth is None and above.elevation == pytest.approx(90)


def correlation(views, z: Tensor, noise: Tensor) -> float:
    """Between noise and what the views see of their own average of it."""
    seen = views.project(Aggregator(views)(noise)).movedim(1, -1)[views.covered]
    own = noise.movedim(1, -1)[views.covered]
    return float((seen * own).mean() / (seen.std() * own.std()))


def test_noise_is_white_and_views_share_it() -> None:
    scene = scene_of(4000, 8, 256)
    views = scene.views(8)
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(1, 64, *views.canonical, generator=generator)

    def fresh() -> Tensor:
        return torch.randn(8, 64, 32, 32, generator=generator)

    shared = polar_noise(views, z, fresh)
    assert float(shared.var()) == pytest.approx(1, abs=0.01)
    flat = shared.movedim(1, 0).reshape(64, 8, -1)[:, 0]
    covariance = flat.T @ flat / 64
    off = covariance - torch.diag(covariance.diagonal())
    assert float(off.square().mean()) == pytest.approx(1 / 64, rel=0.05)
    together, apart = correlation(views, z, shared), correlation(views, z, fresh())
    assert together > 1.2 * apart


@pytest.mark.parametrize("method", ["mean", "least_squares"])
def test_synchronised_views_agree(method: str) -> None:
    """Pictures of the splats come back, on grey and at every silhouette."""
    scene = scene_of(3000, 8, 48)
    views = scene.views(1)
    smooth = (0.5 + 0.35 * torch.sin(3 * ball(3000).positions)).T[None, :, None]
    shown = views.project(smooth)
    pictures = shown + views.background_of(torch.full_like(shown, 0.5))
    synced, _ = Synchronizer(SyncPlan(aggregation=method), views).sync(pictures)  # pyright: ignore[reportArgumentType]
    limit = {"mean": 0.03, "least_squares": 0.005}[method]
    assert float((synced - pictures).square().mean().sqrt()) < limit
    assert views.composite is not None
    background = views.composite.alpha.reshape(8, 48, 48) == 0
    assert torch.equal(synced.movedim(1, -1)[background], pictures.movedim(1, -1)[background])


@pytest.mark.parametrize("size", [(1, 1), (7, 12), (33, 20)])
@pytest.mark.parametrize("clear", [0.0, 0.02, 0.3])
def test_the_background_is_that_of_the_nearest_pixel_that_shows_it(size: tuple[int, int], clear: float) -> None:
    """Against all distances; jump flooding may miss the nearest by a little."""
    generator = torch.Generator().manual_seed(3)
    alpha = (torch.rand(3, *size, generator=generator) >= clear).float()
    found = background_pixels(alpha)
    height, width = size
    place = torch.stack([torch.arange(height * width) // width, torch.arange(height * width) % width], 1).float()
    for view, taken in zip(alpha.reshape(3, -1), found, strict=True):
        free = (view < 0.02).nonzero()[:, 0]
        if not len(free):
            assert torch.equal(taken, torch.arange(height * width))
            continue
        assert bool((view[taken] < 0.02).all())
        nearest = torch.cdist(place, place[free]).amin(1)
        away = (place[taken] - place).norm(dim=1)
        assert float((away - nearest).max()) <= 1.0
        assert float((away - nearest > 1e-4).float().mean()) <= 0.02


def test_views_are_stitched_into_colours() -> None:
    scene = scene_of(1500, 12, 48)
    smooth = 0.5 + 0.3 * torch.sin(3 * ball(1500).positions)
    images = scene.look(smooth.T[None, :, None]).movedim(1, -1)
    alpha = scene.look(torch.ones(1, 1, 1, 1500)).movedim(1, -1)
    colours, weight = scene.geometry.stitch(1, list(images + (1 - alpha) * 0.5))
    assert tuple(colours.shape) == (1, 1500, 3) and tuple(weight.shape) == (1, 1500)
    known = weight[0] > 1
    assert float(known.float().mean()) > 0.8
    assert -10 * math.log10(float((colours[0] - smooth)[known].square().mean())) > 30
    assert math.isnan(scene.geometry.seam_ratio(colours.movedim(-1, 0), 1))
    with pytest.raises(ValueError, match="11 images of 48 x 48 for 12 views of 48 x 48"):
        scene.geometry.stitch(1, list(images[:11]))


def test_latents_go_to_views_and_back() -> None:
    scene = scene_of()
    samples = torch.full((1, 4, 8, 63), 2.0)
    latent = to_views(scene, {"samples": samples, "noise_mask": torch.ones(1, 1, 500)})
    views = scene.views(8)
    assert views.composite is not None
    alpha = views.composite.alpha.reshape(4, 1, 4, 4)
    torch.testing.assert_close(latent["samples"], 2 * alpha.expand(4, 4, 4, 4), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(latent["noise_mask"], alpha, rtol=1e-5, atol=1e-5)
    back, _ = to_canonical(scene, torch.full((4, 4, 4, 4), 3.0))
    seen = Aggregator(views).seen.reshape(8, 63)
    torch.testing.assert_close(back[0][:, seen], torch.full((4, int(seen.sum())), 3.0))


def test_a_mask_over_splats_names_them() -> None:
    scene = scene_of()
    mask = torch.zeros(1, 1, 500)
    mask[..., 100:200] = 1
    start = {"samples": torch.zeros(1, 4, 8, 63), "noise_mask": mask}
    result = scene.space.in_order(keep_unmasked(scene, start, torch.ones(1, 4, 8, 63)))  # pyright: ignore
    assert torch.equal(result, mask.expand(1, 4, 500))
    with pytest.raises(
        ValueError, match="a mask of 64 x 64 does not say which of 500 splats it means; use a mask of 5"
    ):
        scene.geometry.mask_cells(torch.ones(1, 64, 64), scene.views(8))


def test_cameras_that_see_nothing_are_named() -> None:
    away = Viewpoint((0.0, 0.0, 3.0), (-1.0, 0.0, 0.0))
    rig = Orbit((Viewpoint.orbit(0, 0, 3), away), 16, 16)
    with pytest.raises(ValueError, match=r"camera 2 of 2 .* sees none of the splats 'ball'; remove it"):
        Scene(SplatColours(ball(300), backend="torch"), rig).views(8)


def test_too_many_splats_say_how_many_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of(2000, 8, 64)
    monkeypatch.setattr(splat_scene, "free_memory", lambda: 2_000_000)
    with pytest.raises(ValueError, match=r"weights of 2,000 splats of 'ball' in 8 views need about .* 0.0 are free: "):
        scene.views(1)
    monkeypatch.setattr(splat_scene, "free_memory", lambda: 1 << 30)
    assert scene.views(1).count == 8


@pytest.mark.parametrize("cell", [1, 8, 16, 32])
@pytest.mark.parametrize("count", [1, 2, 9, 17, 70])
def test_few_splats_say_their_cell(count: int, cell: int) -> None:
    """A grid has as many rows as a cell is wide, however few its columns are."""
    scene = Scene(SplatColours(ball(count, size=0.3), backend="torch"), orbit(2, 32))
    rows, columns = scene.grid(cell)
    assert scene.cell_of_canonical((1, 4, rows, columns)) == cell
    for wrong in ((rows, columns - 1), (rows, columns + 1)):
        with pytest.raises(ValueError, match=f"does not hold {count} splats; encode SplatSpace's colours"):
            scene.cell_of_canonical((1, 4, *wrong))


def test_old_weights_make_room_before_new_ones_are_built() -> None:
    space = SplatColours(ball(300), backend="torch")
    held: list[int] = []
    alive = weakref.WeakSet()

    class Weights:
        def __init__(self) -> None:
            held.append(len(alive))
            alive.add(self)

    for key in ("a", "b", "c", "d", "d", "c"):
        space.kept.get(key, Weights)
    assert held == [0, 1, 1, 1]


def test_the_view_that_is_worked_on_counts() -> None:
    """While it is listed, ordered and transposed, a view takes more than what is kept of it."""
    memory.check_memory("a", 1000, 20, 1, 500, 80_000, 1000)
    with pytest.raises(ValueError, match="smaller views, or about 499 splats fit"):
        memory.check_memory("a", 1000, 20, 1, 500, 79_900, 1000)
    with pytest.raises(ValueError, match="9 of the 10 views, or about 468 splats fit"):
        memory.check_memory("a", 10_000, 20, 10, 500, 243_800, 1000)


def test_estimates_are_near_what_is_listed() -> None:
    for splats, rig in ((ball(5000), orbit(2, 128)), (fog(2000, size=0.05), orbit(2, 128))):
        space = SplatColours(splats, backend="torch")
        for camera in splats.cameras(rig):
            found = memory.estimated_entries(project(splats, camera, 128, 128), space.prune)
            assert found == pytest.approx(space.weights(camera, 128, 128).map.nnz, rel=0.3)
    assert memory.free_memory() > 1 << 20


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"a rig of orbit cameras cannot look at a plane; set ViewRig's kind to windows"
    ):
        Scene(Plane(64, 64), orbit(2, 16))
    with pytest.raises(ValueError, match=r"prune 0\.5: weights below it are left out; use 0 to 0.01"):
        SplatColours(ball(300), prune=0.5)
    with pytest.raises(ValueError, match="splat rule 'soft' is unknown; use one of antialiased, classic"):
        SplatColours(ball(300), rule="soft")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="view width 36 is not a multiple of this model's cell of 8 pixels"):
        Scene(SplatColours(ball(300), backend="torch"), orbit(2, 36)).views(8)


def test_a_contact_sheet_holds_every_view() -> None:
    images = torch.rand(5, 3, 4, 6)
    sheet = contact_sheet(images)
    assert tuple(sheet.shape) == (1, 3, 8, 18)
    for i in range(5):
        assert torch.equal(sheet[0, :, i // 3 * 4 : i // 3 * 4 + 4, i % 3 * 6 : i % 3 * 6 + 6], images[i])
    assert not sheet[0, :, 4:, 12:].any()
    assert tuple(contact_sheet(images[:, :, None]).shape) == (1, 3, 1, 8, 18)
