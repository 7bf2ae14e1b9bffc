"""Ambiguous images as a scene: views at every resolution, the five cases, pictures in and out."""

import itertools
import math

import pytest
import torch
from helpers.k_runs import gain_of, gaussian, product, rms, run, ve
from oracles.mixture import GaussianMixturePrior
from oracles.parameterization import Level, ddim_levels
from oracles.twins import F64, dense, draw, generator
from syncpack.renderers.illusions.space import Illusion, Warps, illusion_views
from syncpack.renderers.illusions.warps import Masked, warp
from syncpack.renderers.illusions.warps.inner_circle import in_disc
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.linear_map import LinearMap
from syncpack.sync_core.noise import polar_noise
from syncpack.sync_core.views import ViewSet
from torch import Tensor

CASES = (1, 2, 3, 4, 5)


def rig(*names: str, weights: tuple[float, ...] = ()) -> Warps:
    return Warps(tuple(map(warp, names)), weights)


def wide(views: ViewSet) -> ViewSet:
    """The same in float64, for laws that hold to the last digits."""
    forward = views.forward.with_weights(views.forward.weights.to(F64))
    return ViewSet(forward, views.canonical, views.height, views.width, views.weights.to(F64))


RIGS = {
    "flip": ("identity", "flip_y"),
    "turns": ("identity", "rotate_90", "rotate_180", "rotate_270"),
    "negate": ("identity", "negate"),
    "skew": ("identity", "skew"),
    "pieces": ("identity", "jigsaw", "square_hinge"),
    "shuffled": ("patch_permute", "pixel_permute", "inner_circle", "hinge_in_three"),
}


@pytest.mark.parametrize("name", RIGS)
def test_k1_five_cases_agree_on_the_gaussian_mixture(name: str) -> None:
    """1-to-1: another mixture in every view, weighted views, 50 steps of DDIM: one trajectory, to 1e-12."""
    count, levels = len(RIGS[name]), ve(ddim_levels(50, final_alpha_bar=1.0))
    views = wide(illusion_views(Illusion(16, 16), rig(*RIGS[name], weights=tuple(range(1, count + 1))), 16, 16))
    priors = [GaussianMixturePrior.make(draw(3, 2, 16, 16, seed=50 + n), 0.3) for n in range(count)]

    def denoise(x: Tensor, sigma: float) -> Tensor:
        return torch.cat([priors[n % count].denoise(x[n : n + 1], Level.ve(sigma)) for n in range(len(x))])

    z = levels[0] * draw(1, 2, 16, 16, seed=7)
    aggregator = Aggregator(views)
    ends = []
    for case in CASES:
        end = run(case, aggregator, denoise, levels, views.project(z) if case < 4 else z)
        ends.append(aggregator(end) if case < 4 else end)
    assert max(float((e - ends[0]).abs().max()) for e in ends) < 1e-12 * float(ends[0].abs().max())


@pytest.mark.parametrize(("degrees", "one", "four"), [(45, 1.52, 2.82), (135, 1.57, 2.93), (90, 0.99, 0.99)])
def test_k8_inner_rotation(degrees: int, one: float, four: float) -> None:
    """1-to-n, 64 x 64, nearest, 30 steps, std in the disc. Unprojecting by turning back, as published, inflates cases 1
    and 4; 2 and 3 stay right, 5 loses a little (the notes' prior is not stated; with theirs it lost nothing). Both
    are over what nothing disturbs: the notes' 0.99 of a quarter turn, here a run without sync, which 30 steps leave
    at 0.93. The hit-mean, which is this pack's A, inflates nothing."""
    side, levels = 64, ddim_levels(30)
    size = side * side
    turn, inside = warp("inner_rotate", angle=float(degrees)), in_disc(side, side, 0.375).flatten()
    views = wide(illusion_views(Illusion(side, side), Warps((warp("identity"), turn)), side, side))
    back = warp("inner_rotate", angle=-float(degrees)).map(side, side).indices.long()
    own, half = torch.arange(size), torch.full((2 * size,), 0.5, dtype=F64)
    lost = (turn.map(side, side).indices.long()[back] != own)[inside].double().mean()
    assert float(lost) == (0 if degrees == 90 else pytest.approx(0.17, abs=0.01))
    published = Aggregator(views)
    published.__dict__["mean"] = LinearMap.from_entries(
        size, 2 * size, own.repeat(2), torch.cat([own, size + back]), half
    )
    plain = product([gain_of(0.5, a, b) for a, b in itertools.pairwise(levels)]) / 0.5
    start = draw(4, 2, side, side, seed=2) / levels[0].alpha
    found: dict[str, list[float]] = {}
    for name, aggregator in (("published", published), ("hits", Aggregator(views))):
        found[name] = []
        for case in CASES:
            end = run(case, aggregator, gaussian(0.5), ve(levels), views.project(start) if case < 4 else start)
            z = aggregator(end) if case < 4 else end
            found[name].append(levels[-1].alpha * rms(z.flatten(2)[:, :, inside]) / 0.5 / plain)
    assert found["published"][:4] == pytest.approx([one / 0.99, 1, 1, four / 0.99], rel=0.05)
    assert found["published"][4] == pytest.approx(1, abs=0.07)
    assert found["hits"] == pytest.approx([1] * 5, abs=0.02)


def test_polar_noise_of_one_to_one_warps_is_the_canonical_noise_itself() -> None:
    views = illusion_views(Illusion(32, 32), rig("identity", "jigsaw", "negate"), 32, 32)
    z = draw(1, 3, 32, 32).float()
    assert torch.equal(polar_noise(views, z, lambda: pytest.fail("nothing is missing")), views.project(z))


def test_polar_noise_of_a_one_to_n_warp_is_white() -> None:
    views = illusion_views(Illusion(32, 32), rig("inner_rotate"), 32, 32)
    noise = polar_noise(views, draw(40, 3, 32, 32), lambda: draw(40, 3, 32, 32, seed=9))
    samples = noise.flatten(0, 1).flatten(1)
    covariance = samples.T @ samples / len(samples)
    off = covariance - torch.diag(covariance.diagonal())
    assert float(covariance.diagonal().mean()) == pytest.approx(1, abs=0.02)
    repeated = [
        (i, j) for i, j in itertools.pairwise(range(1024)) if views.forward.indices[i] == views.forward.indices[j]
    ]
    assert len(repeated) > 20
    assert abs(float(torch.stack([off[i, j] for i, j in repeated]).mean())) < 0.05  # f(z) itself would give 1


@pytest.mark.parametrize(("cell", "finer"), [(1, 1), (8, 1), (8, 8)])
def test_scene_gives_views_at_every_resolution(cell: int, finer: int) -> None:
    scene = Scene(Illusion(128, 128, 2), rig("identity", "rotate_90"))
    views = scene.views(cell, finer)
    side = 128 // cell * finer
    assert (views.canonical, views.height, views.width, views.count) == ((2 * side, side), side, side, 2)
    shape = (2 * 3, 4, 128 // cell, 128 // cell)
    assert scene.cell_of_views(shape) == cell and scene.views_of_batch(shape).count == 2
    assert scene.cell_of_canonical((1, 4, 2 * 128 // cell, 128 // cell)) == cell
    assert [str(p) for p in scene.view_places()] == ["", ""]
    assert scene.mean_of_batch(shape, torch.device("cpu"))(draw(*shape)).shape == (3, 4, 2 * 128 // cell, 128 // cell)


def test_views_on_cells_and_on_pixels_agree_where_warps_move_whole_cells() -> None:
    scene = Scene(Illusion(64, 64), rig("flip_x", "rotate_270", "patch_permute"))
    z = draw(1, 2, 8, 8)
    big = z.repeat_interleave(8, 2).repeat_interleave(8, 3)
    coarse = scene.views(8).project(z).repeat_interleave(8, 2).repeat_interleave(8, 3)
    assert torch.equal(scene.views(8, 8).project(big), coarse)


def test_look_and_stitch_are_inverse() -> None:
    scene = Scene(Illusion(48, 48), rig("identity", "negate", "jigsaw", "square_hinge"))
    picture = torch.rand(2, 3, 48, 48, generator=generator(1))
    seen = scene.look(picture)
    assert torch.equal(seen[0], picture[0]) and torch.equal(seen[6], warp("jigsaw").view(picture[1]))
    torch.testing.assert_close(seen[1], 1 - picture[0])
    back, weight = scene.geometry.stitch(8, [v.movedim(0, -1) for v in seen[:4]])
    torch.testing.assert_close(back, picture[0].movedim(0, -1), rtol=0, atol=1e-6)
    assert torch.equal(weight, torch.full((48, 48), 4.0))
    with pytest.raises(ValueError, match=r"^3 images of 48 x 48 for 4 warps of 48 x 48; connect all decoded views"):
        scene.geometry.stitch(8, [v.movedim(0, -1) for v in seen[:3]])


def test_masks_are_seen_as_masks() -> None:
    """A region is where it is, in a negative too; outside of the picture nothing is painted."""
    scene = Scene(Illusion(32, 32, 3), rig("negate", "flip_x", "rotate"))
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., :8] = 1
    seen = scene.look(mask)
    assert torch.equal(seen[0], mask[0]) and torch.equal(seen[1], mask[0].flip(2))
    assert float(seen[2, 0, 0, 0]) == 0.0


def test_look_at_planes_blends_them() -> None:
    space, views = Illusion(16, 16, 2), Warps((warp("identity"), warp("flip_x")), (), ((1.0, 0.0), (0.25, 0.75)))
    scene = Scene(space, views)
    picture = torch.rand(1, 3, 32, 16, generator=generator(1))
    seen = scene.look(picture)
    torch.testing.assert_close(seen[0], picture[0, :, :16])
    torch.testing.assert_close(seen[1], (0.25 * picture[0, :, :16] + 0.75 * picture[0, :, 16:]).flip(2))
    torch.testing.assert_close(scene.views(1).project(picture - 0.5) + 0.5, seen)
    back, weight = scene.geometry.stitch(1, [v.movedim(0, -1) for v in seen])
    assert back.shape == (32, 16, 3) and weight.shape == (32, 16)
    torch.testing.assert_close(scene.look(back.movedim(-1, 0)[None]), seen, rtol=0, atol=1e-5)


def test_seams_are_where_pieces_were_torn_apart() -> None:
    scene = Scene(Illusion(48, 48), rig("identity", "square_hinge"))
    smooth = torch.linspace(0, 1, 48).expand(3, 48, 48)
    assert scene.geometry.seam_ratio(smooth, 1) == pytest.approx(1, rel=1e-4)
    tiles = smooth + 0.5 * (torch.arange(48) // 16 % 2)
    assert scene.geometry.seam_ratio(tiles, 1) > 20
    assert math.isnan(Scene(Illusion(48, 48), rig("identity", "flip_x")).geometry.seam_ratio(tiles, 1))
    assert math.isnan(Scene(Illusion(48, 48), rig("skew", "rotate_90")).geometry.seam_ratio(smooth * 0, 1)) is False


def test_optical_views_use_what_cells_read() -> None:
    """Around the mirrors cells and pixels differ in size; with gather every cell in the mirror's reach is seen, and
    what is averaged from the views shows the same views again."""
    for name in ("polar", "cylinder_mirror", "cone_mirror"):
        views = illusion_views(Illusion(64, 64), Warps((warp(name, sampling="bilinear"),)), 64, 64)
        assert views.gather is not None
        bare = ViewSet(views.forward, views.canonical, 64, 64, views.weights)
        more = int(Aggregator(views).seen.sum()) - int(Aggregator(bare).seen.sum())
        assert more > 0 if name == "cylinder_mirror" else more >= 0, name
        ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
        shown = views.project(ramp)
        again = views.project(Aggregator(views)(shown))
        assert float((again - shown).abs()[:, :, 4:-4, 4:-4].mean()) < 0.03, name


def test_views_beside_a_mirror_see_what_they_see() -> None:
    """A mirror's cells read its view; the plain view beside it must not vanish for that, nor count otherwise."""
    views = illusion_views(Illusion(32, 32), Warps((warp("identity"), warp("polar", sampling="bilinear"))), 32, 32)
    shared = views.shared_cells()
    assert int(shared[0, 0]) == 1024 and 700 < int(shared[1, 1]) == int(shared[0, 1]) < 1024
    batch = draw(2, 1, 32, 32)
    mirror = illusion_views(Illusion(32, 32), Warps((warp("polar", sampling="bilinear"),)), 32, 32)
    alone = Aggregator(mirror)(batch[1:])
    expected = torch.where(Aggregator(mirror).seen.reshape(32, 32), (batch[:1] + alone) / 2, batch[:1])
    torch.testing.assert_close(Aggregator(views)(batch), expected, rtol=0, atol=1e-6)


def test_which_domain_and_why() -> None:
    good = rig("identity", "flip_x", "rotate_90", "patch_permute")
    assert good.exact_on_latents
    mixed = rig("identity", "negate", "jigsaw")
    assert not mixed.exact_on_latents
    assert [f"{w.name}: {'latent' if w.exact_on_latents else 'rgb'} domain, {w.on_latents}" for w in mixed.warps] == [
        "identity: latent domain, nothing moves",
        "negate: rgb domain, the negative of a latent is not the latent of the negative",
        "jigsaw: rgb domain, it moves or mixes pixels inside a latent's cell, which turns or mixes its content",
    ]


def test_rigs_grow_one_warp_at_a_time() -> None:
    grown = Warps((warp("identity"),)).add(warp("flip_x")).add(warp("skew"), 0.5)
    assert [w.name for w in grown.warps] == ["identity", "flip_x", "skew"] and grown.weights == (1.0, 1.0, 0.5)
    hybrid = Warps((warp("low_band"),)).add(warp("high_band"))
    assert illusion_views(Illusion(8, 8), hybrid, 8, 8).count == 2
    views = illusion_views(Illusion(8, 8), grown, 8, 8)
    assert torch.equal(views.weights.reshape(3, 64)[:, 0], torch.tensor([1.0, 1.0, 0.5]))
    eye = torch.eye(64, dtype=F64)
    assert torch.equal(dense(views.forward)[64:128], eye.reshape(8, 8, 64).flip(1).reshape(64, 64))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Warps(()), "^a rig without warps shows nothing; add a warp"),
        (lambda: Warps((warp("skew"),), (1.0, 1.0)), "^2 weights for 1 warps; give one for each, or none$"),
        (lambda: Warps((warp("skew"),), (0.0,)), r"^weights \(0.0,\): use numbers of at least 0, not all 0$"),
        (lambda: Illusion(0, 8), "^width 0 is not a picture"),
        (
            lambda: Scene(Illusion(100, 64), rig("skew")).views(8),
            "^picture width 100 is not a multiple of this model's cell of 8 pixels; use 104$",
        ),
        (
            lambda: Scene(Illusion(96, 64), rig("rotate_90")).views(8),
            r"^warp rotate_90 cannot take 96 x 64 pixels: it needs a square \(cells of 8 pixels\); use 64 x 64$",
        ),
        (
            lambda: Scene(Illusion(64, 64), Windows(64, 64, 64, 64)),
            "^a rig of windows cannot look at an illusion; connect IllusionRig$",
        ),
        (
            lambda: Scene(Plane(64, 64), rig("skew")),
            "^a rig of warps cannot look at a plane; set ViewRig's kind to windows$",
        ),
        (lambda: Masked(mask=torch.zeros(3)), r"^a mask of shape \(3,\)"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
