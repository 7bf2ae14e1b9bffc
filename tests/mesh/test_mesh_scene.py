"""A texture and the cameras around it: laws of the maps, and colours that stay where they belong."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from helpers.meshes import box, ring_of_cameras, sheets, slow_raster, smooth_colour, torus
from oracles.transposes import adjoint
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.mesh.coverage import sharing
from syncpack.renderers.mesh.geometry import MeshGeometry, cosine_weights
from syncpack.renderers.mesh.maps.maps import Sampling
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.raster.fragments import NEAR
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.plane.space import Plane
from syncpack.renderers.scene import Scene
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import view_noise
from torch import Tensor

RIG = Orbit(ring_of_cameras(), 128, 128)
SAMPLINGS: tuple[Sampling, ...] = ("nearest", "bilinear")


def _geometry(mesh: Mesh, rig: Orbit = RIG, size: int = 128, **options: object) -> MeshGeometry:
    return MeshGeometry(MeshTexture(mesh, size, size, **options), rig)  # pyright: ignore[reportArgumentType]


def _psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10(float((a - b).square().mean()))


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_adjoint_law_rows_sum_to_one_and_constants_stay(sampling: Sampling) -> None:
    views = _geometry(torus()).views_on(32, 32, 40, 40, sampling)
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2, 3, 40, 40, dtype=torch.float64, generator=generator)
    w = torch.randn(20, 3, 32, 32, dtype=torch.float64, generator=generator)
    assert float((views.project(z) * w).sum()) == pytest.approx(float((z * adjoint(views, w)).sum()), rel=1e-9)
    ones = views.project(torch.ones(1, 1, 40, 40))
    assert torch.allclose(ones[:, 0], views.covered.float(), atol=1e-6)
    mean = Aggregator(views)
    constant = mean(0.7 * ones)
    seen = mean.seen.reshape(40, 40)
    assert torch.allclose(constant[0, 0][seen], torch.tensor(0.7), atol=1e-6)
    assert torch.allclose(views.project(constant), 0.7 * ones, atol=1e-6)
    # Whatever a pixel reads is an average of something.
    assert bool(seen.reshape(-1)[views.forward.indices.long()].all())


def test_pixels_read_the_texel_they_see_and_texels_the_pixel_that_shows_them() -> None:
    # A box is convex: what faces a camera is seen, and everything can be said without our code.
    mesh, rows, columns, size = box(), 24, 24, 20
    rig = Orbit((Viewpoint.orbit(0.5, 0.4, 2.2), Viewpoint.orbit(-0.7, 0.2, 2.0)), size, size)
    geometry = _geometry(mesh, rig)
    views = geometry.views_on(size, size, rows, columns, "nearest")
    assert views.gather is not None
    forward, gather = torch.zeros(2 * size * size, rows * columns), torch.zeros(rows * columns, 2 * size * size)
    forward[views.forward.row_of_entry, views.forward.indices.long()] = views.forward.weights
    gather[views.gather.row_of_entry, views.gather.indices.long()] = views.gather.weights
    grid = geometry.texels(rows, columns)
    corners = mesh.uvs.double()[mesh.face_uvs]
    sizes = 0
    for number, camera in enumerate(geometry.cameras()):
        depth = -camera.camera_space(mesh.vertices.double())[:, 2]
        face, bary, _ = slow_raster(mesh.vertices, mesh.faces, camera, size, size, NEAR * float(depth.max()))
        hit = set()
        for pixel in range(size * size):
            row = forward[number * size * size + pixel]
            f = int(face.reshape(-1)[pixel])
            if f < 0:
                assert not bool(row.any())
                continue
            weights = bary.reshape(-1, 3)[pixel]
            u, v = (corners[f] * weights[:, None]).sum(0).tolist()
            cell = int((1 - v) * rows) * columns + int(u * columns)
            point = (mesh.vertices[mesh.faces[f]].double() * weights[:, None]).sum(0)
            place = int(grid.place[cell])
            if place < 0 or int(grid.chart[place]) != f // 2:
                place = int((grid.position.double() - point).norm(dim=1).argmin())
            assert row.nonzero().flatten().tolist() == [int(grid.index[place])] and float(row.max()) == 1
            hit.add(place)
            cosine = _cosine(mesh, f, point, camera)
            assert float(views.weights[number * size * size + pixel]) == pytest.approx(cosine, abs=1e-5)
        for place in range(len(grid.index)):
            read = gather[int(grid.index[place]), number * size * size : (number + 1) * size * size]
            r, c, _ = camera.pixels(grid.position[place].double(), size, size)
            facing = _cosine(mesh, int(grid.face[place]), grid.position[place].double(), camera) >= 0.05
            inside = 0 <= float(r) < size and 0 <= float(c) < size
            if place in hit or not facing or not inside:
                assert not bool(read.any())
            elif bool(read.any()):
                assert read.nonzero().flatten().tolist() == [int(r) * size + int(c)]
                sizes += 1
            else:  # The pixel's centre shows the background or another side, or, seen from the side, a place far off.
                f = int(face[int(r), int(c)])
                point = (mesh.vertices[mesh.faces[f]].double() * bary[int(r), int(c)][:, None]).sum(0)
                step = float(camera.pixels(point, 1, 1)[2]) * 2 * math.tan(camera.fov / 2) / size
                assert f // 2 != int(grid.face[place]) // 2 or float((grid.position[place] - point).norm()) > 1.9 * step
    assert sizes > 20


def _cosine(mesh: Mesh, face: int, point: Tensor, camera: Viewpoint) -> float:
    towards = torch.tensor(camera.position, dtype=torch.float64) - point
    return float((mesh.face_normals[face].double() * towards).sum() / towards.norm())


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("size", [6, 40])
def test_charts_that_are_apart_never_mix(sampling: Sampling, size: int) -> None:
    # Four squares one behind the other that touch in the texture, each seen by a camera between it and the next.
    mesh = sheets(4, 1.0)
    cameras = tuple(Viewpoint((0.1 * i, 0.1, 0.8 - i), fov=math.radians(120)) for i in range(4))
    geometry = _geometry(mesh, Orbit(cameras, 64, 64, units="scene"))
    views = geometry.views_on(32, 32, size, size, sampling)
    colours = torch.zeros(4, 1, 32, 32)
    for number, view in enumerate(geometry.surfaces(32, 32)):
        colours[number].reshape(-1)[view.pixel] = (view.face // 2 + 1).float()
    assert {round(float(v)) for v in colours.unique()} >= {1, 2, 3, 4}
    texture = Aggregator(views)(colours)
    grid = geometry.texels(size, size)
    painted = texture.reshape(-1)[grid.index]
    assert torch.allclose(painted, (grid.chart + 1).float(), atol=1e-5)
    assert torch.allclose(views.project(texture), colours, atol=1e-5)


@pytest.mark.parametrize("parts", [1, 6])
def test_pictures_of_a_texture_that_reaches_over_the_edge(parts: int) -> None:
    mesh = box(parts=parts)
    geometry = _geometry(replace(mesh, uvs=mesh.uvs + torch.tensor([0.3, 0.2])))
    grid = geometry.texels(128, 128)
    picture = torch.zeros(128 * 128, 3)
    picture[grid.index] = smooth_colour(grid.position)
    seen = geometry.look(picture.reshape(1, 128, 128, 3).movedim(-1, 1))
    for image, view in zip(seen, geometry.surfaces(128, 128), strict=True):
        shown = image.reshape(3, -1).T[view.pixel]
        assert float((shown - smooth_colour(view.position)).abs().max()) < 0.12
        assert _psnr(shown, smooth_colour(view.position)) > 35
    texture, weight = geometry.stitch(8, seen.movedim(1, -1))
    painted = weight.reshape(-1)[grid.index] > 0
    assert _psnr(texture.reshape(-1, 3)[grid.index][painted], smooth_colour(grid.position)[painted]) > 35


def test_what_is_behind_gets_no_colour() -> None:
    for mesh, hidden in ((sheets(), (1, 2, 3)), (box((1.0, 1.0, 0.004)), (5,))):
        geometry = _geometry(mesh, Orbit((Viewpoint.orbit(0, 0, 2), Viewpoint.orbit(0.3, 0.2, 2)), 128, 128))
        texture, weight = geometry.stitch(8, torch.ones(2, 128, 128, 3))
        grid = geometry.texels(128, 128)
        seen = weight.reshape(-1)[grid.index] > 0
        for chart in hidden:
            assert not bool(seen[grid.chart == chart].any())
        assert bool(seen[grid.chart == (0 if len(hidden) == 3 else 4)].float().mean() > 0.97)
        assert torch.allclose(texture[weight > 0], torch.tensor(1.0), atol=1e-6)
        for sampling in SAMPLINGS:
            views = geometry.views_on(32, 32, 48, 48, sampling)
            cells = geometry.texels(48, 48)
            count = views.views_per_cell[cells.index]
            for chart in hidden:
                assert not bool(count[cells.chart == chart].any())


def test_a_smooth_texture_survives_the_views() -> None:
    # Ten views of 256, a texture of 512: half the size that the benchmark takes.
    geometry = _geometry(torus(96, 48), replace(RIG, width=256, height=256), 512)
    grid = geometry.texels(512, 512)
    known = smooth_colour(grid.position)
    images = []
    for view in geometry.surfaces(256, 256):
        image = torch.zeros(256 * 256, 3)
        image[view.pixel] = smooth_colour(view.position)
        images.append(image.reshape(256, 256, 3))
    texture, weight = geometry.stitch(8, images)
    seen = weight.reshape(-1)[grid.index] > 0
    assert float(seen.float().mean()) > 0.85
    assert _psnr(texture.reshape(-1, 3)[grid.index][seen], known[seen]) > 45
    # And looked at again, it is what the views were.
    again = geometry.look(torch.where((weight > 0)[..., None], texture, 0.5).movedim(-1, 0)[None]).movedim(1, -1)
    inside = torch.stack(images).abs().sum(-1) > 0
    assert _psnr(again[inside], torch.stack(images)[inside]) > 35


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_maps_carry_a_smooth_texture_too(sampling: Sampling) -> None:
    geometry = _geometry(torus(96, 48))
    views = geometry.views_on(128, 128, 192, 192, sampling)
    images = torch.zeros(10, 128 * 128, 3)
    for number, view in enumerate(geometry.surfaces(128, 128)):
        images[number, view.pixel] = smooth_colour(view.position)
    batch = images.reshape(10, 128, 128, 3).movedim(-1, 1)
    mean = Aggregator(views)
    grid = geometry.texels(192, 192)
    texture = mean(batch)[0].reshape(3, -1).T[grid.index]
    seen = mean.seen[grid.index]
    assert _psnr(texture[seen], smooth_colour(grid.position)[seen]) > (40 if sampling == "bilinear" else 32)


def test_a_round_trip_moves_nothing_far() -> None:
    # Every pixel carries its own place in space: after averaging and looking again it must still be near by.
    geometry = _geometry(torus(96, 48))
    views = geometry.views(4, 1)
    surfaces = geometry.surfaces(32, 32)
    places, steps = torch.zeros(10, 3, 32 * 32), torch.ones(10, 32 * 32)
    for number, view in enumerate(surfaces):
        places[number][:, view.pixel], steps[number, view.pixel] = view.position.T, view.step
    again = views.project(Aggregator(views)(places.reshape(10, 3, 32, 32))).reshape(10, 3, -1)
    moved = ((again - places).norm(dim=1) / steps)[views.covered.reshape(10, -1)]
    assert float(moved.median()) < 0.6 and float(moved.max()) < 3


def test_noise_is_white_in_every_view_and_shared() -> None:
    rig = Orbit((Viewpoint.orbit(0, 0.3, 2), Viewpoint.orbit(0.25, 0.3, 2)), 16, 16)
    views = _geometry(torus(), rig).views_on(16, 16, 24, 24, "nearest")
    channels = 6000
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(1, channels, 24, 24, generator=generator)
    noise = view_noise(views, "polar", z, lambda: torch.randn(2, channels, 16, 16, generator=generator))
    flat = noise.reshape(2, channels, 256)
    for view in flat:
        covariance = view.T @ view / channels
        assert float((covariance - torch.eye(256)).abs().max()) < 0.09
    both = flat[0].T @ flat[1] / channels
    # As many pixels have a partner in the other view as ``sharing`` says.
    partnered = (both.abs().amax(1) > 0.2).float().sum() + (both.abs().amax(0) > 0.2).float().sum()
    assert float(partnered) == pytest.approx(sharing(views) * float(views.covered.sum()), abs=6)
    assert sharing(views) > 0.4


def test_the_grid_follows_the_views() -> None:
    geometry = _geometry(torus())
    rows, columns = geometry.grid(8)
    assert rows == columns and rows % 8 == 0
    doubled = _geometry(torus(), replace(RIG, width=256, height=256))
    assert doubled.grid(8)[0] == pytest.approx(2 * rows, abs=8)
    wide = MeshGeometry(MeshTexture(torus(), 256, 128), RIG)
    assert wide.grid(1)[1] == pytest.approx(2 * wide.grid(1)[0], abs=8)
    assert wide.grid(1)[0] * wide.grid(1)[1] == pytest.approx(geometry.grid(1)[0] ** 2, rel=0.15)
    assert _geometry(torus(), latent_size=64).grid(8) == (64, 64)
    assert _geometry(torus(), latent_size=64).grid(16) == (32, 32)
    # Finer grids share less, coarser ones more: what the choice is about.
    shares = [sharing(_geometry(torus(), latent_size=n).views(4, 1)) for n in (8, 24, 96)]
    assert shares[0] > shares[1] > shares[2] and shares[2] < 0.3 < sharing(geometry.views(4, 1))


def test_a_scene_of_it_finds_cells_and_builds_nothing_twice() -> None:
    space = MeshTexture(torus(), 128, 128)
    scene = Scene(space, RIG)
    views = scene.views(8)
    assert scene.view_size == (128, 128) and views.count == 10 and views.canonical == scene.grid(8)
    assert scene.cell_of_canonical((1, 4, *scene.grid(8))) == 8
    assert scene.cell_of_canonical((1, 4, *scene.grid(4))) == 4
    with pytest.raises(ValueError, match="not on the grid"):
        scene.cell_of_canonical((1, 4, 1000, 1000))
    assert Scene(space, Orbit(RIG.viewpoints, 128, 128)).views(8) is views
    assert Scene(MeshTexture(torus(), 128, 128), RIG).views(8) is not views
    fine = scene.views(8, 8)
    assert fine.height == 128 and fine.canonical == tuple(8 * n for n in scene.grid(8))
    places = scene.view_places()
    assert [p.azimuth for p in places[:3]] == [0, 45, 90] and places[9].azimuth == 180 and places[9].elevation == 30
    with pytest.raises(ValueError, match="not a multiple"):
        Scene(space, Orbit(RIG.viewpoints, 100, 100)).views(8)
    with pytest.raises(ValueError, match="a rig of plane cannot look at a mesh; connect OrbitRig"):
        Scene(space, Plane(8, 8))  # pyright: ignore[reportArgumentType]


def test_weights_for_another_exponent_share_the_maps() -> None:
    geometry = _geometry(torus(), replace(RIG, exponent=(2.0, 6.0)))
    views = geometry.views(8, 1)
    later = views.at(1.0)
    assert later.forward is views.forward and later.gather is views.gather
    seen = views.weights > 1e-3
    assert torch.allclose(later.weights[seen], views.weights[seen] ** 3, rtol=1e-3)
    assert torch.equal(later.weights > 0, views.covered.reshape(-1))
    # (cosines to the 32nd power are smaller than float32 holds)
    flat = cosine_weights(torch.tensor([0.0, 1e-3, 1.0]), 32.0)
    assert flat[0] == 0 and 0 < flat[1] < 1e-10 and flat[2] == 1


def test_a_camera_that_sees_nothing_is_named() -> None:
    away = Viewpoint((0.0, 0.0, -3.0))
    geometry = _geometry(torus(), Orbit((RIG.viewpoints[0], away), 64, 64))
    with pytest.raises(ValueError, match=r"camera 1 at \(.*\) sees nothing of mesh 'torus'"):
        geometry.views(8, 1)


def test_a_room_is_painted_from_inside() -> None:
    looks = [Viewpoint((0.0, 0.0, 0.0), *axes, fov=math.radians(100)) for axes in _SIX]  # pyright: ignore
    geometry = _geometry(box(), Orbit(tuple(looks), 64, 64))
    views = geometry.views(4, 1)
    assert views.fully_covered and float((views.views_per_cell > 0).float().mean()) > 0.75
    texture, weight = geometry.stitch(8, torch.full((6, 64, 64, 3), 0.25))
    grid = geometry.texels(128, 128)
    assert bool((weight.reshape(-1)[grid.index] > 0).all())
    assert torch.allclose(texture.reshape(-1, 3)[grid.index], torch.tensor(0.25), atol=1e-6)


_SIX = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
    ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
)


def test_images_of_another_rig_are_refused() -> None:
    geometry = _geometry(torus())
    with pytest.raises(ValueError, match="3 images for a rig of 10"):
        geometry.stitch(8, torch.zeros(3, 128, 128, 3))
    with pytest.raises(ValueError, match="of 64 x 64 for a rig of 10 views of 128 x 128"):
        geometry.stitch(8, torch.zeros(10, 64, 64, 3))


def test_seams_are_measured() -> None:
    geometry = _geometry(box())
    rows, columns = geometry.grid(4)
    grid = geometry.texels(rows, columns)
    smooth, patchy = torch.zeros(3, rows * columns), torch.zeros(3, rows * columns)
    smooth[:, grid.index] = smooth_colour(grid.position).T
    patchy[:, grid.index] = smooth[:, grid.index] + 0.3 * (grid.chart % 2)
    good, bad = (geometry.seam_ratio(p.reshape(3, rows, columns), 4) for p in (smooth, patchy))
    assert good < 2.5 < 10 * good < bad
    assert geometry.seam_ratio(torch.ones(3, rows, columns), 4) == 1.0
