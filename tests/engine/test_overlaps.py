"""Which views show the same places, and where views lie on one sheet."""

import math

import pytest
import torch
from syncpack.nodes.engine.attention.overlaps import Overlaps, shown_cells
from syncpack.renderers.cameras.lookouts import ring
from syncpack.renderers.geometry import Geometry
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene

CPU = torch.device("cpu")
SCENES = {
    "row": Scene(Plane(224, 64), Windows(64, 64, 32, 64)),
    "ring": Scene(Plane(160, 64, wrap_x=True), Windows(64, 64, 32, 64)),
    "torus with overlap on both sides": Scene(Plane(96, 80, wrap_x=True, wrap_y=True), Windows(64, 64, 32, 16)),
    "uneven": Scene(Plane(200, 72), Windows(64, 64, 56, 40)),
}


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("grid", [(8, 8), (4, 4)])
def test_windows_know_without_maps(name, grid):
    """Against the usual answer, which reads it off the maps of all cells."""
    scene = SCENES[name]
    geometry, shown = scene.geometry, shown_cells(scene.views(8))
    others = list(range(scene.views(8).count))
    for view in others:
        told = geometry.shown(8, view, others, grid, lambda: shown)
        whole = shown[view].unfold(-2, 8 // grid[0], 8 // grid[0]).unfold(-2, 8 // grid[1], 8 // grid[1])
        # (a place that a window shows in part is shown where its middle is)
        certain = whole.flatten(-2).all(-1) | ~whole.flatten(-2).any(-1)
        usual = Geometry.shown(geometry, 8, view, others, grid, lambda: shown)
        assert torch.equal(told[certain], usual[certain])
        assert bool(told[view].all())


def test_counts_of_a_row():
    """Windows of eight cells every four: the middle of three is shown twice, the halves of the ends once."""
    overlaps = Overlaps(SCENES["row"], 8)
    counts = overlaps.counts(frozenset({1, 2, 3}), (1, 8))
    assert counts[1].tolist() == [[1, 1, 1, 1, 2, 2, 2, 2]]
    assert counts[2].tolist() == [[2] * 8]
    assert overlaps.places((1, 2, 3), (1, 8)) == 16
    bias = overlaps.bias((2, 1, 3), (1, 8), CPU)
    assert torch.allclose(bias[:8], torch.full((8,), -math.log(2))) and bias[8:12].eq(0).all()


def test_all_views_of_a_canvas_are_its_places():
    for scene in SCENES.values():
        count = scene.views(8).count
        rows, columns = scene.grid(8)
        assert Overlaps(scene, 8).places(tuple(range(count)), (8, 8)) == pytest.approx(rows * columns)


def looks(count, fov):
    return Scene(Panorama(1024, 512), Lookout(ring(360 / count, fov), 64, 64))


def test_cameras_show_what_lies_between_them():
    """Ninety degrees wide, every 45: half of a view is its neighbour's, nothing is its opposite's."""
    overlaps = Overlaps(looks(8, 90.0), 8)
    beside, opposite = overlaps.counts(frozenset({0, 1}), (8, 8))[0], overlaps.counts(frozenset({0, 4}), (8, 8))[0]
    assert opposite.eq(1).all()
    assert 0.3 <= float((beside - 1).mean()) <= 0.6
    assert float(beside[4, 7]) == 2 and float(beside[4, 0]) == 1


# Sheets


def test_windows_lie_on_the_canvas():
    sheet = SCENES["uneven"].geometry.sheet(8)
    assert sheet.size == (9, 25) and sheet.period == (0, 0)
    assert sheet.origins.tolist() == [[y, x] for y in (0, 1) for x in (0, 7, 14, 17)]


def test_a_ring_is_seen_the_short_way_round():
    sheet = SCENES["ring"].geometry.sheet(8)
    assert sheet.shift(4, 0) == (0, -20) and sheet.shift(0, 4) == (0, 20) and sheet.shift(1, 0) == (0, 0)


def test_cameras_lie_where_they_look():
    scene = looks(8, 90.0)
    sheet = scene.geometry.sheet(8)
    # (in the middle of a view of 90 degrees and eight cells, a radian is four cells)
    assert sheet.period == (0, pytest.approx(8 * math.pi))
    by_azimuth = sorted(range(8), key=lambda view: scene.view_places()[view].azimuth)
    steps = sheet.origins[by_azimuth, 1].diff()
    assert torch.allclose(steps, torch.full((7,), math.pi, dtype=torch.float64))
    front = next(place.index for place in scene.view_places() if place.azimuth == 0)
    assert sheet.origins[front].tolist() == pytest.approx([2 * math.pi - 4, 4 * math.pi - 4])
