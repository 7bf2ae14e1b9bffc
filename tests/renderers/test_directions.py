"""Words for views: which ones a selector names, on hand-made cameras and on real windows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syncpack.renderers.cameras.lookouts import ring, sphere
from syncpack.renderers.directions import ViewPlace, look_places, parse_selector, views_of
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene

# The reference's mesh cameras: eight around, two from above at elevation 30 and one straight from above and below.
AZIMUTHS = (0, 45, 90, 135, 180, 225, 270, 315)
CAMERAS = (
    *(ViewPlace(i, azimuth=float(a), elevation=0.0) for i, a in enumerate(AZIMUTHS)),
    ViewPlace(8, azimuth=0.0, elevation=30.0),
    ViewPlace(9, azimuth=180.0, elevation=30.0),
    ViewPlace(10, elevation=90.0),
    ViewPlace(11, azimuth=-90.0, elevation=-50.0),
)
# Seven windows side by side, centres at 0.125 0.25 ... 0.875.
ROW = Scene(Plane(512, 128), Windows(128, 128, 64, 128)).view_places()
# Three by three.
GRID = Scene(Plane(256, 256), Windows(128, 128, 64, 64)).view_places()


def named_by(text, places=CAMERAS, thirds=False):
    selector = parse_selector(text)
    assert selector is not None, f"'{text}' is no selector"
    return sorted(views_of(selector, places, thirds, "things"))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("0", [0]),
        ("1-3", [1, 2, 3]),
        ("0,4-6", [0, 4, 5, 6]),
        (" 0 , 4 - 6 ", [0, 4, 5, 6]),
        ("views 2-3, view 7", [2, 3, 7]),
        ("front", [0, 8]),
        ("Front view", [0, 8]),
        ("side", [1, 2, 6, 7]),
        ("right", [1, 2]),
        ("left", [6, 7]),
        ("left side", [6, 7]),
        ("back", [3, 4, 5, 9]),
        ("top", [10]),
        ("bottom", [11]),
        ("front, top", [0, 8, 10]),
        ("azimuth -45..45", [0, 1, 7, 8]),
        ("azimuth 315..45", [0, 1, 7, 8]),
        ("azimuth -45 .. 45°", [0, 1, 7, 8]),
        ("azimuth 150..210", [4, 9]),
        ("azimuth 150..210 elevation -10..10", [4]),
        ("azimuth 170..-170", [4, 9]),
        ("azimuth -190..-170", [4, 9]),
        ("azimuth 0..360", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]),
        ("azimuth 90..90", [2]),
        ("elevation 30..90", [8, 9, 10]),
        ("elevation -90..-.5", [11]),
        ("0-9 elevation 20..40", [8, 9]),
    ],
)
def test_cameras(text, expected):
    assert named_by(text) == expected


def test_words_of_the_reference_part_the_cameras():
    """front, side, back, top and bottom: every camera belongs to exactly one."""
    named = [named_by(word) for word in ("front", "side", "back", "top", "bottom")]
    assert sorted(i for views in named for i in views) == list(range(len(CAMERAS)))


def test_cameras_of_a_panorama():
    around = look_places(ring(45, 72))
    assert [p.azimuth for p in around] == [0, 45, 90, 135, 180, -135, -90, -45] and around[3].elevation == 0
    assert named_by("right", around) == [1, 2] and named_by("back", around) == [3, 4, 5]
    everywhere = look_places(sphere(90))
    up, down = len(everywhere) - 2, len(everywhere) - 1
    assert everywhere[up] == ViewPlace(up, elevation=90.0) and str(everywhere[up]) == "elevation 90"
    assert up in named_by("top", everywhere) and down in named_by("bottom", everywhere)
    assert named_by("azimuth 0..360", everywhere) == list(range(up))
    assert 0 in named_by("front", everywhere)


@given(st.integers(-720, 720), st.integers(0, 359), st.integers(0, 359))
def test_ranges_of_azimuth_go_around(azimuth, low, span):
    """A range holds the azimuths met on the way from its low to its high end, whatever turn they are given in."""
    place = (ViewPlace(0, azimuth=float(azimuth), elevation=0.0),)
    expected = [0] if any((low + k - azimuth) % 360 == 0 for k in range(span + 1)) else []
    assert named_by(f"azimuth {low}..{low + span}", place) == expected
    assert named_by(f"azimuth {low}..{(low + span) % 360}", place) == expected


@given(st.integers(-720, 720), st.integers(-90, 90))
def test_every_camera_has_one_direction(azimuth, elevation):
    place = (ViewPlace(0, azimuth=float(azimuth), elevation=float(elevation)),)
    assert sum(bool(named_by(w, place)) for w in ("front", "left", "right", "back", "top", "bottom")) == 1
    assert named_by("side", place) == named_by("left, right", place)


@pytest.mark.parametrize(
    "text, thirds, expected",
    [
        ("left", False, [0, 1, 2, 3]),
        ("right", False, [3, 4, 5, 6]),
        ("left", True, [0, 1]),
        ("center", True, [2, 3, 4]),
        ("middle", False, [2, 3, 4]),
        ("right", True, [5, 6]),
        ("x 0..0.3", False, [0, 1]),
        ("x 0.125..0.125", False, [0]),
        ("x 0.8..0.2", False, [0, 6]),
        ("y 0.5..1", False, [0, 1, 2, 3, 4, 5, 6]),
        ("y 0.6..1", False, []),
        ("x 0..0.5 2-6", False, [2, 3]),
    ],
)
def test_a_row_of_windows(text, thirds, expected):
    assert named_by(text, ROW, thirds) == expected


@pytest.mark.parametrize(
    "text, thirds, expected",
    [
        ("top", False, [0, 1, 2, 3, 4, 5]),
        ("bottom", False, [3, 4, 5, 6, 7, 8]),
        ("top", True, [0, 1, 2]),
        ("bottom right", True, [8]),
        ("top, left", True, [0, 1, 2, 3, 6]),
        ("centre", True, [4]),
        ("x 0..0.3 y 0.7..1", False, [6]),
    ],
)
def test_a_grid_of_windows(text, thirds, expected):
    assert named_by(text, GRID, thirds) == expected


def test_places_of_windows():
    assert [p.x for p in ROW] == [i / 8 for i in range(1, 8)] and {p.y for p in ROW} == {0.5}
    assert [p.index for p in GRID] == list(range(9))
    assert [(p.x, p.y) for p in GRID[:4]] == [(0.25, 0.25), (0.5, 0.25), (0.75, 0.25), (0.25, 0.5)]
    assert all(p.azimuth is None and p.elevation is None for p in GRID)


def test_windows_across_a_wrapping_edge():
    """Four windows of half the canvas; the last two stick out and come back on the left."""
    places = Scene(Plane(128, 32, wrap_x=True), Windows(64, 32, 32, 32)).view_places()
    assert [p.x for p in places] == [0.25, 0.5, 0.75, 0.0]
    assert named_by("x 0.9..0.1", places) == [3]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_there_are_as_many_places_as_views_at_any_cell(length, size, stride, wrap):
    """The number of windows does not depend on the cell, so a prompt written for pixels fits every model."""
    size, stride, cell = min(size, length), min(stride, size, length), 8
    scene = Scene(Plane(length * cell - (0 if wrap else 3), 8, wrap, False), Windows(size * cell, 8, stride * cell, 8))
    if scene.rig.width > scene.space.width:
        return
    assert len(scene.view_places()) == scene.views(cell).count


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a stone wall",
        "(stone",
        "ratio 16",
        "embedding",
        "style",
        "x",
        "front door",
        "left and right",
        "top, secret",
        "azimuth",
        "1.5",
    ],
)
def test_other_texts_are_no_selectors(text):
    assert parse_selector(text) is None


@pytest.mark.parametrize(
    "text",
    ["3-1", "1--3", "1,,2", "azimuth 30", "azimuth 30-60", "elevation -10 to 10", "x 0-0.3", "y 0.5", "0, azimuth 3"],
)
def test_what_was_meant_as_a_selector_is_refused(text):
    with pytest.raises(ValueError, match=r"does not say which views; write views as 0 or 1-3.*'\*:'$"):
        parse_selector(text)


@pytest.mark.parametrize(
    "text, message",
    [
        ("x 0..30", "x 0..30 leaves the canvas; use fractions of it from 0 to 1, e.g. x 0..0.5"),
        ("y -0.1..0.3", "y -0.1..0.3 leaves the canvas"),
        ("elevation 90..30", "elevation 90..30 is no range of elevations; write the lower end first"),
        ("elevation 0..120", "within -90 and 90 degrees"),
    ],
)
def test_impossible_ranges_are_refused(text, message):
    with pytest.raises(ValueError) as caught:
        parse_selector(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text, places, parts",
    [
        ("7", ROW, ("'7' names view 7", "has 7 views", "use 0 to 6")),
        ("0, 5-12", ROW, ("'0, 5-12' names view 12", "use 0 to 6")),
        ("front", ROW, ("'front' means nothing for a rig of things", "view numbers, top, bottom, left, right, center")),
        ("azimuth 0..10", ROW, ("'azimuth'", "x a..b, y a..b")),
        (
            "center",
            CAMERAS,
            ("'center'", "top, bottom, front, left, right, side, back", "azimuth a..b, elevation a..b"),
        ),
        ("x 0..1", CAMERAS, ("'x' means nothing",)),
        ("front", (ViewPlace(0), ViewPlace(1)), ("'front' means nothing", "use view numbers")),
    ],
)
def test_what_the_rig_does_not_have_is_refused(text, places, parts):
    selector = parse_selector(text)
    assert selector is not None
    with pytest.raises(ValueError) as caught:
        views_of(selector, places, False, "things")
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)
