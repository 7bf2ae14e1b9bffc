"""Prefixes that users type: dates, dots, and what leads out of a folder by the rules of either system."""

from datetime import datetime

import pytest
from syncpack.renderers.files.names import LONGEST, UNNAMED, checked_prefix, with_dates

NOW = datetime(2026, 3, 7, 9, 5, 1)
BOTH = pytest.mark.parametrize("windows", (True, False))


@pytest.mark.parametrize(
    "prefix, expected",
    [
        ("a/%date:yyyy-MM-dd%/b", "a/2026-03-07/b"),
        ("%date:yy%%date:hhmmss%", "26090501"),
        ("%date:d.M.yyyy h_m_s%", "7.3.2026 9_5_1"),
        ("%date:%", ""),
        ("%date:yyyy", "%date:yyyy"),
        ("%year%/%width%/100 %", "%year%/%width%/100 %"),
        ("plain", "plain"),
    ],
)
def test_dates(prefix, expected):
    assert with_dates(prefix, NOW) == expected


@BOTH
@pytest.mark.parametrize(
    "prefix",
    [
        "a",
        "v/teapot v1.5",
        "end/name.",
        "a/../b",
        "a/./b",
        ".hidden",
        "50 % off",
        "Größe/茶壺",
        "x" * LONGEST,
        "sub/",
    ],
)
def test_prefixes_that_hold(prefix, windows):
    assert checked_prefix(prefix, windows=windows) == prefix


@BOTH
@pytest.mark.parametrize("prefix", ["", ".", "./", "a/.."])
def test_a_prefix_without_a_name_gets_one(prefix, windows):
    assert checked_prefix(prefix, windows=windows) == UNNAMED


@BOTH
@pytest.mark.parametrize("prefix", ["..", "../a", "a/../../b", "a/b/../../../c"])
def test_prefixes_that_lead_outside(prefix, windows):
    with pytest.raises(ValueError, match="leads outside of the folder; use"):
        checked_prefix(prefix, "the folder", windows)


@pytest.mark.parametrize(
    "prefix",
    [
        *(r"a\..\..\b", r"..\b", r"a/..\..\b", r"\b", "/b", "C:b", r"c:..\b"),
        *(r"a\.. \.. \b", r"a\...\..\b", r"a\. .\..\b", r"\\server\share"),
    ],
)
def test_prefixes_that_lead_outside_on_windows(prefix):
    with pytest.raises(ValueError, match="leads outside"):
        checked_prefix(prefix, windows=True)


def test_signs_and_names_that_windows_does_not_store():
    assert checked_prefix("a\\b c.\\d.", windows=True) == "a/b c/d."
    assert checked_prefix("a. /b ./c", windows=True) == "a/b/c"
    for prefix, said in (
        ("%date:hh:mm%", "holds :"),
        ("a?/<b>", "holds < > [?]"),
        ("con/a", "'con' is the name of a device"),
        ("a/LPT1.x/b", "'LPT1.x' is the name of a device"),
    ):
        with pytest.raises(ValueError, match=said):
            checked_prefix(prefix, windows=True)
        assert checked_prefix(prefix, windows=False) == prefix
    assert checked_prefix("con", windows=True) == "con"  # (a number follows)
    # A backslash is a letter elsewhere.
    assert checked_prefix("a\\..\\..\\b", windows=False) == "a\\..\\..\\b"


@BOTH
def test_whole_paths_are_for_the_system_to_judge(windows):
    path = "C:\\out\\a" if windows else "/out/a"
    assert checked_prefix(path, windows=windows).replace("\\", "/") == path.replace("\\", "/")


@BOTH
@pytest.mark.parametrize("prefix", ["a\0", "a\nb", "a" * (LONGEST + 1), "é" * 120, "a/" + "b" * 5000 + "/c"])
def test_names_that_are_none(prefix, windows):
    with pytest.raises(ValueError) as caught:
        checked_prefix(prefix, windows=windows)
    assert "\n" not in str(caught.value) and "\0" not in str(caught.value) and len(str(caught.value)) < 250
