"""Build the demo depth of a whole sphere: ``python -m assets.make_depth`` from the repository root. Needs numpy only.

Six towers on a plain, seen from among them: distances along the ray, 512 x 256 (equirectangular, the middle column
looks to -Z), infinite in the sky. The committed towers_depth.npy needs nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FOLDER = Path(__file__).resolve().parent
WIDTH, HEIGHT = 512, 256
EYE = 1.0
# Azimuth in degrees (0 in the middle, to the right), distance and size of the towers.
TOWERS = (
    (5.0, 2.5, 1.2),
    (66.0, 2.9, 1.1),
    (124.0, 2.4, 1.05),
    (-172.0, 2.8, 1.3),
    (-113.0, 2.6, 1.3),
    (-54.0, 2.7, 1.0),
)
_STEPS, _FAR = 160, 60.0


def _rays() -> Array:
    """Unit directions [H, W, 3] of the pixels, +Y up."""
    azimuth = ((np.arange(WIDTH) + 0.5) / WIDTH * 2 - 1) * np.pi
    elevation = (0.5 - (np.arange(HEIGHT) + 0.5) / HEIGHT) * np.pi
    a, e = np.meshgrid(azimuth, elevation)
    return np.stack([np.sin(a) * np.cos(e), np.sin(e), -np.cos(a) * np.cos(e)], -1)


def _from(place: Array, azimuth: float, distance: float) -> Array:
    """Points relative to a foot on the plain."""
    a = np.radians(azimuth)
    return place - np.array([distance * np.sin(a), -EYE, -distance * np.cos(a)])


def _cone(place: Array, low: float, high: float, below: float, above: float) -> Array:
    """Distance (a little short of it) to an upright frustum: radius ``below`` at height ``low``, ``above`` at
    ``high``."""
    radius, y = np.hypot(place[..., 0], place[..., 2]), place[..., 1]
    t = np.clip((y - low) / (high - low), 0, 1)
    slope = abs(above - below) / (high - low)
    outside = (radius - (below + (above - below) * t)) / np.sqrt(1 + slope**2)
    return np.maximum(outside, np.maximum(low - y, y - high))


def _tower(place: Array, size: float) -> Array:
    parts = ((0.0, 0.2, 0.55, 0.5), (0.2, 1.9, 0.4, 0.28), (1.85, 2.0, 0.42, 0.42), (2.0, 2.25, 0.26, 0.26))
    whole = np.min([_cone(place / size, *part) for part in (*parts, (2.25, 2.65, 0.36, 0.0))], 0)
    return whole * size


def distances(place: Array) -> Array:
    """How far the nearest surface is from points [.., 3]."""
    towers = [_tower(_from(place, azimuth, distance), size) for azimuth, distance, size in TOWERS]
    return np.min([place[..., 1] + EYE, *towers], 0)


def build() -> NDArray[np.float16]:
    """Distances [256, 512], by walking along the rays as far as nothing can be in the way."""
    rays, along = _rays(), np.zeros((HEIGHT, WIDTH))
    for _ in range(_STEPS):
        along = np.minimum(along + distances(rays * along[..., None]), _FAR)
    left = distances(rays * along[..., None])
    return np.where((along < _FAR) & (left < 0.05), along, np.inf).astype(np.float16)


def main() -> None:
    np.save(FOLDER / "towers_depth.npy", build())


if __name__ == "__main__":
    main()
