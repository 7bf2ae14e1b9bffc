"""Prompts per view: what is read as a selector, which text each view gets, what the host's text nodes give for it."""

import pytest
import torch
from helpers.hosting import Plane, Windows, host, one_line
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.models.exemplar import ExemplarClip
from syncpack.nodes.views.prompt_nodes import ViewPrompts
from syncpack.nodes.views.prompts import for_some_views, joined, parse_sheet, texts_of_views
from syncpack.renderers.directions import ViewPlace
from syncpack.renderers.scene import Scene

pytestmark = pytest.mark.host

# Five windows, centres at 1/6 2/6 ... 5/6.
SPACE, RIG, VIEWS = Plane(96, 32), Windows(32, 32, 16, 32), 5
PLACES = Scene(SPACE, RIG).view_places()
CLIP = ExemplarClip(["stone wall", "meadow", "water"])


def texts(typed, places=PLACES):
    return texts_of_views(parse_sheet(typed), places, "windows")[0]


def notes(typed, places=PLACES):
    return texts_of_views(parse_sheet(typed), places, "windows")[1]


def build(prompts, negative="", clip=CLIP, **more):
    return ViewPrompts().build(clip, SPACE, RIG, prompts, negative, **more)


def chosen(entry):
    """Names that the prompt of an entry of the exemplar CLIP means."""
    return [name for name, weight in zip(CLIP.names, entry[0][0, 0], strict=True) if weight == 0]


# Reading


@pytest.mark.parametrize(
    "typed",
    [
        "a stone wall",
        "a (stone:1.2) wall",
        "(front:1.2) of a wall",
        "ratio 16:9, a wall",
        "16:9 picture of a wall",
        "style: baroque",
        "embedding:badhands, ugly",
        "a wall: old, mossy",
        "x: unknown",
        "[left:right:0.5]",
        "http://example",
    ],
)
def test_a_colon_in_a_prompt_is_no_selector(typed):
    assert texts(typed) == [typed] * VIEWS


@pytest.mark.parametrize(
    "typed, expected",
    [
        ("", ["", "", "", "", ""]),
        ("left: a\nright: b", ["a", "a", "a", "b", "b"]),
        ("right: b\nleft: a", ["a", "a", "b", "b", "b"]),
        ("left: a\ncenter: c\nright: b", ["a", "c", "c", "c", "b"]),
        ("0:a\n1-2 : b: c\nrest", ["a", "b: c", "b: c", "rest", "rest"]),
        ("*: rest\n4: b", ["rest", "rest", "rest", "rest", "b"]),
        ("Default: rest\n0, 4: b", ["b", "rest", "rest", "rest", "b"]),
        ("one\ntwo\n\n  three", ["one\ntwo\nthree"] * 5),
        ("one\n0: a\n*: two", ["a", "one\ntwo", "one\ntwo", "one\ntwo", "one\ntwo"]),
        ("3: 9 apples", ["", "", "", "9 apples", ""]),
        ("2: (stone:1.2)", ["", "", "(stone:1.2)", "", ""]),
        ("0-1: a\n1-2: b", ["a", "a", "b", "", ""]),
        ("0:\nrest", ["", "rest", "rest", "rest", "rest"]),
        ("*: 2:1 ratio", ["2:1 ratio"] * 5),
    ],
)
def test_which_view_gets_which_text(typed, expected):
    assert texts(typed) == expected


def test_cameras_get_their_directions():
    cameras = [ViewPlace(i, azimuth=float(a), elevation=0.0) for i, a in enumerate((0, 90, 180, 270))]
    cameras.append(ViewPlace(4, azimuth=0.0, elevation=80.0))
    typed = "front: face\nright: ear\nazimuth 150..300: hair\nelevation 45..90: hat"
    assert texts(typed, cameras) == ["face", "ear", "hair", "hair", "hat"]


def test_notes_say_what_was_ignored():
    cameras = [ViewPlace(i, azimuth=45.0 * i, elevation=0.0) for i in range(4)]
    assert notes("left: a\nright: b") == []
    assert notes("0-2: a\n1: b") == ["line 2: '1' is not used, earlier lines name all its views"]
    assert notes("front: a\nbottom: b", cameras) == ["line 2: 'bottom' is not used, no view of this rig is there"]
    assert notes("frnt: a face") == ["line 1: 'frnt' is no selector, so the line is text for the remaining views"]


@pytest.mark.parametrize(
    "pieces, expected",
    [
        (("", "a wall", ""), "a wall"),
        (("best quality", "a wall", "sharp"), "best quality, a wall, sharp"),
        (("best quality,", "a wall", ", sharp"), "best quality, a wall, sharp"),
        (("a photo of ", "a wall", " at night"), "a photo of a wall at night"),
        (("a car", "", ""), "a car"),
        (("", "", ""), ""),
        (("A car.", "Front view", "."), "A car. Front view."),
        (("  ", "a wall", "\n"), "a wall"),
    ],
)
def test_prefix_and_suffix(pieces, expected):
    assert joined(*pieces) == expected


# Encoding


def test_each_text_is_encoded_once_and_tagged_with_its_views():
    positive, negative, report = build("left: stone\nright: meadow\n2: water", negative="3: water")
    assert [(chosen(e), e[1].get("sync_views")) for e in positive] == [
        (["stone wall"], (0, 1, 2)),
        (["meadow"], (3, 4)),
    ]
    assert [(chosen(e), e[1].get("sync_views")) for e in negative] == [
        (CLIP.names, (0, 1, 2, 4)),
        (["water"], (3,)),
    ]
    assert report.splitlines() == [
        "5 views of windows",
        "prompts, view 0 (x 0.17, y 0.50): stone",
        "prompts, view 1 (x 0.33, y 0.50): stone",
        "prompts, view 2 (x 0.50, y 0.50): stone",
        "prompts, view 3 (x 0.67, y 0.50): meadow",
        "prompts, view 4 (x 0.83, y 0.50): meadow",
        "note, prompts line 3: '2' is not used, earlier lines name all its views",
        "negative, view 0 (x 0.17, y 0.50): (empty)",
        "negative, view 1 (x 0.33, y 0.50): (empty)",
        "negative, view 2 (x 0.50, y 0.50): (empty)",
        "negative, view 3 (x 0.67, y 0.50): water",
        "negative, view 4 (x 0.83, y 0.50): (empty)",
    ]


def test_one_text_for_all_is_what_the_hosts_node_gives():
    """No tag: such a conditioning works in any sampler."""
    positive, negative, report = build("meadow", negative="water")
    for made, text in ((positive, "meadow"), (negative, "water")):
        assert len(made) == 1 and "sync_views" not in made[0][1]
        plain = host.text_encoder(CLIP)(text)
        assert torch.equal(made[0][0], plain[0][0]) and set(made[0][1]) == set(plain[0][1])
    assert report == "5 views of windows\nprompts, all views: meadow\nnegative, all views: water"


def test_prefix_and_suffix_are_for_the_positive_only():
    positive, negative, report = build("0: meadow\nwall", "", prefix="water", suffix="old")
    assert [(chosen(e), e[1]["sync_views"]) for e in positive] == [
        (["meadow", "water"], (0,)),
        (["stone wall", "water"], (1, 2, 3, 4)),
    ]
    assert "view 0 (x 0.17, y 0.50): water, meadow, old" in report
    assert chosen(negative[0]) == CLIP.names


class CountingClip(ExemplarClip):
    def __init__(self):
        super().__init__(CLIP.names)
        self.read = []

    def tokenize(self, text, **options):
        self.read.append(text)
        return super().tokenize(text, **options)


def test_equal_texts_are_encoded_once():
    clip = CountingClip()
    build("0, 4: meadow\n2: meadow\nwater", negative="1: water", clip=clip)
    assert sorted(clip.read) == ["", "meadow", "water"]


def test_every_entry_of_an_encoder_is_tagged():
    """A CLIP with a schedule gives several entries for one text."""

    def encode(text):
        return [[torch.zeros(1, 1, 4), {"clip_start_percent": s, "text": text}] for s in (0.0, 0.5)]

    tagged = for_some_views(encode("a"), [2, 1], VIEWS)
    assert [e[1]["sync_views"] for e in tagged] == [(1, 2)] * 2
    assert [e[1]["clip_start_percent"] for e in tagged] == [0.0, 0.5]


def test_tags_meet():
    tagged = [[torch.zeros(1), {"sync_views": (1, 2)}], [torch.zeros(1), {"a": 1}]]
    assert [e[1] for e in for_some_views(tagged, (2, 3), 4)] == [{"sync_views": (2,)}, {"a": 1, "sync_views": (2, 3)}]
    assert [e[1] for e in for_some_views(tagged, (0,), 4)] == [{"a": 1, "sync_views": (0,)}]
    assert [e[1] for e in for_some_views(tagged, range(4), 4)] == [{"sync_views": (1, 2)}, {"a": 1}]
    assert tagged[0][1] == {"sync_views": (1, 2)}, "the given entries are left alone"


# Bad input


@pytest.mark.parametrize(
    "typed, parts",
    [
        ("5: a", ("'5' names view 5", "5 views", "use 0 to 4")),
        ("left: a\n2-7: b", ("'2-7' names view 7",)),
        ("front: a", ("'front' means nothing for a rig of windows", "left, right, center, x a..b, y a..b")),
        ("azimuth 0..9: a", ("'azimuth' means nothing for a rig of windows",)),
        ("azimuth 30: a", ("'azimuth 30' does not say which views", "azimuth -45..45", "'*:'")),
        ("x 2..3: a", ("x 2..3 leaves the canvas",)),
    ],
)
@pytest.mark.parametrize("side", ["prompts", "negative"])
def test_what_cannot_be_is_refused(typed, parts, side):
    with pytest.raises(SyncError) as caught:
        build(**{"prompts": "", "negative": "", side: typed})
    one_line(caught.value, "ViewPrompts", f"{side}: ", *parts)


def test_without_a_clip():
    with pytest.raises(SyncError) as caught:
        build("a", clip=None)
    one_line(caught.value, "ViewPrompts", "clip is None", "CLIPLoader")
