"""Pictures of how many views see what: grids of every kind, whatever they are divided into."""

import itertools
import json
import sys
from types import SimpleNamespace

import pytest
import torch
from helpers.hosting import Plane, Windows
from helpers.meshes import box
from syncpack.nodes.models.exemplar import PixelVAE
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


def test_separate_views_that_look_alike_and_that_do_not(monkeypatch):
    """Views that do not overlap are compared, with what they see of an object alone."""
    generator = torch.Generator().manual_seed(0)
    scene = Scene(Plane(256, 64), Windows(64, 64, 32, 64))
    same = torch.randn(7, 4, 8, 8, generator=generator)
    other = same + 3 * torch.randn(7, 4, 1, 1, generator=generator)
    figures = [json.loads(report(scene, views).json) for views in (same, other)]
    assert figures[0]["intra_views"] == 4 and figures[0]["intra_lpips"] is None
    assert figures[0]["intra_distance"] < 0.5 * figures[1]["intra_distance"]
    assert "between 4 views that do not overlap" in report(scene, other).text
    # Readings of one picture all overlap.
    readings = report(Scene(Illusion(64, 64), Warps((warp("identity"), warp("flip_x")))), torch.zeros(2, 4, 8, 8))
    assert json.loads(readings.json)["intra_distance"] is None and "intra" not in readings.text
    around = Scene(MeshTexture(box(), 256, 256), Orbit(orbit(), 64, 64))
    views = around.views(8)
    given = torch.zeros(10, 4, 8, 8)
    given[~views.covered[:, None].expand(-1, 4, -1, -1)] = torch.randn(
        int((~views.covered).sum()) * 4, generator=generator
    )
    assert json.loads(report(around, given).json)["intra_distance"] < 1e-6


class Vgg(torch.nn.Module):
    """What the package lpips has of a network."""

    def __init__(self, **_):
        super().__init__()
        self.scaling_layer = torch.nn.Identity()
        self.net = lambda x: [x, torch.nn.functional.avg_pool2d(x, 2)]
        self.lins = [SimpleNamespace(model=[torch.nn.Conv2d(3, 1, 1)]) for _ in range(2)]
        for layer in self.lins:
            layer.model[0].weight.data.uniform_(0, 1)

    def distance(self, a, b):
        """LPIPS as its paper says it."""
        found = 0.0
        for x, y, layer in zip(self.net(a), self.net(b), self.lins, strict=True):
            unit = [v / (v.square().sum(0, keepdim=True) + 1e-10).sqrt() for v in (x, y)]
            found += float(((unit[0] - unit[1]).square() * layer.model[0].weight[0]).sum(0).mean())
        return found


def test_lpips_where_it_is_on_disk(monkeypatch, tmp_path):
    scene = Scene(Plane(256, 64), Windows(64, 64, 32, 64))
    samples = torch.rand(7, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert "intra LPIPS: not measured (lpips needs" in report(scene, samples, PixelVAE()).text
    network = Vgg()
    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=lambda **_: network, __spec__=object()))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    missing = report(scene, samples, PixelVAE()).text
    assert f"lpips needs VGG's weights in the file {tmp_path / 'checkpoints'}" in missing
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg16-397923af.pth").touch()
    told = json.loads(report(scene, samples, PixelVAE()).json)
    pairs = list(itertools.combinations(samples[[0, 2, 4, 6]], 2))
    expected = sum(network.distance(a, b) for a, b in pairs) / len(pairs)
    assert told["intra_lpips"] == pytest.approx(expected, rel=1e-4)


def test_where_views_disagree_is_drawn():
    """Two windows of noise that share the middle: apart there alone; alike where they are pieces of one picture."""
    scene = Scene(Plane(96, 64), Windows(64, 64, 32, 64))
    picture = torch.randn(1, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    alike = torch.cat([picture[..., :8], picture[..., 4:]])
    found = report(scene, alike)
    drawn = found.apart
    assert found.agrees and len(found.shown) == 1
    assert drawn.shape == (64, 96, 3) and not bool(dark(drawn).any()) and len(drawn.flatten(0, 1).unique(dim=0)) == 1
    found = report(scene, torch.cat([alike[:1], alike[1:] + 1]))
    other = found.apart
    assert not found.agrees and len(found.shown) == 2
    assert torch.equal(other[:, :32], drawn[:, :32]) and torch.equal(other[:, 64:], drawn[:, 64:])
    assert bool((other[:, 32:64] != drawn[:, 32:64]).any(-1).all())


def test_cells_that_nobody_sees_are_black_in_both_pictures():
    scene = Scene(MeshTexture(box(), 100, 100), Orbit(orbit(), 256, 256))
    made = report(scene, torch.randn(10, 4, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(dark(made.apart), dark(made.coverage)) and bool(dark(made.apart).any())
