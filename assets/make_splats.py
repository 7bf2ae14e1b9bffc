"""Build the demo scene of splats: ``python -m assets.make_splats [--output FILE]`` from the repository root.

A lighthouse on a rock, described as a distance field; splats lie flat on its surface, evenly spread, in plain colours.
Written as a .splat file (32 bytes a splat), -Y up as scenes from photographs are, so that viewers show it upright.
The same seed gives the same scene. Needs numpy and scipy (the ``dev`` extra); the committed file needs nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

Array = np.ndarray
FILE = Path(__file__).resolve().parent / "lighthouse.splat"

# Distance between neighbours, and how far a splat reaches (one deviation) along and off the surface.
SPACING, ALONG, ACROSS = 0.0137, 0.0105, 0.0012
_SEED = 7
ROW = [("position", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 4), ("rotation", "u1", 4)]


def _length(*parts: Array) -> Array:
    return np.sqrt(sum(p * p for p in parts))


def _cone(p: Array, low: float, high: float, wide: float, narrow: float) -> Array:
    """Upright, of radius ``wide`` at height ``low`` and ``narrow`` at ``high``."""
    part = ((p[:, 1] - low) / (high - low)).clip(0, 1)
    slope = np.hypot(high - low, wide - narrow)
    side = (_length(p[:, 0], p[:, 2]) - (wide + (narrow - wide) * part)) * (high - low) / slope
    cap = np.abs(p[:, 1] - (low + high) / 2) - (high - low) / 2
    return np.maximum(side, cap) + _length(side.clip(0), cap.clip(0)) * ((side > 0) & (cap > 0)) * 0.3


def _ball(p: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    q = (p - centre) / radii
    return (_length(*q.T) - 1) * min(radii)


def _box(p: Array, centre: tuple[float, float, float], half: tuple[float, float, float]) -> Array:
    q = np.abs(p - centre) - half
    return _length(*q.clip(0).T) + q.max(1).clip(max=0)


def _ring(p: Array, height: float, radius: float, thick: float) -> Array:
    return _length(_length(p[:, 0], p[:, 2]) - radius, p[:, 1] - height) - thick


def _rock(p: Array) -> Array:
    x, y, z = p.T
    bumps = np.sin(5 * x + 2 * y) * np.sin(4 * z + 1) + 0.5 * np.sin(11 * x + 3) * np.sin(9 * z - 7 * y)
    return (_ball(p, (0.06, -0.8, 0), (0.86, 0.34, 0.7)) + 0.03 * bumps) * 0.7


def _posts(p: Array) -> Array:
    """Twelve, around the gallery."""
    around = np.arctan2(p[:, 2], p[:, 0])
    turn = around - np.round(around * 6 / np.pi) * np.pi / 6
    out = _length(p[:, 0], p[:, 2])
    side = _length(out * np.cos(turn) - 0.29, out * np.sin(turn)) - 0.014
    return np.maximum(side, np.abs(p[:, 1] - 0.6) - 0.06)


def _roof(p: Array) -> Array:
    """Of the keeper's house: a gable along Z."""
    x, y, z = p[:, 0] - 0.5, p[:, 1] + 0.26, p[:, 2]
    return np.maximum(np.maximum((np.abs(x) + y - 0.2) / np.sqrt(2), -y - 0.0), np.abs(z) - 0.24)


def _bands(p: Array) -> Array:
    red = (np.floor((p[:, 1] + 0.62) / 0.235) % 2 == 1)[:, None]
    return np.where(red, (0.72, 0.16, 0.13), (0.9, 0.88, 0.83))


def _stone(p: Array) -> Array:
    grey = 0.42 + 0.07 * np.sin(23 * p[:, 1] + 4 * np.sin(6 * p[:, 0])) + 0.05 * np.sin(31 * p[:, 0] - 17 * p[:, 2])
    grass = np.clip((p[:, 1] + 0.56) / 0.06, 0, 1)[:, None]
    return (1 - grass) * grey[:, None] * (1.05, 1.0, 0.92) + grass * np.array((0.33, 0.42, 0.2))


def _plain(red: float, green: float, blue: float) -> Callable[[Array], Array]:
    return lambda p: np.broadcast_to((red, green, blue), p.shape)


# Parts: what they are, and their colour at a place. +Z is the front.
PARTS: tuple[tuple[Callable[[Array], Array], Callable[[Array], Array]], ...] = (
    (_rock, _stone),
    (lambda p: _cone(p, -0.62, 0.5, 0.3, 0.19), _bands),
    (lambda p: _cone(p, 0.5, 0.55, 0.25, 0.32), _plain(0.25, 0.26, 0.28)),
    (_posts, _plain(0.2, 0.2, 0.22)),
    (lambda p: _ring(p, 0.66, 0.29, 0.018), _plain(0.2, 0.2, 0.22)),
    (lambda p: _cone(p, 0.55, 0.78, 0.15, 0.15), _plain(0.95, 0.83, 0.42)),
    (lambda p: _cone(p, 0.78, 0.95, 0.2, 0.04), _plain(0.6, 0.12, 0.11)),
    (lambda p: _ball(p, (0, 0.98, 0), (0.045, 0.045, 0.045)), _plain(0.85, 0.7, 0.3)),
    (lambda p: _box(p, (0, -0.46, 0.28), (0.075, 0.13, 0.05)), _plain(0.16, 0.3, 0.24)),
    (lambda p: _box(p, (0, -0.02, 0.235), (0.045, 0.07, 0.03)), _plain(0.15, 0.2, 0.3)),
    (lambda p: _box(p, (0, 0.28, 0.2), (0.04, 0.06, 0.03)), _plain(0.15, 0.2, 0.3)),
    (lambda p: _box(p, (0.5, -0.42, 0), (0.17, 0.16, 0.21)), _plain(0.86, 0.8, 0.7)),
    (_roof, _plain(0.3, 0.33, 0.4)),
    (lambda p: _box(p, (0.5, -0.42, 0.215), (0.05, 0.06, 0.015)), _plain(0.15, 0.2, 0.3)),
    (lambda p: _box(p, (0.58, -0.08, -0.1), (0.03, 0.1, 0.03)), _plain(0.55, 0.25, 0.2)),
)


def distance(p: Array) -> Array:
    """Signed distance of points [n, 3] from the whole scene's surface; approximate away from it."""
    return np.min([part(p) for part, _ in PARTS], 0)


def gradient(p: Array) -> Array:
    """Outward, about unit."""
    here, step = distance(p), 1e-5
    return np.stack([distance(p + step * axis) - here for axis in np.eye(3)], 1) / step


def surface_points() -> Array:
    """Points [n, 3] on the surface, about SPACING from each other."""
    random = np.random.Generator(np.random.PCG64(_SEED))
    p = random.uniform((-0.9, -1.2, -0.8), (1.0, 1.1, 0.8), (2_500_000, 3))
    p = p[np.abs(distance(p)) < 0.02]
    for _ in range(3):
        slope = gradient(p)
        p = p - slope * (distance(p) / np.maximum((slope * slope).sum(1), 1e-6))[:, None]
    p = p[(np.abs(distance(p)) < 1e-3) & (np.linalg.norm(gradient(p), axis=1) > 0.1)]
    return p[_apart(p, random.permutation(len(p)))]


def _apart(p: Array, rank: Array) -> Array:
    """Indices of points that are at least SPACING apart, of every two the one of lower rank."""
    pairs = cKDTree(p).query_pairs(SPACING, output_type="ndarray")
    state = np.zeros(len(p), int)  # 0 open, 1 taken, 2 too close to one that is
    while len(pairs):
        first = rank[pairs[:, 0]] < rank[pairs[:, 1]]
        beaten = np.zeros(len(p), bool)
        beaten[np.where(first, pairs[:, 1], pairs[:, 0])] = True
        state[(state == 0) & ~beaten] = 1
        near = state[pairs] == 1
        state[pairs[:, 1][near[:, 0]]] = 2
        state[pairs[:, 0][near[:, 1]]] = 2
        pairs = pairs[(state[pairs] == 0).all(1)]
    return np.flatnonzero(state < 2)


def _quaternions(normals: Array, turns: Array) -> Array:
    """Rotations [n, 4] (w, x, y, z) that take +Z to the normals, after a turn about Z."""
    x, y, z = normals.T
    swing = np.stack([1 + z, -y, x, np.zeros_like(z)], 1)
    swing[z < -0.999999] = (0, 1, 0, 0)
    swing /= np.linalg.norm(swing, axis=1, keepdims=True)
    c, s = np.cos(turns / 2), np.sin(turns / 2)
    w, a, b, _ = swing.T
    return np.stack([w * c, a * c + b * s, b * c - a * s, w * s], 1)


def scene() -> Array:
    """The rows of the .splat file."""
    p = surface_points()
    normals = gradient(p)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    owner = np.argmin([part(p) for part, _ in PARTS], 0)
    colours = np.select([(owner == i)[:, None] for i in range(len(PARTS))], [paint(p) for _, paint in PARTS])
    turns = np.random.Generator(np.random.PCG64(_SEED + 1)).uniform(0, 2 * np.pi, len(p))
    rows = np.zeros(len(p), ROW)
    down = np.array((1, -1, -1))
    rows["position"], rows["scale"] = p * down, (ALONG, ALONG, ACROSS)
    rows["colour"][:, :3] = np.round(colours.clip(0, 1) * 255)
    rows["colour"][:, 3] = 250
    rows["rotation"] = np.round(_quaternions(normals * down, turns) * 128 + 128).clip(0, 255)
    # From below upwards, as a file that was written by hand would be; the order does not matter to viewers.
    return rows[np.lexsort((p[:, 0], p[:, 2], p[:, 1]))]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Build the demo scene of splats.")
    parser.add_argument("--output", type=Path, default=FILE, help="the .splat file (default: beside this script)")
    output = parser.parse_args(arguments).output
    rows = scene()
    output.write_bytes(rows.tobytes())
    print(f"{output} ({len(rows)} splats)")


if __name__ == "__main__":
    main()
