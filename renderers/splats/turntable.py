"""Frames of splats that turn, in their present colours."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from ..cameras.viewpoints import Orbit, Viewpoint
from .geometry import SplatGeometry
from .looks import renders
from .space import SplatColours

# The scene's radius leaves strays out; this much more room shows nearly all that lies beyond it.
_ROOM = 1.15


def turntable(
    space: SplatColours,
    frames: int,
    height: int,
    width: int,
    elevation: float = 15.0,
    start: float = 0.0,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    fov: float = 40.0,
    distance: float = 0.0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """(picture [h, w, 3] in [0, 1], alpha [h, w]) of every frame of one turn; angles in degrees, the first at azimuth
    ``start``. The camera moves to the right, so that the scene turns to the left.

    distance: in radii of the scene; 0: so that the scene fits the frame. Raises ValueError for no frames.
    """
    if frames < 1:
        raise ValueError(f"{frames} frames show nothing; use e.g. 36")
    if not -90 <= elevation <= 90:
        raise ValueError(f"elevation {elevation:g} is outside -90 to 90 degrees; 90 looks straight down")
    wide = math.radians(fov)
    narrow = 2 * math.atan(math.tan(wide / 2) * min(1.0, height / width))
    away = distance or _ROOM / math.sin(narrow / 2)
    for i in range(frames):
        azimuth = math.radians(start + 360 * i / frames)
        camera = Viewpoint.orbit(azimuth, math.radians(elevation), away, fov=wide)
        pictures, alpha = renders(SplatGeometry(space, Orbit((camera,), width, height)), background)
        yield pictures[0], alpha[0]
