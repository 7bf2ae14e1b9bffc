"""Sets of cameras around an object, in object units: its centre is the origin, its radius 1. Angles are degrees here.

Azimuth 0 sees the front (the +Z side), 90 the +X side; elevation 90 looks straight down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .typed_cameras import typed_cameras
from .viewpoints import Viewpoint


@dataclass(frozen=True)
class Lens:
    """What all cameras of a set have in common: horizontal field of view in degrees, distance from the middle in object
    units. orthographic: parallel rays that show as much as the perspective camera shows at the object's middle."""

    fov: float = 60.0
    distance: float = 2.0
    orthographic: bool = False

    def at(
        self, azimuth: float, elevation: float, distance: float | None = None, fov: float | None = None
    ) -> Viewpoint:
        """The camera at these degrees. Raises ValueError for an elevation beyond the poles, or no distance."""
        if not -90 <= elevation <= 90:
            raise ValueError(f"elevation {elevation:g} is outside -90 to 90 degrees; 90 looks straight down")
        away = self.distance if distance is None else distance
        angle = math.radians(self.fov if fov is None else fov)
        span = 2 * away * math.tan(angle / 2) if self.orthographic else None
        turn = math.radians(math.remainder(azimuth, 360))
        return Viewpoint.orbit(turn, math.radians(elevation), away, fov=angle, span=span)


def orbit(
    lens: Lens = Lens(),
    step: float = 45.0,
    elevations: Sequence[float] = (0.0,),
    tops: Sequence[tuple[float, float]] = ((0.0, 30.0), (180.0, 30.0)),
    start: float = 0.0,
) -> tuple[Viewpoint, ...]:
    """A camera every ``step`` degrees of azimuth on every elevation, then those of ``tops`` (azimuth, elevation).

    The defaults are the reference's ten cameras (SyncMVD's and SyncTweedies': distance 2, field of view 60,
    so that the unit sphere just fills the frame), front first. Raises ValueError for a step outside 0 to 360.
    """
    if not 0 < step <= 360:
        raise ValueError(f"azimuth step {step:g} is outside 0 to 360 degrees; use 45 for eight views around")
    count = max(1, round(360 / step)) if abs(360 / step - round(360 / step)) < 1e-6 else math.ceil(360 / step)
    around = [lens.at(start + i * 360 / count, e) for e in elevations for i in range(count)]
    return (*around, *(lens.at(azimuth, elevation) for azimuth, elevation in tops))


def orbit_sphere(count: int, lens: Lens = Lens(), start: float = 0.0) -> tuple[Viewpoint, ...]:
    """``count`` cameras spread evenly over all directions, on an odd number of rings from the horizon outwards.

    Rings lie at equal distances of elevation and hold as many cameras as their length asks for; every second ring is
    turned by half a step. The first camera sees azimuth ``start``. Raises ValueError for fewer than 1.
    """
    if count < 1:
        raise ValueError(f"{count} cameras see nothing; use e.g. 14")
    # Cells as high as wide: r rings of height pi / r share 4 pi among count.
    rings = max(1, 2 * round((math.sqrt(math.pi * count) / 2 - 1) / 2) + 1)
    while rings > 1:
        shares = _shares(count, rings)
        if min(shares) > 0:
            break
        rings -= 2
    shares = _shares(count, rings)
    out: list[Viewpoint] = []
    for number in sorted(range(rings), key=lambda i: (abs(i - rings // 2), -i)):
        elevation = (number - rings // 2) * 180 / rings
        turn = 0.5 if (number - rings // 2) % 2 else 0.0
        out += [lens.at(start + (i + turn) * 360 / shares[number], elevation) for i in range(shares[number])]
    return tuple(out)


def _shares(count: int, rings: int) -> list[int]:
    """How many of ``count`` each ring gets, by its length; rings above and below the horizon alike where it can be."""
    lengths = [math.cos(math.radians((i - rings // 2) * 180 / rings)) for i in range(rings)]
    shares = [int(count * length / sum(lengths)) for length in lengths]
    missing = sorted(range(rings), key=lambda i: (shares[i] - count * lengths[i] / sum(lengths), abs(i - rings // 2)))
    for i in missing[: count - sum(shares)]:
        shares[i] += 1
    return shares


def custom(text: str, lens: Lens = Lens(), start: float = 0.0) -> tuple[Viewpoint, ...]:
    """One camera a line: ``azimuth elevation [distance [fov]]``, azimuths from ``start``; ``#`` begins a comment.

    Raises ValueError naming the line that is none.
    """
    out: list[Viewpoint] = []
    for number, azimuth, elevation, away, fov in typed_cameras(text, "'azimuth elevation [distance [fov]]'"):
        try:
            out.append(lens.at(start + azimuth, elevation, away, fov))
        except ValueError as error:
            raise ValueError(f"camera line {number}: {error}") from error
    if not out:
        raise ValueError("no camera is written down; write lines like '0 0' and '45 30 2 60' (azimuth elevation ...)")
    return tuple(out)
