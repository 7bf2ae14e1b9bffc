"""The pack's little languages, typed on other keyboards: they mean the same, and prompts are left as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syncpack.nodes.illusions.rigs import with_blend
from syncpack.nodes.views.prompts import parse_sheet, texts_of_views
from syncpack.renderers.cameras import lookouts, orbits
from syncpack.renderers.colours import background_of, rgb_of
from syncpack.renderers.directions import ViewPlace, parse_selector
from syncpack.renderers.illusions.space import Warps
from syncpack.renderers.illusions.warps.flip import FlipX, FlipY
from syncpack.renderers.typed import COLONS, as_typed, split_at_commas

RING = tuple(ViewPlace(i, azimuth=a, elevation=0.0) for i, a in enumerate((0.0, 90.0, 180.0, -90.0)))


def full_width(text):
    """Every ASCII sign and letter as a Chinese or Japanese keyboard types it."""
    return "".join("\u3000" if c == " " else chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def texts(typed):
    return texts_of_views(parse_sheet(typed), RING, "cameras")


def test_full_width_colons_name_views():
    shown, notes = texts("front：石墙\nback：木门\n*：青苔")
    assert shown == ["石墙", "青苔", "木门", "青苔"] and not notes


@pytest.mark.parametrize("colon", COLONS)
def test_every_colon_divides(colon):
    shown, notes = texts(f"front{colon} a wall: red\ndefault{colon}moss")
    assert shown == ["a wall: red", "moss", "moss", "moss"] and not notes


@pytest.mark.parametrize(
    "typed, plain",
    [
        ("ｆｒｏｎｔ", "front"),
        ("０，２", "0,2"),
        ("０、２", "0,2"),
        ("１－３", "1-3"),
        ("1–3", "1-3"),
        ("1～3", "1-3"),
        ("1..3", "1-3"),
        ("１‥３", "1-3"),
        ("「front」", "front"),
        ("“front”", "front"),
        ("『front』，back", "front, back"),
        ("\ufefffront\u200b", "front"),
        ("views\u30000", "views 0"),
        ("azimuth　１５０‥２１０", "azimuth 150..210"),
        ("azimuth 150…210", "azimuth 150..210"),
        ("azimuth 150……210", "azimuth 150..210"),
        ("azimuth 150。。210", "azimuth 150..210"),
        ("azimuth 150～210", "azimuth 150..210"),
        ("azimuth 150 〜 210", "azimuth 150..210"),
        ("azimuth 150º..210º", "azimuth 150..210"),
        ("azimuth 150度..210度", "azimuth 150..210"),
        ("azimuth −４５..４５", "azimuth -45..45"),
        ("azimuth ١٥٠..٢١٠", "azimuth 150..210"),
        ("ｘ　０．２‥０．５", "x 0.2..0.5"),
    ],
)
def test_selectors(typed, plain):
    assert parse_selector(typed).terms == parse_selector(plain).terms


@given(st.sampled_from(["front", "0, 2", "1-3", "azimuth 150..210 elevation -10..10", "x 0.1..0.3, y 0..1", "side"]))
def test_selectors_wholly_in_full_width(plain):
    assert parse_selector(full_width(plain)).terms == parse_selector(plain).terms


@given(st.text(max_size=60))
def test_reading_twice_changes_nothing(text):
    assert as_typed(as_typed(text)) == as_typed(text)


def test_prompts_are_not_altered():
    said = "ｆｕｌｌ　width：“引用”、１６：９ … \u200b end"
    assert parse_sheet(f"front：{said}").rules[0].text == said
    assert parse_sheet(said).rest == said
    assert parse_sheet("a wide shot, １６：９").rest == "a wide shot, １６：９"
    assert not parse_sheet("16：9 film").rules


def test_lines_that_look_like_directions_are_noted():
    shown, notes = texts("前：石墙\n后：木门")
    assert shown == ["前：石墙\n后：木门"] * 4
    assert len(notes) == 3 and "'前' is no selector" in notes[0]
    assert "2 lines look like 'views: text'" in notes[2] and "front or left" in notes[2]
    assert "none names" not in "".join(texts("front: a\n后：b")[1])
    assert not texts("a stone wall, 16:9\n(moss:1.2)")[1]


def test_cameras_around_us():
    assert lookouts.elevations_of("０，４５、−４５") == (0.0, 45.0, -45.0)
    assert lookouts.elevations_of("「０°，　３０°」") == (0.0, 30.0)
    typed = "＃　名前\n０　０\n９０，－３０，１００．５　＃ side\n“180” 0"
    assert lookouts.custom(typed, 72.0) == lookouts.custom("0 0\n90 -30 100.5\n180 0", 72.0)
    with pytest.raises(ValueError, match="camera line 1"):
        lookouts.custom("前　0", 72.0)


def test_cameras_around_an_object():
    typed = "０　０　２．５\n４５，３０，２，６０　＃ above"
    assert orbits.custom(typed) == orbits.custom("0 0 2.5\n45 30 2 60")


def test_colours():
    assert background_of("ｗｈｉｔｅ") == (1.0, 1.0, 1.0)
    assert background_of("＃８０９０ａ０") == background_of("#8090a0")
    assert rgb_of("“＃８０８０８０”") == rgb_of("#808080")
    with pytest.raises(ValueError, match="no colour"):
        background_of("白")


def test_shares_of_planes():
    rig = Warps((FlipX(), FlipY()))
    assert with_blend(rig, "０．７，０．３").blend == with_blend(rig, "0.7, 0.3").blend


def test_names_of_exemplars():
    assert split_at_commas("stone，moss、 wood , 石") == ["stone", "moss", "wood", "石"]
