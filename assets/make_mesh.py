"""Build the demo mesh: ``python -m assets.make_mesh [--output DIR]`` from the repository root.

A teapot of our own: body, lid and knob turned on a lathe, spout and handle swept along curves. Every chart of its
texture is the analytic unrolling of a piece, all at the same scale, packed with room for a gutter. Needs torch and
numpy; the committed teapot.glb needs nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

if __package__ == "assets":
    from renderers.mesh.gltf_write import glb

    from renderers.mesh.material import Part
    from renderers.mesh.mesh import Mesh
else:
    from ..renderers.mesh.files.gltf.write import glb
    from ..renderers.mesh.material import Part
    from ..renderers.mesh.mesh import Mesh

FOLDER = Path(__file__).resolve().parent
AROUND = 64
GLAZE = (0.87, 0.82, 0.72, 1.0)
# Room between charts, as a share of the texture: 6 texels at 512.
GAP = 6 / 512

# Profiles: (radius, height) of points that a smooth curve runs through.
FOOT = [(0.0, -0.66), (0.20, -0.66), (0.37, -0.655), (0.41, -0.68), (0.44, -0.70), (0.47, -0.69)]
BODY = [
    (0.47, -0.69),
    (0.50, -0.65),
    (0.68, -0.50),
    (0.845, -0.24),
    (0.87, 0.02),
    (0.80, 0.25),
    (0.63, 0.44),
    (0.47, 0.53),
]
BODY += [(0.425, 0.575), (0.43, 0.60), (0.40, 0.605)]
LID = [(0.40, 0.60), (0.385, 0.615), (0.30, 0.665), (0.19, 0.70), (0.10, 0.72)]
NECK = [(0.10, 0.72), (0.085, 0.745), (0.10, 0.785), (0.155, 0.83)]
KNOB = [(0.155, 0.83), (0.165, 0.87), (0.13, 0.915), (0.07, 0.935), (0.0, 0.94)]
# Centre lines (x, y, radius, radius) in the plane z = 0: spout to +x, handle to -x.
SPOUT = [(0.66, -0.28, 0.235, 0.19), (0.86, -0.23, 0.20, 0.165), (1.04, -0.04, 0.145, 0.13), (1.14, 0.22, 0.105, 0.105)]
SPOUT += [
    (1.25, 0.44, 0.088, 0.09),
    (1.35, 0.535, 0.098, 0.10),
    (1.385, 0.56, 0.098, 0.10),
    (1.375, 0.553, 0.072, 0.074),
]
SPOUT += [(1.30, 0.49, 0.05, 0.05), (1.24, 0.43, 0.001, 0.001)]
HANDLE = [
    (-0.70, 0.36, 0.062, 0.085),
    (-0.92, 0.43, 0.058, 0.08),
    (-1.16, 0.40, 0.056, 0.078),
    (-1.30, 0.20, 0.055, 0.075),
]
HANDLE += [
    (-1.26, -0.06, 0.053, 0.072),
    (-1.08, -0.27, 0.052, 0.07),
    (-0.90, -0.38, 0.052, 0.07),
    (-0.72, -0.42, 0.055, 0.07),
]


@dataclass(frozen=True)
class Chart:
    """A grid of points [rows, columns, 3] and where each lies in its chart [rows, columns, 2], both in mesh units. The
    outside is where columns x rows point. hidden: [rows, columns] points that lie inside another piece."""

    points: np.ndarray
    flat: np.ndarray
    hidden: np.ndarray | None = None


def curve(knots: list[tuple[float, ...]], step: float) -> np.ndarray:
    """A smooth curve through the knots (Catmull and Rom 1974, centripetal), a point every ``step`` of its length."""
    p = np.array(knots, np.float64)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1) ** 0.5)])
    fine: list[np.ndarray] = []
    for i in range(1, len(p) - 2):
        x = np.linspace(t[i], t[i + 1], 40, endpoint=False)[:, None]
        a = [((t[j + 1] - x) * p[j] + (x - t[j]) * p[j + 1]) / (t[j + 1] - t[j]) for j in (i - 1, i, i + 1)]
        b = [((t[j + 2] - x) * a[k] + (x - t[j]) * a[k + 1]) / (t[j + 2] - t[j]) for k, j in ((0, i - 1), (1, i))]
        fine.append(((t[i + 1] - x) * b[0] + (x - t[i]) * b[1]) / (t[i + 1] - t[i]))
    line = np.concatenate([*fine, p[-2:-1]])
    along = arc(line[:, :2])
    count = max(2, round(along[-1] / step))
    even = np.linspace(0, along[-1], count + 1)
    return np.stack([np.interp(even, along, line[:, k]) for k in range(line.shape[1])], 1)


def arc(line: np.ndarray) -> np.ndarray:
    """Length along a line [n, d] up to each of its points."""
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])


def turned(profile: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """A profile (radius, height) on the lathe -> [rows, columns, 3]; column 0 is the back (-z), AROUND is a turn."""
    # Taken modulo a turn, so that both sides of a seam are the same points to the bit.
    angle = (columns % AROUND) * 2 * np.pi / AROUND - np.pi
    radius, height = profile[:, :1], profile[:, 1:]
    return np.stack([radius * np.sin(angle), height + 0 * angle, radius * np.cos(angle)], -1)


def strip(profile: np.ndarray, first: int = 0, last: int = AROUND) -> Chart:
    """A side from column ``first`` to ``last``, unrolled to a rectangle as wide as its mean circumference."""
    along, columns = arc(profile), np.arange(first, last + 1)
    width = 2 * np.pi * np.trapezoid(profile[:, 0], along) / along[-1]
    u = columns * width / AROUND
    return Chart(turned(profile, columns), np.stack(np.broadcast_arrays(u, along[:, None]), -1))


def disc(profile: np.ndarray, up: bool) -> Chart:
    """A top or underside, unrolled to a disc or a ring: lengths along the profile are kept. ``up``: seen from above."""
    points = turned(profile, np.arange(AROUND + 1))
    along = arc(profile)
    radius = along + profile[0, 0] if profile[0, 0] < profile[-1, 0] else along[-1] - along + profile[-1, 0]
    angle = np.linspace(-np.pi, np.pi, AROUND + 1)
    angle[-1] = -np.pi
    flat = np.stack([radius[:, None] * np.sin(angle), (-1 if up else 1) * radius[:, None] * np.cos(angle)], -1)
    return Chart(points, flat)


def swept(line: np.ndarray, around: int) -> Chart:
    """A tube along a centre line (x, y, radius in the plane, radius across it); its seam runs below."""
    centre = line[:, :2]
    forward = np.gradient(centre, axis=0)
    for i in range(1, len(forward)):  # where the line turns back into the mouth, the sense of the frame stays
        if forward[i] @ forward[i - 1] < 0:
            forward[i] = -forward[i]
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    side = np.stack([-forward[:, 1], forward[:, 0]], 1)
    angle = np.linspace(-np.pi, np.pi, around + 1)
    angle[-1] = -np.pi
    inside = centre[:, None] + line[:, 2, None, None] * np.cos(angle)[:, None] * side[:, None]
    across = line[:, 3:] * np.sin(angle)
    points = np.concatenate([inside, across[..., None]], -1)
    walk = arc(np.concatenate([centre, line[:, 2:3]], 1))
    around_length = np.pi * (line[:, 2] + line[:, 3])
    width = np.trapezoid(around_length, walk) / walk[-1]
    u = np.linspace(0, width, around + 1)
    return Chart(points, np.stack(np.broadcast_arrays(u, walk[:, None]), -1))


def charts() -> list[Chart]:
    """The pieces of the teapot."""
    body = curve(BODY, 0.035)
    quarter = AROUND // 4
    return [
        # Front and back; the seams run under the spout and the handle.
        strip(body, quarter, 3 * quarter),
        strip(body, 3 * quarter, 5 * quarter),
        disc(curve(FOOT, 0.04), up=False),
        disc(curve(LID, 0.03), up=True),
        strip(curve(NECK, 0.02)),
        disc(curve(KNOB, 0.02), up=True),
        buried(swept(curve(SPOUT, 0.03), 28)),
        buried(swept(curve(HANDLE, 0.03), 20)),
    ]


def pack(sizes: list[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Rectangles (width, height) -> (their places, side of the square they fill): shelves, the largest that works."""
    best: tuple[list[np.ndarray], float] | None = None
    for side in np.linspace(0.5, 3.0, 1001) * float(np.sqrt(sum(w * h for w, h in sizes))):
        gap, places, x, y, shelf = GAP * side, [], GAP * side / 2, GAP * side / 2, 0.0
        for w, h in sizes:
            if x + w + gap / 2 > side:
                x, y, shelf = gap / 2, y + shelf + gap, 0.0
            places.append(np.array([x, y]))
            x, shelf = x + w + gap, max(shelf, h)
            if x - gap / 2 > side + 1e-9:
                break
        if len(places) == len(sizes) and x - gap / 2 <= side + 1e-9 and y + shelf + gap / 2 <= side:
            best = places, float(side)
            break
    assert best is not None
    return best


def build() -> Mesh:
    """The teapot: about 1 unit in radius, standing upright, spout to +x, front (+z) towards the viewer."""
    pieces = charts()
    order = sorted(range(len(pieces)), key=lambda i: -float(np.ptp(pieces[i].flat[..., 1])))
    sizes = [np.ptp(pieces[i].flat.reshape(-1, 2), axis=0) for i in order]
    places, side = pack(sizes)
    vertices, uvs, faces, face_uvs = [], [], [], []
    for i, place in zip(order, places, strict=True):
        chart = pieces[i]
        rows, columns = chart.points.shape[:2]
        grid = np.arange(rows * columns).reshape(rows, columns)
        a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
        both = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
        if chart.hidden is not None:
            both = both[~chart.hidden.reshape(-1)[both].all(1)]
        flat = chart.flat.reshape(-1, 2)
        faces.append(both + sum(map(len, vertices)))
        face_uvs.append(both + sum(map(len, uvs)))
        vertices.append(chart.points.reshape(-1, 3))
        uvs.append((flat - flat.min(0) + place) / side)
    return finished(*(np.concatenate(x) for x in (vertices, uvs, faces, face_uvs)))


def finished(vertices: np.ndarray, uvs: np.ndarray, faces: np.ndarray, face_uvs: np.ndarray) -> Mesh:
    """Points of charts joined where they coincide, collapsed faces dropped, normals smooth."""
    _, first, joined = np.unique(np.round(vertices, 7) + 0.0, axis=0, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    place = vertices[np.sort(first)]
    faces = rank[joined.reshape(-1)][faces]
    keep = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])
    faces, face_uvs = faces[keep], face_uvs[keep]
    used, faces = np.unique(faces, return_inverse=True)
    used_uvs, face_uvs = np.unique(face_uvs, return_inverse=True)
    place, faces, face_uvs = place[used], faces.reshape(-1, 3), face_uvs.reshape(-1, 3)
    a, b, c = (place[faces[:, k]] for k in range(3))
    normals = np.zeros_like(place)
    for k in range(3):
        np.add.at(normals, faces[:, k], np.cross(b - a, c - a))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Mesh(
        vertices=torch.from_numpy(place.astype(np.float32)),
        faces=torch.from_numpy(faces),
        uvs=torch.from_numpy(uvs[used_uvs].astype(np.float32)),
        face_uvs=torch.from_numpy(face_uvs),
        part_of_face=torch.zeros(len(faces), dtype=torch.int64),
        parts=(Part("glaze", None, GLAZE),),
        normals=torch.from_numpy(normals.astype(np.float32)),
        name="teapot",
    )


def buried(chart: Chart) -> Chart:
    """The same chart, its points well inside the body marked as hidden."""
    body = curve(BODY, 0.01)
    points = chart.points
    radius = np.interp(points[..., 1], body[:-8, 1], body[:-8, 0], left=0, right=0)
    return Chart(points, chart.flat, np.hypot(points[..., 0], points[..., 2]) < radius - 0.03)


def main(arguments: list[str] | None = None) -> None:
    """Write teapot.glb and print its path."""
    parser = argparse.ArgumentParser(description="Build the demo mesh.")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder for the file (default: this script's)")
    chosen = parser.parse_args(arguments)
    chosen.output.mkdir(parents=True, exist_ok=True)
    path = chosen.output / "teapot.glb"
    mesh = build()
    path.write_bytes(glb(mesh))
    print(path)


if __name__ == "__main__":
    main()
