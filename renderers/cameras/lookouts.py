"""Sets of cameras for a panorama: a ring, the whole sphere, or a list written down."""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor

from ..typed import shown, unquoted
from .looks import Look, direction
from .typed_cameras import NUMBER, typed_cameras


def ring(step: float, fov: float, elevations: tuple[float, ...] = (0.0,), start: float = 0.0) -> tuple[Look, ...]:
    """A camera every ``step`` degrees of azimuth from ``start``, on every elevation; all in degrees.

    The reference's rig is ring(45, 72): it sees 39 % of an equirectangular image, and no pole.
    """
    if not 0 < step <= 360:
        raise ValueError(f"azimuth step {step:g} is outside 0 to 360 degrees; use 45 for eight views around")
    count = max(1, round(360 / step)) if abs(360 / step - round(360 / step)) < 1e-6 else math.ceil(360 / step)
    return tuple(Look.degrees(_signed(start + i * 360 / count), e, fov) for e in elevations for i in range(count))


def elevations_of(text: str) -> tuple[float, ...]:
    """Degrees written down one after another ("0, 45, -45"). Raises ValueError for what is no number, or for none."""
    words = re.split(r"[\s,;]+", unquoted(text).replace("\u00b0", ""))
    for word in words:
        if not re.fullmatch(NUMBER, word):
            raise ValueError(f"elevation '{shown(word)}' is not a number of degrees; write e.g. '0, 45, -45'")
    return tuple(float(word) for word in words)


def sphere(fov: float, overlap: float = 0.25) -> tuple[Look, ...]:
    """Rings of square views that see every direction, from the horizon outwards, then both poles; degrees.

    overlap: part of a view's width that its neighbours see too, 0 to below 1. At 90 degrees and 0.25: 17 views.
    """
    _check(fov, overlap)
    half = math.radians(fov) / 2
    shared = half * overlap
    cap = half - shared / 2
    between = math.pi - 2 * cap
    # A ring of bands as high as the view would leave it no width.
    rings = max(1, math.ceil(between / min(2 * half - 2 * shared, 1.5 * half) - 1e-9))
    if rings % 2 == 0:
        # One ring looks at the horizon, where most of the picture is.
        rings += 1
    span = between / rings
    looks: list[Look] = []
    for number in sorted(range(rings), key=lambda i: abs(i - rings // 2)):
        elevation = (number - rings // 2) * span
        reach = _reach(half, elevation, min(span / 2 + shared / 2, half))
        count = max(3, math.ceil(math.pi / (reach * (1 - overlap / 2)) - 1e-9))
        looks += [Look(_turn(2 * math.pi * i / count), elevation, 2 * half) for i in range(count)]
    return (*looks, Look(0.0, math.pi / 2, 2 * half), Look(0.0, -math.pi / 2, 2 * half))


def fibonacci(fov: float, overlap: float = 0.25) -> tuple[Look, ...]:
    """Square views spread evenly over the sphere, as few as see every direction; degrees, overlap as in ``sphere``."""
    _check(fov, overlap)
    # A view sees at least the cone inside its frame.
    cone = math.radians(fov) / 2 * (1 - overlap / 2)
    # A cap of that size, hexagonally packed, tells the fewest that could do.
    count = max(4, math.floor(2 * math.pi / math.sqrt(27) * 2 / (1 - math.cos(cone))))
    while _covering_radius(points := _lattice(count)) > cone:
        count += 1
    elevation, azimuth = points
    return tuple(Look(_turn(float(a)), float(e), math.radians(fov)) for e, a in zip(elevation, azimuth, strict=True))


def custom(text: str, fov: float) -> tuple[Look, ...]:
    """One camera a line: ``azimuth elevation [fov [roll]]`` in degrees; ``#`` begins a comment.

    Raises ValueError naming the line that is none.
    """
    looks: list[Look] = []
    for _, azimuth, elevation, own, roll in typed_cameras(text, "'azimuth elevation [fov [roll]]' in degrees"):
        looks.append(Look.degrees(_signed(azimuth), elevation, fov if own is None else own, roll or 0.0))
    if not looks:
        raise ValueError("no camera is written down; write lines like '0 0' and '45 30 90' (azimuth elevation fov)")
    return tuple(looks)


def _check(fov: float, overlap: float) -> None:
    if not 0 < fov < 180:
        raise ValueError(f"field of view {fov:g} is outside (0, 180) degrees; use 60 to 100")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap {overlap:g} is outside 0 to below 1; use 0.25")
    if fov * (1 - overlap) < 5:
        raise ValueError(f"views of {fov:g} degrees that overlap by {overlap:g} would be thousands; use a wider view")


def _reach(half: float, elevation: float, band: float) -> float:
    """Largest azimuth, either side, at which a view of half field of view ``half`` at ``elevation`` still sees the
    whole band of elevations within ``band`` of its own."""
    heights = torch.linspace(max(elevation - band, -math.pi / 2), min(elevation + band, math.pi / 2), 33).double()
    rotation = Look(0.0, elevation, 2 * half).rotation()
    low, high = 0.0, math.pi
    for _ in range(40):
        middle = (low + high) / 2
        own = direction(torch.full_like(heights, middle), heights) @ rotation
        edge = math.tan(half) * (1 + 1e-9)
        inside = (-own[:, 2] > 0) & (own[:, :2].abs().amax(1) <= -own[:, 2] * edge)
        low, high = (middle, high) if bool(inside.all()) else (low, middle)
    return low


def _lattice(count: int) -> tuple[Tensor, Tensor]:
    """(elevation, azimuth) of ``count`` points of the Fibonacci lattice."""
    i = torch.arange(count, dtype=torch.float64) + 0.5
    return torch.asin(1 - 2 * i / count), 2 * math.pi * i * (2 - (1 + math.sqrt(5)) / 2)


def _covering_radius(points: tuple[Tensor, Tensor]) -> float:
    """Largest distance of any direction from its nearest point, radians (from a dense sample, with its own spacing)."""
    probes = 20 * len(points[0]) + 500
    elevation, azimuth = _lattice(probes)
    near = direction(azimuth, elevation) @ direction(points[1], points[0]).T
    return math.acos(min(1.0, float(near.amax(1).amin()))) + math.sqrt(math.pi / probes)


def _turn(azimuth: float) -> float:
    return math.remainder(azimuth, 2 * math.pi)


def _signed(degrees: float) -> float:
    return math.remainder(degrees, 360)
