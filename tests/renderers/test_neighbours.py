"""Neighbours of windows, against what rings and grids give in closed form."""

import math

import pytest
import torch
from syncpack.renderers.cameras.lookouts import ring
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.neighbours import angles_between, nearest
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.renderers.plane.geometry import window_distances
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene


def row(views, wrap_x=False, stride=32, size=64):
    """Windows of 64 pixels every 32 in a row: ``views`` of them."""
    width = views * stride if wrap_x else (views - 1) * stride + size
    return Scene(Plane(width, size, wrap_x=wrap_x), Windows(size, size, stride, size))


def grid(columns, rows, stride=32, size=64, **wrap):
    return Scene(
        Plane((columns - 1) * stride + size, (rows - 1) * stride + size, **wrap), Windows(size, size, stride, stride)
    )


@pytest.mark.parametrize("views", [3, 5, 8, 41])
@pytest.mark.parametrize("cell", [1, 8])
def test_on_a_ring_the_views_on_both_sides(views, cell):
    table = row(views, wrap_x=True).neighbours(cell, 2)
    assert table.shape == (views, 2) and table.dtype == torch.int64
    for i, found in enumerate(table.tolist()):
        assert sorted(found) == sorted({(i - 1) % views, (i + 1) % views})


def test_in_a_row_the_ends_look_inwards():
    assert row(6).neighbours(8, 2).tolist() == [[1, 2], [0, 2], [1, 3], [2, 4], [3, 5], [4, 3]]


def test_the_nearest_come_first_and_ties_go_to_the_lower_index():
    assert row(7).neighbours(8, 4)[3].tolist() == [2, 4, 1, 5]


def test_in_a_grid_the_four_sides_then_the_corners():
    table = grid(5, 5).neighbours(8, 8).tolist()
    middle = 12
    assert table[middle][:4] == [middle - 5, middle - 1, middle + 1, middle + 5]
    assert sorted(table[middle][4:]) == [middle - 6, middle - 4, middle + 4, middle + 6]


def test_a_wrapped_grid_is_a_torus():
    """Every view sees the same: its place in the table is that of view 0, shifted."""
    scene = Scene(Plane(160, 160, wrap_x=True, wrap_y=True), Windows(64, 64, 32, 32))
    table = scene.neighbours(8, 4).tolist()
    for i, found in enumerate(table):
        y, x = divmod(i, 5)
        sides = {(y, (x + 1) % 5), (y, (x - 1) % 5), ((y + 1) % 5, x), ((y - 1) % 5, x)}
        assert {divmod(j, 5) for j in found} == sides


def test_overlap_counts_not_the_order_of_windows():
    """A canvas where the extra last window lies on the last but one: these two are nearest, not the regular steps."""
    scene = Scene(Plane(64 + 3 * 32 + 8, 64), Windows(64, 64, 32, 64))
    assert scene.geometry.placement(8).columns == (0, 4, 8, 12, 13)
    assert scene.neighbours(8, 1).squeeze(1).tolist() == [1, 0, 1, 4, 3]


def pixels_seen(scene, cell):
    """[N, cells] by the views' own maps: the slow way to know what a window covers."""
    views = scene.views(cell)
    eye = torch.eye(views.canonical[0] * views.canonical[1]).reshape(-1, *views.canonical)
    seen = views.project(eye[:, None]).reshape(eye.shape[0], views.count, -1)
    return (seen.sum(-1) > 0).T.double()


@pytest.mark.parametrize(
    "scene",
    [
        row(6),
        row(5, wrap_x=True),
        grid(3, 4),
        Scene(Plane(96, 80, wrap_x=True, wrap_y=True), Windows(64, 64, 32, 16)),
        Scene(Plane(200, 64), Windows(64, 64, 56, 64)),
    ],
    ids=["row", "ring", "grid", "torus with overlap on both sides", "uneven"],
)
def test_the_distance_of_overlapping_windows_is_the_part_they_do_not_share(scene):
    placement = scene.geometry.placement(8)
    distances = window_distances(placement, (scene.space.wrap_y, scene.space.wrap_x))
    seen = pixels_seen(scene, 8)
    shared = seen @ seen.T / (placement.height * placement.width)
    apart = shared == 0
    assert torch.allclose(distances[~apart], 1 - shared[~apart], atol=1e-12)
    assert bool((distances[apart] >= 1).all())
    assert torch.equal(distances, distances.T)
    assert bool((distances.diagonal() == 0).all())


def test_windows_apart_lie_by_the_distance_of_their_centres():
    scene = grid(4, 3, stride=64)
    distances = window_distances(scene.geometry.placement(8), (False, False))
    for i in range(12):
        for j in range(12):
            if i != j:
                away = math.hypot(i // 4 - j // 4, i % 4 - j % 4)
                assert float(distances[i, j]) == pytest.approx(1 + away)


def test_directions_of_cameras_fit_too():
    """Any distances will do: eight cameras around, one from above."""
    azimuth = torch.arange(8) * math.pi / 4
    ring = torch.stack([azimuth.sin(), torch.zeros(8), azimuth.cos()], 1)
    top = torch.tensor([[math.sin(0.1) * 0.8, 0.6, math.cos(0.1) * 0.8]])
    directions = torch.cat([ring, top])
    table = nearest((directions @ directions.T).clamp(-1, 1).arccos(), 2).tolist()
    # The raised camera is 37 degrees from the first of the ring, whose next are 45 degrees away.
    for i in range(2, 7):
        assert sorted(table[i]) == sorted([(i - 1) % 8, (i + 1) % 8])
    assert table[8] == [0, 1] and table[0][0] == 8


def test_groups_keep_to_themselves():
    table = row(8).neighbours(8, 2, group=4).tolist()
    assert table == [[1, 2], [0, 2], [1, 3], [2, 1], [5, 6], [4, 6], [5, 7], [6, 5]]


def test_a_last_short_group_has_fewer():
    table = row(7).neighbours(8, 3, group=3).tolist()
    assert table == [[1, 2], [0, 2], [1, 0], [4, 5], [3, 5], [4, 3], [-1, -1]]


def test_few_views_have_few_neighbours():
    assert row(3).neighbours(8, 9).tolist() == [[1, 2], [0, 2], [1, 0]]
    assert row(1).neighbours(8, 2).shape == (1, 0)
    assert row(4).neighbours(8, 0).shape == (4, 0)
    assert nearest(torch.zeros(0, 0), 2).shape == (0, 0)


@pytest.mark.parametrize("count, group, part", [(-1, 0, "-1 neighbours"), (2, -3, "group -3")])
def test_numbers_that_are_none(count, group, part):
    with pytest.raises(ValueError, match=part):
        row(4).neighbours(8, count, group)


# Other rigs


def test_cameras_that_look_next_to_each_other():
    scene = Scene(Panorama(256, 128), Lookout(ring(45.0, 72.0, (0.0,)), 64, 64))
    for i, found in enumerate(scene.neighbours(8, 2).tolist()):
        assert sorted(found) == sorted({(i - 1) % 8, (i + 1) % 8})


def test_angles_between_directions():
    directions = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0], [math.cos(1e-6), math.sin(1e-6), 0]]).double()
    expected = torch.tensor([[0, math.pi / 2, math.pi, 1e-6]]).double()
    torch.testing.assert_close(angles_between(directions)[:1], expected, rtol=1e-6, atol=1e-12)


def test_readings_of_one_picture_are_all_neighbours():
    scene = Scene(Illusion(64, 64), Warps(tuple(map(warp, ("identity", "flip_y", "rotate_90")))))
    assert scene.neighbours(8, 2).tolist() == [[1, 2], [0, 2], [0, 1]]
