"""Painting views into a texture: known textures come back, nothing lands where it does not belong."""

import math

import pytest
import torch
from helpers.meshes import box, sheets, smooth_colour, torus
from syncpack.renderers.cameras.orbits import Lens, orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.bake.bake import bake, mask_from_views, merge, picture_of, sights, values_of
from syncpack.renderers.mesh.bake.surface_fill import fill_surface
from syncpack.renderers.mesh.geometry import MeshGeometry
from syncpack.renderers.mesh.looks import MeshViews
from syncpack.renderers.mesh.space import MeshTexture

TEN = orbit()


def scene(mesh, cameras=TEN, view=96, size=128, **space):
    return MeshGeometry(MeshTexture(mesh, size, size, **space), Orbit(cameras, view, view))


def grid_of(geometry):
    return geometry.texels(geometry.space.height, geometry.space.width)


def painted(geometry, colours, background=(0.0, 1.0, 0.0)):
    """Views of a mesh with a colour for every place: ``colours(face, point)``."""
    mesh = geometry.space.mesh

    def at(face, bary):
        return colours(face, (mesh.vertices[mesh.faces[face]] * bary[..., None]).sum(1))

    return MeshViews.of(mesh, geometry.rig).painted(background, at)


def psnr(error):
    return -10 * math.log10(float(error.double().square().mean()))


@pytest.mark.parametrize("how", [{}, {"detail": 0.0}, {"weighting": "best view"}])
@pytest.mark.parametrize("build", [torus, box])
def test_a_known_texture_comes_back(build, how):
    """Half the size of the promise (views of 512 on 1024 give 48 dB and more), with the promise's 35 dB."""
    geometry = scene(build(), view=256, size=512)
    found = bake(geometry, painted(geometry, lambda _, p: smooth_colour(p)), **how)
    error = (found.colours - smooth_colour(grid_of(geometry).position))[found.seen]
    assert psnr(error) >= 42
    assert found.share > 0.8 and found.agreement > 55 and min(found.of_view) > 40


@pytest.mark.parametrize("how", [{}, {"detail": 0.0}, {"weighting": "best view"}])
def test_a_constant_stays_constant(how):
    geometry = scene(torus())
    found = bake(geometry, torch.full((10, 96, 96, 3), 0.3), **how)
    assert float((found.colours[found.seen] - 0.3).abs().max()) <= 1e-6
    assert found.agreement == math.inf
    filled = fill_surface(grid_of(geometry).position, grid_of(geometry).normal, found.colours, found.seen, "smooth")
    assert float((filled - 0.3).abs().max()) <= 1e-6


def test_nothing_lands_on_what_is_hidden():
    """Sheets behind each other, each with a colour, on a background of another: every texel that is seen has its own
    sheet's colour and no trace of another."""
    mesh = sheets()
    geometry = scene(mesh, orbit(Lens(60, 3), step=30, tops=((0, 50), (180, 40))), layout="joint", two_sided=False)
    colour = torch.tensor([[1.0, 0, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]])
    found = bake(geometry, painted(geometry, lambda face, _: colour[face // 2]), detail=0.0)
    own = colour[grid_of(geometry).face // 2]
    assert float((found.colours - own)[found.seen].abs().max()) < 1e-6
    assert 0.3 < found.share <= 1
    banded = bake(geometry, painted(geometry, lambda face, _: colour[face // 2]))
    assert float((banded.colours - own)[banded.seen].abs().max()) < 1e-5


def test_charts_that_are_apart_do_not_mix():
    """Six sides with six colours: every texel shows its own side's, up to its border."""
    geometry = scene(box())
    colours = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
    found = bake(geometry, painted(geometry, lambda face, _: colours[face // 2]), detail=0.0)
    grid = grid_of(geometry)
    error = (found.colours - colours[grid.face // 2]).abs().amax(1)[found.seen]
    assert float(error.max()) < 1e-5 and found.share > 0.8


def stripes(points, phase):
    """Fine detail, about four pixels a period in views of 128."""
    return 0.5 + 0.3 * torch.sin(60 * points[:, :1] + 60 * points[:, 1:2] + phase).expand(-1, 3)


def test_two_bands_keep_detail_that_views_do_not_agree_on():
    """Neighbours show stripes of opposite phase: averaging cancels them, two bands keep them, and levels meet."""
    geometry = scene(torus(96, 48, 0.0), orbit(Lens(60, 2), step=45, tops=()), view=128, size=256)
    views = torch.stack([painted(geometry, lambda _, p, n=n: stripes(p, math.pi * n))[n] for n in range(8)])
    plain = bake(geometry, views, exponent=1, detail=0.0)
    banded = bake(geometry, views, exponent=1, detail=3.0)
    shared = plain.seen & (
        sum(torch.bincount(v.texel, minlength=len(plain.seen)) for v in sights(geometry, 128, 128)) > 1
    )
    contrast = [float(b.colours[shared].std()) for b in (plain, banded)]
    assert contrast[1] > 1.4 * contrast[0]
    assert plain.agreement < 15
    bright = torch.stack([torch.full((128, 128, 3), 0.3 + 0.4 * (n % 2)) for n in range(8)])
    level = bake(geometry, bright, exponent=1, detail=3.0)
    # Flat views of two levels: the coarse band is averaged, so that no texel jumps from one level to the other.
    assert float(((level.colours[shared] > 0.35) & (level.colours[shared] < 0.65)).double().mean()) > 0.6


def test_best_view_takes_the_straightest():
    geometry = scene(box(), orbit(step=90, tops=()), view=64)
    numbers = torch.arange(4.0)[:, None, None, None].expand(4, 64, 64, 1) / 4
    found = bake(geometry, numbers, weighting="best view")
    grid = grid_of(geometry)
    side = grid.face[found.seen] // 2
    expected = torch.tensor([1.0, 3.0, math.nan, math.nan, 0.0, 2.0])[side] / 4
    assert torch.allclose(found.colours[found.seen][:, 0], expected, atol=1e-6)
    assert float(found.cosine[found.seen].min()) > 0.5 and not bool(found.seen[(grid.face // 2 == 2)].any())


def test_agreement_is_the_difference_of_views():
    """Two views straight at one sheet that differ by 0.2 agree by 14 dB."""
    geometry = scene(sheets(1), (Lens(60, 3).at(0, 0), Lens(60, 3).at(10, 0)), layout="joint")
    found = bake(geometry, torch.tensor([0.4, 0.6])[:, None, None, None].expand(2, 96, 96, 3), exponent=0)
    assert found.agreement == pytest.approx(-20 * math.log10(0.2), abs=1e-3)
    assert found.of_view == pytest.approx([20.0, 20.0], abs=1.0)
    lonely = scene(sheets(1), (Lens(60, 3).at(0, 0),), layout="joint")
    assert math.isnan(bake(lonely, torch.zeros(1, 96, 96, 3)).agreement)


def test_pictures_are_padded_and_masks_keep_bits():
    geometry = scene(torus(), size=64)
    grid = grid_of(geometry)
    values = torch.rand(len(grid.index), 3, generator=torch.Generator().manual_seed(0))
    picture = picture_of(grid, values)
    assert torch.equal(values_of(grid, picture), values)
    assert torch.equal(picture.reshape(-1, 3)[grid.index], values)
    # A margin of the chart's own colours goes all the way out.
    assert float(picture[0, 0].sum()) > 0
    old, mask = torch.rand(64, 64, 3), torch.zeros(64, 64)
    mask[10:20], mask[20:25] = 1.0, 0.5
    merged = merge(old, picture, mask)
    assert torch.equal(merged[:10], old[:10]) and torch.equal(merged[25:], old[25:])
    assert torch.equal(merged[10:20], picture[10:20])
    assert torch.allclose(merged[20:25], (old + picture)[20:25] / 2)
    with pytest.raises(ValueError, match="previous texture has 32 x 32 pixels, the new one 64 x 64"):
        merge(old[:32, :32], picture, mask)


def test_a_mask_painted_in_a_view_marks_only_what_it_shows():
    geometry = scene(torus(), orbit(step=90, tops=()), view=128)
    masks = torch.zeros(4, 128, 128)
    masks[1, :, 64:] = 1
    marked = mask_from_views(geometry, masks)
    grid = grid_of(geometry)
    camera = geometry.cameras()[1]
    column = camera.pixels(grid.position, 128, 128)[1]
    seen = next(sights(geometry, 128, 128, [1])).texel
    expected = torch.zeros(len(grid.index), dtype=torch.bool)
    expected[seen] = column[seen] > 64
    sure = (column - 64).abs() > 1.5
    assert torch.equal((marked > 0.5)[sure], expected[sure]) and bool(expected.any())
    with pytest.raises(ValueError, match="3 masks for 4 views"):
        mask_from_views(geometry, masks[:3])


def test_bad_bakes():
    geometry = scene(box(), view=16, size=32)
    views = torch.zeros(10, 16, 16, 3)
    with pytest.raises(ValueError, match="9 images for a rig of 10 views"):
        bake(geometry, views[:9])
    with pytest.raises(ValueError, match="more images than the rig's 10 views"):
        bake(geometry, torch.cat([views, views[:1]]))
    with pytest.raises(ValueError, match="weighting 'mean' is unknown"):
        bake(geometry, views, weighting="mean")
    with pytest.raises(ValueError, match="exponent 40 is outside"):
        bake(geometry, views, exponent=40)
