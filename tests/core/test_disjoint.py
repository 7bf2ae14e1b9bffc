"""Sets of views that hardly overlap."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from syncpack.renderers.cameras.looks import Look
from syncpack.renderers.panorama.space import Lookout, panorama_views
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.sync_core.stochastic import disjoint_sets, drawn_sets
from syncpack.sync_core.walked_mean import average_of


def windows(width, stride):
    return Scene(Plane(width, 16), Windows(16, 16, stride, 16)).views(1)


def test_windows_side_by_side_are_one_set():
    assert disjoint_sets(windows(64, 16)) == ((0, 1, 2, 3),)


def test_half_overlapping_windows_alternate():
    assert disjoint_sets(windows(64, 8)) == ((0, 2, 4, 6), (1, 3, 5))


def test_a_later_set_is_filled_with_views_of_an_earlier_one():
    """Windows at 0, 8, 16 and 40: the last fits beside either set."""
    sets = disjoint_sets(windows(56, 12))
    assert all(any(v in s for s in sets) for v in range(windows(56, 12).count))
    assert sum(map(len, sets)) >= windows(56, 12).count


def test_the_two_rings_of_stochsync():
    """Five views of 72 degrees around, and five between them: touching views count as apart."""
    looks = tuple(Look.degrees(a, 0, 72) for a in (0, 36, 72, 108, 144, 180, -144, -108, -72, -36))
    views = panorama_views(Lookout(looks, 32, 32), 32, 32, (64, 128))
    assert disjoint_sets(views) == ((0, 2, 4, 6, 8), (1, 3, 5, 7, 9))


@settings(max_examples=30, deadline=None)
@given(st.integers(16, 90), st.integers(1, 16))
def test_every_view_is_in_a_set_and_no_set_overlaps(width, stride):
    views = windows(width, stride)
    sets = disjoint_sets(views)
    assert {v for s in sets for v in s} == set(range(views.count))
    shared = views.shared_cells()
    for members in sets:
        for a in members:
            for b in members:
                assert a == b or int(shared[a, b]) <= 0.06 * 256


def test_shared_cells_by_hand():
    shared = windows(32, 8).shared_cells()
    assert shared.tolist() == [[256, 128, 0], [128, 256, 128], [0, 128, 256]]
    assert torch.equal(shared, shared.T)


def test_sets_that_are_drawn_overlap_no_more_and_leave_nothing_out():
    views = windows(96, 2)
    drawn = drawn_sets(views, 40, seed=1)
    assert drawn == drawn_sets(views, 40, seed=1) != drawn_sets(views, 40, seed=2)
    assert len(set(drawn)) > 30, "elsewhere each time"
    shared = views.shared_cells()
    last = torch.zeros(views.cells)
    for step, members in enumerate(drawn, 1):
        for a in members:
            assert all(int(shared[a, b]) <= 0.06 * int(shared[b, b]) for b in members if b != a)
        seen = average_of(views.only(members)).seen.reshape(-1)
        last[seen] = step
        assert step < 6 or int((step - last).max()) <= 6, "no cell waits long"
