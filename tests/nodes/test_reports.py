"""Pictures of how many views see what: grids of every kind, whatever they are divided into."""

import pytest
import torch
from helpers.hosting import Plane, Windows
from helpers.meshes import box
from syncpack.nodes.views.stitch import report
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.counts import heat
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.scene import Scene

pytestmark = pytest.mark.host


def dark(picture):
    return picture.amax(-1) == 0


@pytest.mark.parametrize(
    "rows, columns, height, width", [(3, 5, 10, 16), (8, 8, 5, 3), (2, 3, 8, 12), (24, 56, 100, 96)]
)
def test_each_pixel_shows_the_cell_below_its_middle(rows, columns, height, width):
    counts = torch.arange(rows * columns).reshape(rows, columns) % 3
    picture = heat(counts, height, width)
    assert picture.shape == (height, width, 3)
    for y in range(height):
        for x in range(width):
            expected = counts[int((y + 0.5) * rows / height), int((x + 0.5) * columns / width)]
            assert bool(dark(picture[y, x])) == (int(expected) == 0)


def test_cells_that_stick_out_of_a_canvas_are_cut_off():
    """A canvas of 91 pixels has 12 cells of 8, the last of which is cut: cells are not made narrower."""
    made = report(Scene(Plane(91, 37), Windows(48, 40, 40, 40)), torch.zeros(3, 4, 5, 6)).coverage
    assert made.shape == (37, 91, 3) and not bool(dark(made).any())
    steps = (made[0, 1:] != made[0, :-1]).any(-1).nonzero()[:, 0] + 1
    assert steps.numel() and bool((steps % 8 == 0).all())


def test_only_the_surface_of_a_mesh_has_holes():
    """A texture has cells outside of all charts: nobody can see them. Its grid does not divide the picture."""
    scene = Scene(MeshTexture(box(), 100, 100), Orbit(orbit(), 256, 256))
    views = scene.views(8)
    real = scene.geometry.real_cells(views)
    assert 0.5 < float(real.float().mean()) < 1 and 100 % views.canonical[0]
    assert bool(views.views_per_cell[~real].eq(0).all())
    made = report(scene, torch.zeros(10, 4, 32, 32))
    seen = 100 * float((views.views_per_cell[real] == 0).float().mean())
    assert f"holes {seen:.2f} %" in made.text and seen < 100 * float((views.views_per_cell == 0).float().mean())
    assert torch.equal(made.coverage, heat(views.views_per_cell.reshape(views.canonical), 100, 100))


def test_planes_lie_below_each_other():
    scene = Scene(Illusion(32, 16, planes=2), Warps((warp("identity"), warp("flip_x"))))
    made = report(scene, torch.zeros(2, 4, 2, 4)).coverage
    assert made.shape == (32, 32, 3) and not bool(dark(made).any())
