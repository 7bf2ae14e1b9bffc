"""Where the views of a rig are: what words like "front", "left" or "top" are about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .cameras import Look
from .plane import Placement
from .viewpoints import Viewpoint


@dataclass(frozen=True)
class ViewPlace:
    """Place of view ``index`` (rig order, from 0). What a kind of rig does not have is None.

    azimuth, elevation: of a camera, degrees; azimuth 0 is the front and grows to the right (an orbit camera stands at
    +X at 90, a look into a panorama goes to the right at 90), elevation is up. x, y: centre of a window as a fraction
    of the canvas, from the left and from the top.
    """

    index: int
    azimuth: float | None = None
    elevation: float | None = None
    x: float | None = None
    y: float | None = None

    def __str__(self) -> str:
        degrees = [(n, v) for n, v in (("azimuth", self.azimuth), ("elevation", self.elevation)) if v is not None]
        parts = [(n, v) for n, v in (("x", self.x), ("y", self.y)) if v is not None]
        return ", ".join([*(f"{n} {v:g}" for n, v in degrees), *(f"{n} {v:.2f}" for n, v in parts)])


def window_places(placement: Placement) -> tuple[ViewPlace, ...]:
    """Centres of the windows, in reading order; on a wrapping canvas modulo its size."""
    rows, columns = placement.grid
    return tuple(
        ViewPlace(
            i * len(placement.columns) + j,
            x=(left + placement.width / 2) / columns % 1.0,
            y=(top + placement.height / 2) / rows % 1.0,
        )
        for i, top in enumerate(placement.rows)
        for j, left in enumerate(placement.columns)
    )


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
