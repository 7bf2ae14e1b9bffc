"""The report on a mesh's rig, and textures taken from and given to its parts."""

from dataclasses import replace

import pytest
import torch
from helpers.meshes import box, torus
from syncpack.renderers.cameras.orbits import Lens, orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.bake.own_texture import own_texture, with_texture
from syncpack.renderers.mesh.coverage import mesh_coverage, mesh_coverage_lines, mesh_hole_warning
from syncpack.renderers.mesh.geometry import MeshGeometry
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.space import MeshTexture


def scene(mesh, cameras, view=64, size=96, **space):
    return MeshGeometry(MeshTexture(mesh, size, size, **space), Orbit(cameras, view, view))


def test_four_views_see_four_sides_of_a_box():
    geometry = scene(box(), orbit(Lens(40, 3), step=90, tops=()))
    found = mesh_coverage(geometry)
    assert found.seen == pytest.approx(4 / 6, abs=0.01) and found.well == pytest.approx(4 / 6, abs=0.01)
    side = found.grid.face // 2
    assert bool((found.count[(side == 2) | (side == 3)] == 0).all())
    assert float(found.best[side == 0].max()) > 0.99
    lines = mesh_coverage_lines(geometry, found)
    assert lines[1].startswith("surface seen 66.") and lines[-1].startswith("warning: 33.")
    assert found.heat.shape == (96, 96) and 95 <= int(found.heat.max()) <= 100


def test_area_counts_and_not_texels():
    """A slab: its large sides have the same number of texels as its small ones."""
    found = mesh_coverage(scene(box((1.0, 1.0, 0.1)), orbit(Lens(40, 3), step=180, tops=())))
    # Two sides of 4 among 4 + 4 + 4 * 0.4.
    assert found.seen == pytest.approx(8 / 9.6, abs=0.02)


def test_a_sphere_of_views_leaves_no_hole():
    cameras = orbit(Lens(60, 2), step=60, elevations=(0, 50, -50), tops=())
    found = mesh_coverage(scene(box(), cameras))
    assert mesh_hole_warning(found) == "" and found.seen > 0.999


def test_textures_of_parts_go_to_their_tiles_and_back():
    generator = torch.Generator().manual_seed(0)
    parts = tuple(Part(str(i), torch.rand(32, 32, 3, generator=generator)) for i in range(6))
    mesh = replace(box(parts=6), parts=parts)
    space = MeshTexture(mesh, 96, 64)
    geometry = MeshGeometry(space, Orbit(orbit(), 64, 64))
    picture = own_texture(space, geometry.texels(64, 96))
    for i in range(6):
        assert torch.equal(picture[space.atlas.tile(i)], parts[i].texture)
    back = with_texture(space, 1 - picture)
    assert all(torch.equal(new.texture, 1 - old.texture) for new, old in zip(back.parts, parts, strict=True))
    assert back.fingerprint == mesh.fingerprint
    with pytest.raises(ValueError, match="texture of 64 x 64 does not fit a space of 96 x 64"):
        with_texture(space, picture[:, :64])


def test_base_colours_are_baked_in_and_opacity_stays():
    rgba = torch.rand(16, 16, 4, generator=torch.Generator().manual_seed(1))
    mesh = replace(torus(), parts=(Part("glass", rgba, (0.5, 1.0, 1.0, 0.7), "blend"),))
    space = MeshTexture(mesh, 64, 64)
    picture = own_texture(space, MeshGeometry(space, Orbit(orbit(), 64, 64)).texels(64, 64))
    assert float(picture[..., 0].max()) <= 0.5
    part = with_texture(space, picture).parts[0]
    assert part.colour == (1.0, 1.0, 1.0, 0.7) and part.texture.shape == (64, 64, 4)
    assert torch.equal(part.texture[..., :3], picture)
