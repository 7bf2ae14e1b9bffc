"""Splats from pictures: found colours, local edits, splats that are not seen, colour by direction, turning."""

import math
from dataclasses import replace

import pytest
import torch
from oracles.splat_twins import ball
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.splats import memory
from syncpack.renderers.splats.bake import bake
from syncpack.renderers.splats.choose import in_box, in_views
from syncpack.renderers.splats.geometry import SplatGeometry
from syncpack.renderers.splats.looks import renders
from syncpack.renderers.splats.space import SplatColours
from syncpack.renderers.splats.splats import Splats
from syncpack.renderers.splats.turntable import turntable


def around(count: int, size: int = 40, spread: float = 1.0) -> Orbit:
    """Cameras on a spiral; spread 0: all on the horizon."""
    looks = [
        Viewpoint.orbit(2 * math.pi * i * 0.618, spread * (2 * (i + 0.5) / count - 1), 2.8, fov=math.radians(48))
        for i in range(count)
    ]
    return Orbit(tuple(looks), size, size)


def geometry(splats: Splats, rig: Orbit) -> SplatGeometry:
    return SplatGeometry(SplatColours(splats, backend="torch"), rig)


def psnr(one, other) -> float:
    return -10 * math.log10(float((one - other).square().mean()))


@pytest.fixture(scope="module")
def scene():
    """(Splats, geometry, colours that vary over the ball, pictures of them)."""
    splats = ball(700)
    seen = geometry(splats, around(16))
    colours = (splats.object_positions * 0.4 + 0.5).clamp(0, 1)
    pictures, _ = renders(geometry(splats.recoloured(colours), seen.rig))
    return splats, seen, colours, list(pictures)


def test_colours_are_found_and_geometry_stays(scene):
    splats, seen, colours, pictures = scene
    baked = bake(seen.solver(), splats, pictures)
    assert psnr(baked.splats.colours[seen.solver().seen > 0.5], colours[seen.solver().seen > 0.5]) > 30
    assert baked.psnr > 38 and baked.meant == 700 and baked.clipped < 0.02
    for field in ("positions", "scales", "rotations", "opacities"):
        assert torch.equal(getattr(baked.splats, field), getattr(splats, field))
    softer = bake(seen.solver(), splats, pictures, "mean")
    assert 20 < softer.psnr < baked.psnr - 5


def test_pictures_may_have_an_alpha_channel(scene):
    splats, seen, _, pictures = scene
    four = [torch.cat([p, torch.rand(*p.shape[:2], 1)], -1) for p in pictures]
    assert torch.equal(bake(seen.solver(), splats, four).splats.sh, bake(seen.solver(), splats, pictures).splats.sh)


def test_the_chosen_alone_are_painted(scene):
    splats, seen, colours, pictures = scene
    chosen = in_box(splats, (0.0, 0.6, 0.0), (4.0, 1.2, 4.0))
    assert 100 < int(chosen.sum()) < 400
    baked = bake(seen.solver(), splats, pictures, chosen=chosen)
    assert torch.equal(baked.splats.sh[~chosen], splats.sh[~chosen]), "to the bit"
    assert baked.meant == int(chosen.sum())
    well = chosen & (seen.solver().seen > 0.5)
    whole = bake(seen.solver(), splats, pictures)
    clear = chosen & (seen.solver().visible > 0.1)
    assert torch.equal(baked.splats.sh[clear], whole.splats.sh[clear])
    assert psnr(baked.splats.colours[well], colours[well]) > 30
    # Views that differ in what is not chosen, as clean estimates do, hardly harm what is.
    g = torch.Generator().manual_seed(4)
    views = [torch.where(chosen[:, None], colours, colours + 0.1 * torch.randn(700, 3, generator=g)) for _ in pictures]
    rigs = [replace(seen.rig, viewpoints=(v,)) for v in seen.rig.viewpoints]
    differing = [renders(geometry(splats.recoloured(c), r))[0][0] for c, r in zip(views, rigs, strict=True)]
    part = bake(seen.solver(), splats, differing, chosen=chosen)
    assert psnr(part.splats.colours[well], colours[well]) > 28
    assert part.psnr > bake(seen.solver(), splats, differing).psnr + 1, "measured where the chosen are seen"


def test_splats_that_no_view_shows(scene):
    """Cameras in front only: the back takes its colours from its neighbours, or keeps them."""
    splats, _, colours, _ = scene
    front = geometry(splats, Orbit((Viewpoint.orbit(0.0, 0.0, 2.8),), 40, 40))
    pictures = list(renders(geometry(splats.recoloured(colours), front.rig))[0])
    filled, kept = (bake(front.solver(), splats, pictures, unseen=how) for how in ("nearest", "keep"))
    hidden = front.solver().visible <= 0.02
    assert filled.unseen == kept.unseen == int(hidden.sum()) > 100
    assert torch.equal(kept.splats.sh[hidden], splats.sh[hidden])
    assert torch.equal(kept.splats.sh[~hidden], filled.splats.sh[~hidden])
    side = hidden & (splats.object_positions[:, 2] > -0.2)
    assert int(side.sum()) > 10
    assert psnr(filled.splats.colours[side], colours[side]) > psnr(kept.splats.colours[side], colours[side]) + 5
    with pytest.raises(ValueError, match="show none of the splats that are to be painted"):
        bake(front.solver(), splats, pictures, chosen=hidden)
    with pytest.raises(ValueError, match="mask chooses no splat"):
        bake(front.solver(), splats, pictures, chosen=torch.zeros(700, dtype=torch.bool))


def test_what_is_transparent_is_seen():
    """A pane of glass alone in its views: much shines through each of its pixels, but each shows its colour."""
    splats = Splats(
        torch.zeros(1, 3),
        torch.full((1, 3), 0.3),
        torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        torch.tensor([0.3]),
        torch.tensor([[[1.0, -1.0, 0.5]]]),
    )
    seen = geometry(splats, around(4))
    pictures = list(renders(seen)[0])
    baked = bake(seen.solver(), splats.recoloured(torch.full((1, 3), 0.5)), pictures)
    assert baked.unseen == 0 and torch.allclose(baked.splats.colours, splats.colours, atol=0.06)
    masks = torch.ones(4, 40, 40)
    assert in_views(seen.solver(), masks).tolist() == [True]


def test_colour_by_direction(scene):
    """Solved from views, pictures from elsewhere are closer than without direction; kept bands keep every bit."""
    plain, _, _, _ = scene
    g = torch.Generator().manual_seed(1)
    splats = replace(plain, sh=torch.cat([plain.sh * 0.4, 0.15 * torch.randn(700, 3, 3, generator=g)], 1))
    seen = geometry(splats, around(20, 32))
    pictures = list(renders(seen)[0])
    bakes = {b: bake(seen.solver(), splats, pictures, bands=b, viewpoints=seen.viewpoints).splats
             for b in ("kept", "dropped", "solved")}  # fmt: skip
    assert torch.equal(bakes["kept"].sh[:, 1:], splats.sh[:, 1:]) and bool((bakes["dropped"].sh[:, 1:] == 0).all())
    elsewhere = around(5, spread=0.8)
    wanted, _ = renders(geometry(splats, elsewhere))
    shown = {b: psnr(renders(geometry(s, elsewhere))[0], wanted) for b, s in bakes.items()}
    assert shown["solved"] > shown["dropped"] + 3
    assert float((bakes["solved"].sh[:, 1:] * splats.sh[:, 1:]).mean()) > 0, "the bands point the right way"
    flat = geometry(splats, Orbit(tuple(replace(v, span=2.5) for v in around(20, 32).viewpoints), 32, 32))
    straight = bake(flat.solver(), splats, list(renders(flat)[0]), bands="solved", viewpoints=flat.viewpoints).splats
    assert float((straight.sh[:, 1:] * splats.sh[:, 1:]).mean()) > 0, "with parallel rays too"
    front = geometry(splats, Orbit((Viewpoint.orbit(0.0, 0.0, 2.8),), 40, 40))
    part = [bake(front.solver(), splats, list(renders(front)[0]), bands=b, viewpoints=front.viewpoints).splats
            for b in ("dropped", "solved")]  # fmt: skip
    hidden = front.solver().visible <= 0.02
    assert torch.allclose(part[0].sh[hidden], part[1].sh[hidden], atol=1e-6), "unseen ones shine in no direction"


def test_bands_are_robust_too(scene):
    """What a patch of some views contradicts the others in hardly moves colours by direction."""
    splats, seen, _, pictures = scene
    splats = replace(splats, sh=torch.cat([splats.sh, torch.zeros(700, 3, 3)], 1))
    wrong = [p.clone() for p in pictures]
    for view in (3, 9):
        wrong[view][10:30, 10:30] = torch.tensor([1.0, 0.0, 0.0])
    elsewhere = around(5, spread=0.8)
    truth, plain, robust = (
        renders(geometry(bake(seen.solver(), splats, given, "least_squares", rounds, "solved",
                              viewpoints=seen.viewpoints).splats, elsewhere))[0]
        for given, rounds in ((pictures, 0), (wrong, 0), (wrong, 3))
    )  # fmt: skip
    assert psnr(robust, truth) > psnr(plain, truth) + 1.5


def test_bakes_that_take_too_much_memory_are_refused(scene, monkeypatch):
    splats, seen, _, pictures = scene
    solver = seen.solver()
    monkeypatch.setattr(memory, "free_memory", lambda: 100_000)
    assert bake(solver, splats, pictures).meant == 700
    with pytest.raises(ValueError, match=r"direction takes about 0\.0 GiB more, .* set bands to"):
        bake(solver, splats, pictures, bands="solved", viewpoints=seen.viewpoints)


def test_splats_in_a_box(scene):
    splats, _, _, _ = scene
    right = in_box(replace(splats, up="-y"), (1.0, 0.0, 0.0), (2.0, 4.0, 4.0))
    assert torch.equal(right, in_box(splats, (1.0, 0.0, 0.0), (2.0, 4.0, 4.0)))
    low = in_box(replace(splats, up="-y"), (0.0, -1.0, 0.0), (4.0, 2.0, 4.0))
    assert torch.equal(low, in_box(splats, (0.0, 1.0, 0.0), (4.0, 2.0, 4.0)))
    with pytest.raises(ValueError, match=r"the box of 1 1 1 around 9 0 0 holds no splat"):
        in_box(splats, (9.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_splats_in_masks_of_views(scene):
    """Masks over the upper half of what the views show choose the upper half, and nothing that is hidden."""
    splats, _, _, _ = scene
    seen = geometry(splats, around(8, spread=0.0))
    above = splats.object_positions[:, 1] > 0.1
    masks = seen.look(above.float()[None, None, None])[:, 0] > 0.5
    chosen = in_views(seen.solver(), masks.float())
    clear = (seen.solver().seen > 0.5) & ((splats.object_positions[:, 1] - 0.1).abs() > 0.1)
    assert torch.equal(chosen[clear], above[clear])
    for wrong, words in (
        (torch.zeros(8, 40, 40), "masks show no splat"),
        (torch.ones(3, 40, 40), "3 images of 40 x 40"),
    ):
        with pytest.raises(ValueError, match=words):
            in_views(seen.solver(), wrong)


def test_unknown_words_are_refused(scene):
    splats, seen, _, pictures = scene
    for changes, words in (({"bands": "some"}, "bands 'some' are"), ({"unseen": "grey"}, "unseen 'grey' is")):
        with pytest.raises(ValueError, match=words):
            bake(seen.solver(), splats, pictures, **changes)
    for bands in ("kept", "solved"):
        with pytest.raises(ValueError, match="images of 1 channels; use RGB pictures"):
            bake(seen.solver(), splats, [p[..., :1] for p in pictures], bands=bands, viewpoints=seen.viewpoints)
    with pytest.raises(ValueError, match="connect all decoded views"):
        bake(seen.solver(), splats, pictures[:3])


# Turning


def test_a_turn_shows_all_sides():
    """Red to the right, blue in front: what a camera that moves to the right sees."""
    splats = ball(700)
    x, _, z = splats.object_positions.unbind(1)
    colours = torch.stack([(x > 0.5).float(), torch.zeros(700), (z > 0.5).float()], 1)
    splats = splats.recoloured(colours)
    frames = list(
        turntable(SplatColours(splats, backend="torch"), 4, 32, 32, elevation=0.0, background=(0.0, 0.0, 0.0))
    )
    middle = torch.stack([picture[12:20, 12:20].mean((0, 1)) for picture, _ in frames])
    blue, red = middle[:, 2].tolist(), middle[:, 0].tolist()
    assert blue[0] > 0.5 and red[1] > 0.5 and max(*blue[1:], red[0], *red[2:]) < 0.35
    left, right = frames[0][0][:, :16, 0].mean(), frames[0][0][:, 16:, 0].mean()
    assert float(right) > 5 * float(left), "+X is to the right of the front view"


@pytest.mark.parametrize("width, height", [(32, 32), (64, 32), (32, 64)])
def test_a_turn_shows_the_whole_scene(width, height):
    for picture, alpha in turntable(SplatColours(ball(700), backend="torch"), 3, height, width):
        assert picture.shape == (height, width, 3) and alpha.shape == (height, width)
        border = torch.cat([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
        assert float(border.max()) < 0.05 and float(alpha.max()) > 0.9
        assert bool((picture[alpha == 0] == 1).all())
        filled = (alpha > 0.5).any(0).sum() / width, (alpha > 0.5).any(1).sum() / height
        assert float(max(filled)) > 0.6, "and not from far away"


def test_turns_that_show_nothing():
    for changes, words in (({"frames": 0}, "0 frames show nothing"), ({"elevation": 100.0}, "outside -90 to 90")):
        with pytest.raises(ValueError, match=words):
            next(turntable(SplatColours(ball(50)), **{"frames": 3, "height": 16, "width": 16, **changes}))


@pytest.mark.parametrize("up, front", [("+y", (0, 0, 1)), ("-y", (0, 0, -1)), ("+z", (0, -1, 0))])
def test_the_first_camera_sees_the_front(up, front):
    """Of meshes, of scenes from photographs and from Blender."""
    splats = replace(ball(50), up=up)
    (camera,) = splats.cameras(Orbit((Viewpoint.orbit(0.0, 0.0, 2.0),), 8, 8))
    stands = (torch.tensor(camera.position) - torch.tensor(splats.centre)) / splats.radius
    assert torch.allclose(stands, 2.0 * torch.tensor(front), atol=1e-5)
