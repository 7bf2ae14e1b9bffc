"""Windows on a canvas: every cell covered at any size, crops exact, averages MultiDiffusion's."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.twins import F64, crop_windows, draw, paste_windows
from syncpack.renderers.plane.space import TAPERS, Placement, Plane, Windows, place, taper_weights, window_views
from syncpack.renderers.scene import Scene
from syncpack.sync_core.aggregate import Aggregator

law = settings(deadline=None, max_examples=60)


@st.composite
def layouts(draw_from, biggest: int = 40) -> tuple[Plane, Windows, int]:
    """Any canvas, window, stride and cell that fit together."""
    cell = draw_from(st.sampled_from([1, 8]))
    sizes, strides, canvas, wraps = [], [], [], []
    for _ in range(2):
        size = draw_from(st.integers(1, 12))
        sizes.append(size * cell)
        strides.append(draw_from(st.integers(1, size)) * cell)
        wrap = draw_from(st.booleans())
        length = draw_from(st.integers(size, biggest)) * cell
        # A canvas that wraps is a whole number of cells; any other may end inside its last cell.
        canvas.append(length if wrap else length - draw_from(st.integers(0, cell - 1)))
        wraps.append(wrap)
    taper = draw_from(st.sampled_from(TAPERS))
    return Plane(*canvas, *wraps), Windows(*sizes, *strides, taper), cell


@law
@given(layouts())
def test_every_cell_of_any_canvas_is_covered(layout) -> None:
    plane, rig, cell = layout
    views = window_views(place(plane, rig, cell), rig.taper)
    assert int(views.hits.min()) >= 1
    assert views.fully_covered
    assert bool((views.weights > 0).all())
    assert bool(Aggregator(views).seen.all())
    assert views.canonical[0] * cell >= plane.height > (views.canonical[0] - 1) * cell
    assert views.canonical[1] * cell >= plane.width > (views.canonical[1] - 1) * cell


@law
@given(layouts())
def test_windows_stay_inside_and_step_by_no_more_than_the_stride(layout) -> None:
    plane, rig, cell = layout
    placed = place(plane, rig, cell)
    for starts, size, stride, length, wrap in (
        (placed.rows, rig.height // cell, rig.stride_y // cell, placed.grid[0], plane.wrap_y),
        (placed.columns, rig.width // cell, rig.stride_x // cell, placed.grid[1], plane.wrap_x),
    ):
        assert starts[0] == 0
        steps = [b - a for a, b in itertools.pairwise(starts)]
        if wrap:
            steps.append(length - starts[-1])
            assert max(steps) - min(steps) <= 1  # evenly spread, the seam included
        else:
            assert starts[-1] == length - size
        assert all(0 < step <= stride for step in steps)


@settings(deadline=None, max_examples=20)
@given(layouts(biggest=14), st.integers(1, 2))
def test_views_are_slices_in_reading_order(layout, finer: int) -> None:
    plane, rig, cell = layout
    placed = place(plane, rig, cell).scaled(finer)
    views = window_views(placed, rig.taper)
    assert views.count == placed.count
    z = draw(2, 3, *placed.grid)
    assert torch.equal(views.project(z), crop_windows(z, placed.rows, placed.columns, placed.height, placed.width))


@settings(deadline=None, max_examples=10)
@given(layouts(biggest=14))
def test_the_mean_is_multidiffusions_weighted_average(layout) -> None:
    plane, rig, cell = layout
    placed = place(plane, rig, cell)
    views = window_views(placed, rig.taper)
    w = draw(views.count, 2, placed.height, placed.width)
    weight = (taper_weights(placed.height, rig.taper)[:, None] * taper_weights(placed.width, rig.taper)).to(F64)
    slow = paste_windows(w, placed.rows, placed.columns, placed.grid, weight)
    # Stored weights are float32; the loop's are not.
    torch.testing.assert_close(Aggregator(views)(w)[0], slow, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(layouts(biggest=20))
def test_what_is_consistent_stays(layout) -> None:
    plane, rig, cell = layout
    views = window_views(place(plane, rig, cell), rig.taper)
    z = draw(1, 2, *views.canonical)
    torch.testing.assert_close(Aggregator(views)(views.project(z)), z, rtol=1e-6, atol=1e-6)


def test_one_window_as_large_as_the_canvas_is_the_identity() -> None:
    views = Scene(Plane(64, 48), Windows(64, 48, 64, 48)).views(8)
    w = draw(2, 4, 6, 8).float()
    assert (views.count, views.canonical) == (1, (6, 8))
    assert torch.equal(Aggregator(views)(w), w)
    assert torch.equal(views.project(w), w)


def test_an_extra_window_covers_what_sticks_out() -> None:
    assert place(Plane(100, 16), Windows(32, 16, 24, 16), 1).columns == (0, 24, 48, 68)
    assert place(Plane(96, 16), Windows(32, 16, 32, 16), 1).columns == (0, 32, 64)


def test_the_ring_is_covered_as_often_everywhere() -> None:
    """The loop closure of the published panorama code misses one window; here coverage is even."""
    views = window_views(place(Plane(384, 64, wrap_x=True), Windows(64, 64, 16, 64), 1), "flat")
    assert views.count == 24
    assert views.hits.unique().tolist() == [4]


def test_the_wrapped_window_reads_across_the_edge() -> None:
    views = window_views(place(Plane(8, 1, wrap_x=True), Windows(4, 1, 2, 1), 1), "flat")
    z = torch.arange(8.0).reshape(1, 1, 1, 8)
    assert views.project(z)[-1].flatten().tolist() == [6, 7, 0, 1]


def test_borders_are_where_windows_begin_and_end_inside_the_canvas() -> None:
    placed = Placement((0,), (0, 24, 48, 68), 16, 32, (16, 100))
    assert placed.borders((False, False)) == ((), (24, 32, 48, 56, 68, 80))
    ring = Placement((0,), (0, 3), 2, 4, (2, 6))
    assert ring.borders((False, True)) == ((), (0, 1, 3, 4))
    scene = Scene(Plane(100, 16), Windows(32, 16, 24, 16))
    doubled = scene.geometry.placement(1).scaled(2)
    assert doubled.borders((False, False)) == ((), tuple(2 * b for b in (24, 32, 48, 56, 68, 80)))


@pytest.mark.parametrize("taper", TAPERS)
@pytest.mark.parametrize("length", [1, 2, 7, 64, 512])
def test_tapers_are_symmetric_positive_and_fall_towards_the_border(taper, length: int) -> None:
    weights = taper_weights(length, taper)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, weights.flip(0), rtol=1e-5, atol=1e-9)
    assert float(weights.min()) > 0
    assert bool((weights[: length // 2].diff() >= 0).all())
    assert float(weights.max()) <= 1
    assert (float(weights.min()) == 1) == (taper == "flat" or length == 1)


def test_tapers_at_pixel_centres() -> None:
    assert taper_weights(4, "triangle").tolist() == [0.25, 0.75, 0.75, 0.25]
    expected = [math.sin(math.pi * (i + 0.5) / 4) ** 2 for i in range(4)]
    torch.testing.assert_close(taper_weights(4, "hann"), torch.tensor(expected))


def test_scene_builds_each_resolution_once() -> None:
    scene = Scene(Plane(64, 64), Windows(32, 32, 16, 16))
    assert scene.views(8) is scene.views(8)
    fine = scene.views(8, 8)
    assert (fine.height, fine.width, fine.canonical) == (32, 32, (64, 64))
    assert fine.count == scene.views(8).count == 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Plane(0, 64), "width 0 is not a canvas; use at least 1 pixel"),
        (lambda: Plane(64, -8), "height -8 is not a canvas; use at least 1 pixel"),
        (lambda: Windows(0, 64, 8, 8), "width 0 is not a window; use the size the model was trained on, e.g. 512"),
        (lambda: Windows(64, -1, 8, 8), "height -1 is not a window; .*"),
        (lambda: Windows(64, 64, 0, 8), "stride 0 does not move the window; use 1 to 64 pixels"),
        (lambda: Windows(64, 64, 8, -8), "stride -8 does not move the window; use 1 to 64 pixels"),
        (
            lambda: Windows(64, 32, 65, 8),
            "stride 65 is larger than the window's width 64 and leaves gaps; use at most 64",
        ),
        (lambda: Windows(64, 32, 8, 64), "stride 64 is larger than the window's height 32 .*"),
        (lambda: Windows(64, 64, 8, 8, "box"), "window weights 'box' are unknown; use one of hann, triangle, flat"),
        (
            lambda: place(Plane(64, 64), Windows(128, 64, 8, 8), 8),
            r"view width 128 is larger than the canvas \(64 pixels\); use at most 64, or a larger canvas",
        ),
        (lambda: place(Plane(64, 60, wrap_y=True), Windows(64, 72, 8, 8), 1), r"view height 72 is larger .*"),
        (
            lambda: place(Plane(64, 64), Windows(60, 64, 8, 8), 8),
            "view width 60 is not a multiple of this model's cell of 8 pixels; use 64",
        ),
        (lambda: place(Plane(64, 64), Windows(64, 64, 12, 8), 8), "stride 12 is not a multiple of .*; use 16"),
        (lambda: place(Plane(64, 64), Windows(64, 64, 8, 3), 8), "stride 3 is not a multiple of .*; use 8"),
        (
            lambda: place(Plane(100, 64, wrap_x=True), Windows(64, 64, 8, 8), 8),
            "canvas width 100 cannot wrap: it is not a multiple of this model's cell of 8 pixels; use 104",
        ),
        (
            lambda: place(Plane(64, 66, wrap_y=True), Windows(64, 64, 8, 8), 8),
            "canvas height 66 cannot wrap: .*; use 64",
        ),
    ],
)
def test_bad_input_is_one_clear_line(make, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$") as caught:
        make()
    assert "\n" not in str(caught.value)
