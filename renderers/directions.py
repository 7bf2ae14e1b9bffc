"""Where the views of a rig are, and which of them a few words mean: "front", "1-3", "azimuth 150..210 elevation
-10..10", "x 0..0.3".

A selector is a list of terms between commas, any of which may match; the parts of a term between blanks must all match.
Words of cameras follow the reference: top above 30 degrees of elevation, bottom below -30; in between front within 30
degrees of azimuth 0, back from 120, side (left: negative azimuth, right: positive) in between.
Words of windows go by the window's centre: left, right, top, bottom are halves of the canvas; where center (or middle)
is used too they are its outer thirds, and center is the middle third both ways.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .cameras.looks import Look
from .cameras.viewpoints import Viewpoint
from .typed import shown, unquoted


@dataclass(frozen=True)
class ViewPlace:
    """Place of view ``index`` (rig order, from 0). What a kind of rig does not have is None.

    azimuth, elevation: of a camera, degrees; azimuth 0 is the front and grows to the right (an orbit camera stands at
    +X at 90, a look into a panorama goes to the right at 90), elevation is up. x, y: centre of a window as a fraction
    of the canvas, from the left and from the top. time: of a frame, or of a clip's middle, as a fraction of the video.
    """

    index: int
    azimuth: float | None = None
    elevation: float | None = None
    x: float | None = None
    y: float | None = None
    time: float | None = None

    def __str__(self) -> str:
        degrees = [(n, v) for n, v in (("azimuth", self.azimuth), ("elevation", self.elevation)) if v is not None]
        parts = [(n, v) for n, v in (("x", self.x), ("y", self.y), ("time", self.time)) if v is not None]
        return ", ".join([*(f"{n} {v:g}" for n, v in degrees), *(f"{n} {v:.2f}" for n, v in parts)])


def look_places(looks: Sequence[Look]) -> tuple[ViewPlace, ...]:
    """Directions of the cameras of a panorama, in degrees; one that looks straight up or down has no azimuth."""
    return tuple(
        ViewPlace(
            i,
            azimuth=None if abs(look.elevation) > math.pi / 2 - 1e-6 else round(math.degrees(look.azimuth), 6),
            elevation=round(math.degrees(look.elevation), 6),
        )
        for i, look in enumerate(looks)
    )


def orbit_places(viewpoints: Sequence[Viewpoint], front: float = 0.0) -> tuple[ViewPlace, ...]:
    """Where cameras around an object look from, in degrees from its front, which is seen from azimuth ``front``
    (radians); one straight above or below has no azimuth."""
    return tuple(
        ViewPlace(
            i,
            azimuth=None
            if abs(v.elevation) > math.pi / 2 - 1e-6
            else 180.0 - (180.0 - round(math.degrees(v.azimuth - front), 6)) % 360.0,
            elevation=round(math.degrees(v.elevation), 6),
        )
        for i, v in enumerate(viewpoints)
    )


def middle_of(places: Sequence[ViewPlace]) -> int:
    """The index of the place nearest to the front (of cameras), or to the middle of the canvas (of windows); the first
    of equals, and of places that are nowhere."""
    return min(places, key=_off_middle).index


def _off_middle(place: ViewPlace) -> float:
    if place.elevation is not None:
        # The cosine of the angle to the front; straight up and down it does not ask for the azimuth.
        ahead = math.cos(math.radians(place.elevation)) * math.cos(math.radians(place.azimuth or 0.0))
        return round(1 - ahead, 9)
    x, y = (0.5 if v is None else v for v in (place.x, place.y))
    return round(math.hypot(x - 0.5, y - 0.5), 9)


_POLE, _FRONT, _BACK = 30.0, 30.0, 120.0
_SLACK = 1e-6
_AXES = ("azimuth", "elevation", "x", "y", "time")
_CENTER = ("center", "centre", "middle")
_NUMBER = r"-?(?:\d+(?:\.\d+)?|\.\d+)"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_INDICES = re.compile(r"(\d+)(?:(?:-|\.\.)(\d+))?")
# Meant as a selector although it is none: only numbers, or an axis with a number.
_MEANT = re.compile(r"[\d\s,\-]*\d[\d\s,\-]*|.*\b(?:azimuth|elevation)\s*[-.]?\d.*|[xy]\s+[\d.]+\s*(?:\.|-|to\b).*")
HINT = "write views as 0 or 1-3, directions as front or left, ranges as azimuth -45..45 or x 0..0.3"


def _around(azimuth: float) -> float:
    """Degrees wrapped to (-180, 180]."""
    return 180.0 - (180.0 - azimuth) % 360.0


def _level(place: ViewPlace) -> bool:
    return abs(place.elevation or 0.0) <= _POLE + _SLACK


def _between(low: float, high: float) -> Callable[[ViewPlace], bool]:
    """Level cameras whose azimuth is strictly inside."""

    def matches(place: ViewPlace) -> bool:
        return place.azimuth is not None and _level(place) and low < _around(place.azimuth) < high

    return matches


_CAMERA_WORDS: dict[str, Callable[[ViewPlace], bool]] = {
    "top": lambda p: (p.elevation or 0.0) > _POLE + _SLACK,
    "bottom": lambda p: (p.elevation or 0.0) < -_POLE - _SLACK,
    "front": _between(-_FRONT - _SLACK, _FRONT + _SLACK),
    "left": _between(-_BACK + _SLACK, -_FRONT - _SLACK),
    "right": _between(_FRONT + _SLACK, _BACK - _SLACK),
    "side": lambda p: _CAMERA_WORDS["left"](p) or _CAMERA_WORDS["right"](p),
    "back": lambda p: p.azimuth is not None and _level(p) and abs(_around(p.azimuth)) >= _BACK - _SLACK,
}
_WINDOW_WORDS = ("left", "right", "top", "bottom", *_CENTER)
WORDS = frozenset((*_CAMERA_WORDS, *_WINDOW_WORDS))


@dataclass(frozen=True)
class Indices:
    first: int
    last: int


@dataclass(frozen=True)
class Word:
    name: str


@dataclass(frozen=True)
class Range:
    """low > high goes around: past 180 degrees, or past the edge of the canvas."""

    axis: str
    low: float
    high: float


Part = Indices | Word | Range


@dataclass(frozen=True)
class Selector:
    text: str
    terms: tuple[tuple[Part, ...], ...]

    @property
    def uses_center(self) -> bool:
        return any(isinstance(p, Word) and p.name in _CENTER for term in self.terms for p in term)


def parse_selector(text: str) -> Selector | None:
    """A selector, or None when the text is none. Raises ValueError for a text that was meant as one."""
    plain = unquoted(text).lower().replace("\u00b0", "").replace("\u5ea6", "").replace("~", "..")
    plain = re.sub(r"\s*\.\.\s*", "..", plain)
    plain = re.sub(r"(?<=\d)\s+-\s+(?=\d)", "-", plain)
    terms = [_term(term.split()) for term in plain.split(",")]
    if all(terms):
        return Selector(text.strip(), tuple(t for t in terms if t))
    if _MEANT.fullmatch(plain):
        raise ValueError(f"'{shown(text)}' does not say which views; {HINT}, or begin the line with '*:'")
    return None


def _term(tokens: list[str]) -> tuple[Part, ...] | None:
    parts: list[Part] = []
    rest = iter(tokens)
    for token in rest:
        if token in ("view", "views"):
            continue
        number = _INDICES.fullmatch(token)
        if number:
            first = int(number[1])
            last = int(number[2] or first)
            if last < first:
                return None
            parts.append(Indices(first, last))
        elif token in WORDS:
            parts.append(Word(token))
        elif token in _AXES:
            span = _RANGE.fullmatch(next(rest, ""))
            if span is None:
                return None
            parts.append(_range(token, float(span[1]), float(span[2])))
        else:
            return None
    return tuple(parts) or None


def _range(axis: str, low: float, high: float) -> Range:
    shown = f"{axis} {low:g}..{high:g}"
    if axis in ("x", "y", "time") and not (0 <= low <= 1 and 0 <= high <= 1):
        whole = "video" if axis == "time" else "canvas"
        raise ValueError(f"{shown} leaves the {whole}; use fractions of it from 0 to 1, e.g. {axis} 0..0.5")
    if axis == "elevation" and not -90 <= low <= high <= 90:
        raise ValueError(
            f"{shown} is no range of elevations; write the lower end first, both within -90 and 90 degrees"
        )
    return Range(axis, low, high)


def views_of(selector: Selector, places: Sequence[ViewPlace], thirds: bool, rig: str) -> frozenset[int]:
    """Indices of the views that a selector means; none is allowed.

    thirds: left, right, top, bottom are outer thirds of the canvas instead of halves. rig: its kind, for messages.
    Raises ValueError for views that do not exist, and for words that this kind of rig has no meaning for.
    """
    _check(selector, places, rig)
    return frozenset(
        p.index for p in places if any(all(_matches(part, p, thirds) for part in term) for term in selector.terms)
    )


def _matches(part: Part, place: ViewPlace, thirds: bool) -> bool:
    if isinstance(part, Indices):
        return part.first <= place.index <= part.last
    if isinstance(part, Word):
        return _window_word(part.name, place, thirds) if _is_window(place) else _CAMERA_WORDS[part.name](place)
    value = getattr(place, part.axis)
    if value is None:
        return False
    if part.axis == "azimuth":
        span = part.high - part.low
        inside = span if 0 <= span < 360 else span % 360 if span < 0 else 360.0
        return (value - part.low + _SLACK) % 360 <= inside + 2 * _SLACK
    if part.low > part.high:
        return value >= part.low - _SLACK or value <= part.high + _SLACK
    return part.low - _SLACK <= value <= part.high + _SLACK


def _window_word(name: str, place: ViewPlace, thirds: bool) -> bool:
    x, y = (0.5 if v is None else v for v in (place.x, place.y))
    if name in _CENTER:
        return all(1 / 3 - _SLACK <= v <= 2 / 3 + _SLACK for v in (x, y))
    edge = 1 / 3 if thirds else 0.5
    # The middle of a halved canvas is on both sides: the line that comes first takes it.
    reach = -_SLACK if thirds else _SLACK
    value = x if name in ("left", "right") else y
    return value <= edge + reach if name in ("left", "top") else value >= 1 - edge - reach


def _is_window(place: ViewPlace) -> bool:
    return place.azimuth is None and place.elevation is None


def _known(places: Iterable[ViewPlace]) -> tuple[set[str], set[str]]:
    """(axes, words) that mean something for these places."""
    axes = {a for p in places for a in _AXES if getattr(p, a) is not None}
    cameras = bool(axes & {"azimuth", "elevation"})
    words: set[str] = set(_CAMERA_WORDS if cameras else _WINDOW_WORDS if axes else ())
    return axes, words


def _check(selector: Selector, places: Sequence[ViewPlace], rig: str) -> None:
    axes, words = _known(places)
    for part in (p for term in selector.terms for p in term):
        if isinstance(part, Indices):
            if part.last >= len(places):
                raise ValueError(
                    f"'{selector.text}' names view {part.last}, but the rig has {len(places)} views; "
                    f"use 0 to {len(places) - 1}"
                )
            continue
        name = part.name if isinstance(part, Word) else part.axis
        if name not in (words if isinstance(part, Word) else axes):
            usable = ", ".join(["view numbers", *(w for w in (*_CAMERA_WORDS, "center") if w in words)])
            ranges = "".join(f", {a} a..b" for a in _AXES if a in axes)
            raise ValueError(f"'{name}' means nothing for a rig of {rig}; use {usable}{ranges}")
