"""Level-of-detail warping: no aliasing where a view shrinks the picture, and no view decides detail it cannot see."""

import pytest
import torch
from oracles.transposes import adjoint
from oracles.twins import draw
from syncpack.renderers.illusions.lod import bands, levels_of
from syncpack.renderers.illusions.space import Illusion, Warps, illusion_views
from syncpack.renderers.illusions.warp import centres
from syncpack.renderers.illusions.warps import ConeMirror, Custom, CylinderMirror, Polar, Rotate, warp
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import polar_noise
from torch import Tensor

MINIFYING = ("cone_mirror", "cylinder_mirror", "polar")


def shrinking(factor: float) -> Custom:
    """The whole picture ``factor`` times smaller, repeated: every view pixel covers factor x factor cells."""
    line = (torch.arange(64) + 0.5) / 64 * factor % 1
    return Custom(coordinates=torch.stack([line.expand(64, 64), line[:, None].expand(64, 64)], -1), sampling="lod")


def views_of(name: str, side: int, sampling: str = "lod"):
    return illusion_views(Illusion(side, side), Warps((warp("identity"), warp(name, sampling=sampling))), side, side)


def test_levels_are_the_logarithm_of_the_step() -> None:
    row, column = centres(32, 32)
    for factor, level in ((1, 0.0), (0.5, 0.0), (2, 1.0), (3, 1.58496), (8, 3.0), (100, 5.0)):
        found = levels_of(row * factor, column, 32, 32)
        torch.testing.assert_close(found, torch.full_like(found, level), rtol=0, atol=1e-4)
    # A tear is no shrinking: the neighbour on the other side counts.
    torn = torch.where(torch.arange(32 * 32) % 32 < 16, column, column + 500)
    assert float(levels_of(row, torn, 32, 32).max()) == 0
    lost = torch.where(torch.arange(32 * 32) % 32 < 16, column, torch.nan)
    assert float(levels_of(row, lost, 32, 32).max()) == 0


@pytest.mark.parametrize("name", MINIFYING)
@pytest.mark.parametrize("side", [48, 64])
def test_a_fine_grid_does_not_alias(name: str, side: int) -> None:
    """A chessboard of single cells is grey where the view shrinks it by half or more; a plain look-up shows moire at
    full contrast there."""
    board = ((torch.arange(side)[:, None] + torch.arange(side)) % 2).float()[None, None] - 0.5
    level = warp(name, sampling="lod").levels(side, side).reshape(side, side)
    shown = {s: views_of(name, side, s).project(board)[1, 0] for s in ("nearest", "lod")}
    small = (level >= 1) & views_of(name, side).covered[1]
    assert int(small.sum()) > side
    assert float(shown["nearest"][small].std()) > 0.45
    assert float(shown["lod"][small].abs().max()) < 1e-6


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_shrinking_means_the_mean(factor: int) -> None:
    picture = draw(1, 3, 64, 64).float()
    blocks = torch.nn.functional.avg_pool2d(picture, factor)
    assert torch.allclose(shrinking(factor).view(picture), blocks.repeat(1, 1, factor, factor), atol=1e-5)


@pytest.mark.parametrize("name", [*MINIFYING, "rotate"])
def test_laws(name: str) -> None:
    """Adjoint law; rows that see anything sum to 1; a constant picture comes back as it is, every way round."""
    views = views_of(name, 48)
    z, w = draw(2, 3, 48, 48), draw(4, 3, 48, 48, seed=1)
    left, right = (views.project(z) * w).sum(), (z * adjoint(views, w)).sum()
    assert float((left - right).abs() / left.abs()) < 1e-4
    total = views.forward.apply(torch.ones(48 * 48, 1)).reshape(2, 48, 48)
    assert torch.allclose(total[views.covered], torch.ones(int(views.covered.sum())), atol=1e-4)
    constant = torch.full((1, 3, 48, 48), 0.7)
    assert torch.allclose(Aggregator(views)(views.project(constant)), constant, atol=1e-5)


def test_a_shrinking_view_sets_colours_and_leaves_texture() -> None:
    """View 1 shows the picture a quarter as large. It asks for a brighter picture and gets half its way; the texture
    of view 0 keeps all of its contrast. Looked up plainly, the same view changes one cell in sixteen."""
    texture = (((torch.arange(64)[:, None] + torch.arange(64)) % 2).float() - 0.5).expand(1, 3, 64, 64)
    rig = Warps((warp("identity"), shrinking(4)))
    views = illusion_views(Illusion(64, 64), rig, 64, 64)
    joined = Aggregator(views)(torch.cat([texture, torch.ones(1, 3, 64, 64)]))
    assert float(joined.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(joined.std()) == pytest.approx(0.5, rel=0.05)
    plain = Warps((warp("identity"), Custom(coordinates=shrinking(4).coordinates, sampling="nearest")))
    views = illusion_views(Illusion(64, 64), plain, 64, 64)
    assert float(Aggregator(views)(torch.cat([texture, torch.ones(1, 3, 64, 64)])).mean()) < 0.1


@pytest.mark.parametrize(
    ("name", "kept"), [("cylinder_mirror", 0.8), ("cone_mirror", 0.8), ("polar", 0.7), ("rotate", 0.95)]
)
def test_a_view_that_decides_keeps_its_texture(name: str, kept: float) -> None:
    """View 1 outweighs the other: what it asks for is what it is shown, but for detail that the picture cannot hold.
    (Plain means of interpolated views leave 0.56, 0.67, 0.54 and 0.83.) Nothing overshoots."""
    rig = Warps((warp("identity"), warp(name, sampling="lod")), (1.0, 1e6))
    views = illusion_views(Illusion(64, 64), rig, 64, 64)
    wanted = torch.nn.functional.avg_pool2d(draw(1, 3, 66, 66).float(), 3, 1)
    wanted = wanted / wanted.std()
    joined = Aggregator(views)(torch.cat([torch.zeros_like(wanted), wanted]))
    seen = views.project(joined)[1][:, views.covered[1]]
    assert kept < float(seen.std() / wanted[0][:, views.covered[1]].std()) < 1.05
    assert float(joined.abs().max()) < 3 * float(wanted.abs().max())


def test_bands_add_up_and_ignore_what_is_not_seen() -> None:
    picture, seen = draw(1, 2, 20, 30), torch.ones(20, 30, dtype=torch.bool)
    seen[:, 12:] = False
    parts = bands(picture, seen, 3)
    assert torch.allclose(sum(parts, torch.zeros(1)), picture * seen, atol=1e-6)
    changed: Tensor = picture.clone()
    changed[..., 12:] = 1e6
    assert all(torch.equal(a, b) for a, b in zip(parts, bands(changed, seen, 3), strict=True))


def test_weights_count_and_a_weight_of_zero_decides_nothing() -> None:
    batch = torch.cat([torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)])
    for weight, mean in ((0.0, 0.0), (1.0, 0.5), (3.0, 0.75)):
        rig = Warps((warp("identity"), Rotate(angle=90.0, sampling="lod")), (1.0, weight))
        joined = Aggregator(illusion_views(Illusion(32, 32), rig, 32, 32))(batch)
        assert float(joined.mean()) == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("kind", [ConeMirror, CylinderMirror, Polar])
def test_noise_stays_as_strong_as_it_was(kind: type) -> None:
    views = illusion_views(Illusion(64, 64), Warps((warp("identity"), kind(sampling="lod"))), 64, 64)
    z = draw(4, 3, 64, 64)
    noise = polar_noise(views, z, lambda: draw(8, 3, 64, 64, seed=1))
    assert float(noise[1::2].var()) == pytest.approx(1, abs=0.03)


def test_planes_are_refused() -> None:
    rig = Warps((warp("identity"), warp("polar", sampling="lod")))
    with pytest.raises(ValueError, match="planes do not go together with parts of a picture or sampling lod"):
        illusion_views(Illusion(32, 32, 2), rig, 32, 32)
