"""Texts that users type, to be changed: cameras, orbits, selectors, shares."""

from __future__ import annotations

from pathlib import Path

from syncpack.nodes.illusions.rigs import with_blend
from syncpack.nodes.views.prompts import parse_sheet
from syncpack.renderers.cameras import lookouts, orbits
from syncpack.renderers.directions import parse_selector
from syncpack.renderers.illusions.space import Warps
from syncpack.renderers.illusions.warps.flip import FlipX

from fuzz.attack import Files, Reader


def _typed(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _seeds(*texts: str) -> list[Files]:
    return [{"typed.txt": text.encode()} for text in texts]


def _prompts(path: Path) -> object:
    sheet = parse_sheet(_typed(path))
    if not sheet.rules:
        raise ValueError("no line names views")
    return sheet


def _selector(path: Path) -> object:
    found = parse_selector(_typed(path))
    if found is None:
        raise ValueError("no selector")
    return found


TYPED_TEXTS: dict[str, Reader] = {
    "prompts": Reader(
        lambda: _seeds("front: a wall\n1-3：moss\n*: grass\n", "azimuth 150..210: back\nx 0..0.3, y 0.5..1: corner\n"),
        _prompts,
        names_file=False,
    ),
    "selectors": Reader(
        lambda: _seeds("front, 1-3, azimuth 150..210 elevation -10..10", "ｘ　０．２‥０．５，２"),
        _selector,
        names_file=False,
    ),
    "cameras": Reader(
        lambda: _seeds("0 0\n90 0 100 # side\n0 90 100 45\n", "０　０\n９０，３０，７５\n"),
        lambda path: lookouts.custom(_typed(path), 72.0),
        names_file=False,
    ),
    "elevations": Reader(
        lambda: _seeds("0, 45, -45", "０、３０°"), lambda path: lookouts.elevations_of(_typed(path)), names_file=False
    ),
    "orbits": Reader(
        lambda: _seeds("0 0\n45 30 2 60 # above\n", "０　０　２．５\n"),
        lambda path: orbits.custom(_typed(path)),
        names_file=False,
    ),
    "shares": Reader(
        lambda: _seeds("0.7 0.3\n0.5, 0.5 # half\n"),
        lambda path: with_blend(Warps((FlipX(), FlipX())), _typed(path)),
        names_file=False,
    ),
}
