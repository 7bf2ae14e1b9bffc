"""Splats on the image plane and in pixels: against gsplat's torch code and a float64 loop over pixels and splats."""

import importlib.util
import inspect
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from oracles.splat_twins import around, ball, dense_weights, fog, tile_pairs
from syncpack.renderers import compiled
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.splats.splats import Splats
from syncpack.renderers.splats.weights import project as project_module
from syncpack.renderers.splats.weights import tiles, weights, weights_torch
from syncpack.renderers.splats.weights.project import EPS2D, RULES, project
from syncpack.renderers.splats.weights.tiles import ViewWeights
from syncpack.renderers.splats.weights.weights import pooled, view_weights
from syncpack.renderers.splats.weights.weights_gsplat import listed_gsplat
from syncpack.renderers.splats.weights.weights_torch import DEPTH, listed_torch
from torch import Tensor

BACKENDS = [
    "torch",
    pytest.param("numba", marks=pytest.mark.skipif(not importlib.util.find_spec("numba"), reason="no numba")),
]
CAMERAS = {
    "around": lambda s: around(s),
    "near": lambda s: around(s, 2.0, -0.7, 1.3),
    "inside": lambda s: Viewpoint((0.1, 0.0, 0.2)).in_scene(s.centre, s.radius),
    "shifted": lambda s: Viewpoint((0.0, 0.0, 2.5), shift=(0.4, -0.7)).in_scene(s.centre, s.radius),
    "orthographic": lambda s: Viewpoint((0.0, 0.0, 2.5), span=2.2).in_scene(s.centre, s.radius),
}


def dense(found: ViewWeights) -> Tensor:
    out = torch.zeros(found.map.rows, found.map.cols, dtype=torch.float64)
    out[found.map.row_of_entry, found.map.indices.long()] = found.map.weights.double()
    return out


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("rule", RULES)
def test_projection_is_gsplats(name: str, rule: str) -> None:
    """Centres to 1e-4 pixels, shapes, depths, compensations; what gsplat draws we see."""
    gsplat = pytest.importorskip("gsplat.cuda._torch_impl", reason="gsplat is not installed")
    splats = fog(2000, size=0.05)
    camera = CAMERAS[name](splats)
    height, width = 48, 64
    seen = project(splats, camera, height, width, rule, near=0.01)
    flip = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = flip @ camera.rotation.T
    pose[:3, 3] = -pose[:3, :3] @ torch.tensor(camera.position, dtype=torch.float64)
    focal = width / (2 * camera.half_size(height, width)[0])
    middle = (width * (1 + camera.shift[0]) / 2, height * (1 - camera.shift[1]) / 2)
    matrix = torch.tensor([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])

    def theirs(dtype: torch.dtype) -> tuple[Tensor, ...]:
        covariance, _ = gsplat._quat_scale_to_covar_preci(splats.rotations.to(dtype), splats.scales.to(dtype))
        kind = "pinhole" if camera.span is None else "ortho"
        found = gsplat._fully_fused_projection(
            splats.positions.to(dtype), covariance, pose[None].to(dtype), matrix[None].to(dtype), width, height,
            eps2d=EPS2D, near_plane=0.01, calc_compensations=True, camera_model=kind,
        )  # fmt: skip
        return tuple(value[0] for value in found)

    radii, means, depths, conics, compensations = theirs(torch.float64)
    index = seen.index
    assert len(seen) > 100
    assert bool((radii[index] > 0).all())
    torch.testing.assert_close(seen.mean, means[index], rtol=0, atol=1e-4)
    torch.testing.assert_close(seen.depth, depths[index], rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(seen.conic, conics[index], rtol=1e-5, atol=1e-7)
    expected = splats.opacities.double()[index]
    if rule == "antialiased":
        expected = expected * compensations[index]
    torch.testing.assert_close(seen.opacity, expected, rtol=0, atol=1e-5)
    # In its own float32 too, where a splat's centre is in or near the frame.
    single = theirs(torch.float32)[1][index].double()
    framed = (seen.mean - torch.tensor([width / 2, height / 2])).abs().amax(1) < width
    assert float((seen.mean - single)[framed].abs().max()) <= 1e-4


def test_splats_are_sorted_and_none_is_behind() -> None:
    splats = ball(500)
    inside = project(splats, CAMERAS["inside"](splats), 32, 32)
    assert bool((inside.depth.diff() >= 0).all())
    assert float(inside.depth.min()) > 0.01 * splats.radius
    away = Viewpoint.orbit(0, 0, 3).in_scene(splats.centre, splats.radius)
    turned = Viewpoint(away.position, (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    assert len(project(splats, turned, 32, 32)) == 0


def test_a_splat_left_out_adds_to_no_pixel() -> None:
    """The box of a splat holds every pixel where its alpha reaches 1/255."""
    splats = fog(300)
    camera = around(splats)
    seen = project(splats, camera, 24, 32)
    wide = project(splats, camera, 24, 32)
    object.__setattr__(wide, "extent", wide.extent + 100)
    boxed, everywhere = (dense(view_weights(view, 300, "torch", 0)) for view in (seen, wide))
    assert torch.equal(boxed > 0, everywhere > 0)
    torch.testing.assert_close(boxed, everywhere, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scene", [ball(400), fog(300), fog(120, 3, 0.6)], ids=["ball", "fog", "large"])
@pytest.mark.parametrize("name", CAMERAS)
def test_weights_are_the_twins(scene: Splats, name: str, backend: str) -> None:
    """Single weights to 1e-4, colours to 1e-5, on a view that is no whole number of tiles."""
    seen = project(scene, CAMERAS[name](scene), 21, 27)
    found = view_weights(seen, len(scene), backend, prune=0)
    slow = dense_weights(seen, len(scene))
    fast = dense(found)
    assert float((fast - slow).abs().max()) <= 1e-4
    colours = scene.colours.double()
    assert float((fast @ colours - slow @ colours).abs().max()) <= 1e-5
    assert float((found.map.apply(scene.colours).double() - slow @ colours).abs().max()) <= 1e-5
    torch.testing.assert_close(found.alpha.double(), slow.sum(1), rtol=0, atol=1e-5)
    assert float(slow.sum(1).max()) > 0.5


@pytest.mark.parametrize("backend", BACKENDS)
def test_pixels_list_their_splats_front_to_back(backend: str) -> None:
    scene = fog(300)
    seen = project(scene, around(scene), 20, 20)
    rows = view_weights(seen, 300, backend, 0).map
    place = torch.full((300,), -1)
    place[seen.index] = torch.arange(len(seen))
    steps = place[rows.indices.long()].diff()
    assert bool((steps > 0)[rows.row_of_entry.diff() == 0].all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_view_without_splats_lists_nothing(backend: str) -> None:
    seen = project(fog(50), Viewpoint((0.0, 0.0, 900.0)), 9, 11)
    empty = view_weights(seen, 50, backend)
    assert len(seen) == 0 and empty.map.nnz == 0 and empty.map.rows == 99 and not bool(empty.alpha.any())


def test_bands_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = ball(600)
    seen = project(scene, around(scene), 40, 52)
    whole = view_weights(seen, 600, "torch")
    monkeypatch.setattr(weights_torch, "_VALUES", 3 * 64 * 32)
    assert len(list(tiles.bands(seen, 40))) == 5
    original = tiles.bands
    monkeypatch.setattr(weights_torch, "bands", lambda view, every=1: original(view, 40, every))
    parts = view_weights(seen, 600, "torch")
    assert torch.equal(whole.map.indices, parts.map.indices)
    torch.testing.assert_close(whole.map.weights, parts.map.weights, rtol=1e-6, atol=1e-7)


@pytest.mark.skipif(not importlib.util.find_spec("numba"), reason="no numba")
def test_numba_holds_one_band_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pairs of large splats and tiles would take many times the entries' memory."""
    from syncpack.renderers.splats.weights import weights_numba

    splats = fog(120, 3, 0.6)
    view = project(splats, around(splats), 44, 36)
    whole = view_weights(view, len(splats), "numba")
    alive, most = list[weakref.ref[Any]](), list[int]()

    def few_at_once(view: Any) -> Any:
        for band in tiles.bands(view, pairs=1):
            held = band.splat.numpy().copy()
            alive.append(weakref.ref(held))
            band = replace(band, splat=torch.from_numpy(held))
            del held
            most.append(sum(r() is not None for r in alive))
            yield band

    monkeypatch.setattr(weights_numba, "bands", few_at_once)
    parts = view_weights(view, len(splats), "numba")
    assert len(most) > 3 and max(most) <= 2
    assert torch.equal(whole.map.indices, parts.map.indices) and torch.equal(whole.map.weights, parts.map.weights)
    assert torch.equal(whole.map.offsets, parts.map.offsets) and torch.equal(whole.alpha, parts.alpha)


def test_more_splats_deep_than_one_chunk() -> None:
    """Faint splats one behind the other: every chunk hands on its light."""
    count = 150
    positions = torch.zeros(count, 3)
    positions[:, 2] = torch.linspace(-1, 1, count)
    turn = torch.tensor([1.0, 0, 0, 0]).repeat(count, 1)
    scene = Splats(positions, torch.full((count, 3), 0.5), turn, torch.full((count,), 0.05), torch.zeros(count, 1, 3))
    seen = project(scene, Viewpoint((0, 0, 6.0)), 9, 9)
    slow = dense_weights(seen, count)
    assert int((slow > 0).sum(1).max()) > 3 * DEPTH
    assert float((dense(view_weights(seen, count, "torch", 0)) - slow).abs().max()) <= 1e-6


@pytest.mark.parametrize("prune", [0.0, 1e-3])
def test_thousands_at_one_place_fit_the_room_of_a_tile(prune: float) -> None:
    """As many as a pixel can list, and far more than that: no entry is lost, none is written outside of its room."""
    pytest.importorskip("numba")
    count = 6000
    positions = torch.zeros(count, 3)
    positions[:, 2] = torch.linspace(-1, 1, count)
    turn = torch.tensor([1.0, 0, 0, 0]).repeat(count, 1)
    faint = torch.full((count,), 1.001 / 255)
    scene = Splats(positions, torch.full((count, 3), 9.0), turn, faint, torch.zeros(count, 1, 3))
    seen = replace(project(scene, Viewpoint((0, 0, 30.0)), 9, 9, "classic"), least=None)
    slow, fast = (view_weights(seen, count, backend, prune) for backend in ("torch", "numba"))
    torch.testing.assert_close(dense(fast), dense(slow), rtol=1e-4, atol=1e-7)
    if prune == 0:
        deepest = int(slow.map.row_counts().max())
        assert 2200 < deepest < count and float(slow.alpha.max()) > 0.999


@pytest.mark.parametrize("backend", BACKENDS)
def test_pruning_keeps_every_pixels_sum(backend: str) -> None:
    scene = ball(800, size=1.5)
    seen = project(scene, around(scene), 24, 24)
    full, pruned = (view_weights(seen, 800, backend, prune) for prune in (0.0, 1e-2))
    assert pruned.map.nnz < 0.9 * full.map.nnz
    kept = pruned.map.row_counts() > 0
    torch.testing.assert_close(dense(pruned).sum(1)[kept].float(), full.alpha[kept], rtol=0, atol=1e-5)
    assert torch.equal(pruned.alpha > 0, kept)
    # What is left keeps its proportions, and is what was not below the limit.
    slow = dense(full)
    slow[slow < 1e-2] = 0
    scale = full.alpha.double() / slow.sum(1).clamp_min(1e-12)
    torch.testing.assert_close(dense(pruned), slow * scale[:, None], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("prune", [0.0, 1e-2])
def test_lists_of_gsplats_pairs_are_the_twins(name: str, prune: float) -> None:
    """The call as gsplat takes it, and weights and order from the pairs it gives; a slow twin of it gives them here, in
    no order of pixels."""
    scene = fog(200)
    seen = project(scene, CAMERAS[name](scene), 19, 21)

    def pairs(*given: Any) -> tuple[Tensor, ...]:
        splats, pixels, images = tile_pairs(*given)
        order = torch.argsort(pixels * 7 % 13, stable=True)
        return splats[order], pixels[order], images[order]

    found = listed_gsplat(seen, prune, pairs, "cpu")  # pyright: ignore[reportArgumentType]
    expected = listed_torch(seen, prune)
    theirs, ours = (dense(weights.assembled(seen, lists, 200)) for lists in (found, expected))
    assert float((theirs - ours).abs().max()) <= 1e-4
    torch.testing.assert_close(found.alpha, expected.alpha, rtol=0, atol=1e-5)
    assert torch.equal(theirs > 0, ours > 0)
    rows = weights.assembled(seen, found, 200).map
    assert torch.equal(rows.indices, weights.assembled(seen, expected, 200).map.indices), "front to back"
    fields = ("index", "mean", "covariance", "opacity", "depth", "extent")
    nothing = replace(seen, **{field: getattr(seen, field)[:0] for field in fields})
    assert listed_gsplat(nothing, prune, pairs, "cpu").weight.numel() == 0  # pyright: ignore[reportArgumentType]


def test_gsplats_call_has_these_parameters() -> None:
    gsplat = pytest.importorskip("gsplat", reason="gsplat is not installed")
    theirs = list(inspect.signature(gsplat.rasterize_to_indices_in_range).parameters)
    assert theirs == list(inspect.signature(tile_pairs).parameters)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", CAMERAS)
def test_gsplat_on_a_gpu_lists_the_same(name: str) -> None:
    pytest.importorskip("gsplat", reason="gsplat is not installed")
    scene = ball(3000)
    seen = project(scene, CAMERAS[name](scene), 70, 90)
    theirs, ours = (dense(view_weights(seen, 3000, backend)) for backend in ("gsplat", "torch"))
    assert float((theirs - ours).abs().max()) <= 1e-3, "a splat at the limit of pruning may differ"
    assert float((theirs - ours).abs().mean()) <= 1e-7


def test_a_backend_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="'cuda' is unknown; use one of auto, torch, numba, gsplat"):
        weights.chosen_backend("cuda")
    monkeypatch.setattr(compiled, "installed", lambda module: False)
    with pytest.raises(ValueError, match="'gsplat' is not installed; pip install gsplat, or use torch"):
        weights.chosen_backend("gsplat")
    monkeypatch.setattr(compiled, "installed", lambda module: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="'gsplat' needs an NVIDIA GPU, which torch does not find; use numba or torch"):
        weights.chosen_backend("gsplat")
    assert weights.chosen_backend("auto") == "numba", "never gsplat by itself"


def test_pooled_pixels_are_means_of_pixels():
    """What a cell of 4 x 4 pixels shows is the mean of what they show, but for the light that pruning takes."""
    scene = ball(400)
    camera = around(scene)
    fine = view_weights(project(scene, camera, 64, 48, "antialiased", 0.01), len(scene), "torch", 0.0)
    coarse = pooled(fine, 48, 4, 0.0)
    colours = torch.rand(len(scene), 3, generator=torch.Generator().manual_seed(0))
    expected = F.avg_pool2d(fine.map.apply(colours).T.reshape(1, 3, 64, 48), 4)[0].flatten(1).T
    torch.testing.assert_close(coarse.map.apply(colours), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(coarse.alpha, F.avg_pool2d(fine.alpha.reshape(1, 1, 64, 48), 4).flatten())
    pruned = pooled(fine, 48, 4, 0.01)
    assert pruned.map.nnz < coarse.map.nnz
    torch.testing.assert_close(pruned.map.apply(torch.ones(len(scene), 1))[:, 0], coarse.alpha, rtol=0, atol=1e-5)
    assert pooled(fine, 48, 1, 0.0) is fine


def test_what_is_nearer_than_a_hundredth_of_the_radius_is_left_out() -> None:
    scene = ball(200)
    for away, there in ((0.5, False), (2.0, True)):
        place = scene.positions[:1].double() + torch.tensor([0.0, 0.0, 0.01 * scene.radius * away])
        camera = Viewpoint(tuple(place[0].tolist()))
        assert (0 in project(scene, camera, 32, 32).index.tolist()) == there


# Many faint splats


def uncut(splats: Splats, camera: Viewpoint, side: int, rule: str = "antialiased") -> tuple[Tensor, Tensor]:
    """(alpha [side, side], colours [side, side, 3]) in float64, every splat in every pixel, however faint: the light
    of a pixel by rows, one splat after the other."""
    every = replace_limits(splats, camera, side, rule)
    step = torch.arange(side, dtype=torch.float64) + 0.5
    light = torch.ones(side, side, dtype=torch.float64)
    alpha, colours = torch.zeros_like(light), torch.zeros(side, side, 3, dtype=torch.float64)
    (xx, xy, yy), own = every.conic.unbind(1), splats.colours.double()
    reach = (6 * torch.stack([every.covariance[:, 0], every.covariance[:, 2]], 1).sqrt()).ceil()
    low = (every.mean - reach).floor().long().clamp(0, side).tolist()
    high = (every.mean + reach).ceil().long().clamp(0, side).tolist()
    for i, k in enumerate(every.index.tolist()):
        rows, columns = slice(low[i][1], high[i][1]), slice(low[i][0], high[i][0])
        x, y = step[None, columns] - every.mean[i, 0], step[rows, None] - every.mean[i, 1]
        value = every.opacity[i] * torch.exp(-0.5 * (xx[i] * x * x + 2 * xy[i] * x * y + yy[i] * y * y))
        weight = value.clamp_max(tiles.ALPHA_MAX) * light[rows, columns]
        alpha[rows, columns] += weight
        colours[rows, columns] += weight[..., None] * own[k]
        light[rows, columns] -= weight
    return alpha, colours


def replace_limits(splats: Splats, camera: Viewpoint, side: int, rule: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(project_module, "least_alphas", lambda mean, covariance, opacity, *_: opacity * 1e-6 + 1e-300)
        return project(splats, camera, side, side, rule)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("size, side", [(0.8, 8), (0.3, 24)])
def test_many_faint_splats_together_count(backend: str, size: float, side: int) -> None:
    """A closed ball of splats much smaller than pixels: by their own opacity none, or few, would be seen."""
    scene = ball(6000, size=size * 1.4)
    camera = around(scene)
    alpha, colours = uncut(scene, camera, side)
    seen = project(scene, camera, side, side)
    found = view_weights(seen, len(scene), backend)
    assert float(alpha.max()) > 0.5
    shown = found.map.apply(scene.colours).double().reshape(side, side, 3)
    assert float((found.alpha.double().reshape(side, side) - alpha).abs().mean()) < 0.025
    assert float((shown - colours).abs().mean()) < 0.025
    assert float(found.alpha.sum()) == pytest.approx(float(alpha.sum()), rel=0.05)
    # What gsplat's rule leaves of it.
    cut = view_weights(replace(seen, least=None), len(scene), backend).alpha
    assert float(cut.sum()) < 0.99 * float(alpha.sum())


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_too_faint_to_be_listed_is_gathered(backend: str) -> None:
    """No weight reaches the limit of pruning, and pixels list no more than that allows; all of their light is there."""
    count = 6000
    generator = torch.Generator().manual_seed(0)
    scene = replace(
        ball(count), positions=torch.rand(count, 3, generator=generator), opacities=torch.full((count,), 3e-3)
    )
    camera = around(scene)
    seen = project(scene, camera, 8, 8)
    found, whole = (view_weights(seen, count, backend, prune) for prune in (1e-3, 0.0))
    assert float(whole.map.weights.max()) < 1e-3 and whole.map.nnz > 10 * found.map.nnz
    assert int(found.map.row_counts().max()) <= 1002
    bright = whole.alpha > 0.05
    torch.testing.assert_close(found.alpha[bright], whole.alpha[bright])
    # Where their light comes from is right on the mean.
    places = scene.positions
    torch.testing.assert_close(found.map.apply(places)[bright], whole.map.apply(places)[bright], rtol=0.1, atol=0.01)


def test_ordinary_views_are_cut_as_gsplat_does() -> None:
    scene = ball(2000)
    assert project(scene, around(scene), 128, 128).least is None


def test_gsplat_is_not_asked_where_its_limit_takes_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = ball(3000, size=0.2)
    seen = project(scene, around(scene), 12, 12)
    monkeypatch.setattr(weights, "chosen_backend", lambda name: "gsplat" if name == "gsplat" else "torch")
    assert torch.equal(view_weights(seen, len(scene), "gsplat").alpha, view_weights(seen, len(scene), "torch").alpha)
