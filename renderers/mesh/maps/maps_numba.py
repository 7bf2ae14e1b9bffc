"""The longest loops of visibility and maps compiled by numba: the same rules as in torch, one pass for each point."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...arrays import Array, tensor_of
from ...cameras.viewpoints import Viewpoint
from ...compiled import compiled
from ..raster.raster_numba import span
from ..raster.scan import EDGE, Triangles


def seen(
    points: tuple[Tensor, Tensor],
    viewpoint: Viewpoint,
    buffer: tuple[Tensor, Tensor],
    fronts: Tensor,
    limits: tuple[float, float, float],
    both: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """``visibility.seen_points`` after the depth buffer: (point, row, column, depth, cosine).

    points: positions and normals, float32 [n, 3]. buffer: face and depth [h, w]. fronts: bool [F]. limits: the near
    plane, the tolerance, the least cosine. both: surfaces are seen from behind too.
    """
    position, normal = (t.numpy() for t in points)
    face, depth = (t.numpy() for t in buffer)
    across, down = viewpoint.half_size(*depth.shape)
    point: Array = np.empty(len(position), np.int64)
    values: Array = np.empty((4, len(position)), np.float32)
    camera = np.array([across, down, *viewpoint.shift, *viewpoint.position], np.float64)
    view = (viewpoint.rotation.numpy(), camera, viewpoint.span is None)
    found = _seen((position, normal), view, (face, depth, fronts.numpy()), limits, both, (point, values))
    row, column, far, cosine = (tensor_of(np.array(values[i, :found])) for i in range(4))
    return tensor_of(np.array(point[:found])), row, column, far, cosine


@compiled()
def _seen(
    points: tuple[Array, Array],
    view: tuple[Array, Array, bool],
    buffer: tuple[Array, Array, Array],
    limits: tuple[float, float, float],
    both: bool,
    out: tuple[Array, Array],
) -> int:
    position, normal = points
    axes, camera, perspective = view
    face, depth, fronts = buffer
    near, tolerance, least = limits
    point, values = out
    height, width = depth.shape
    across, down, shift_x, shift_y = camera[0], camera[1], camera[2], camera[3]
    found = 0
    for i in range(position.shape[0]):
        p0, p1, p2 = position[i, 0] - camera[4], position[i, 1] - camera[5], position[i, 2] - camera[6]
        n0, n1, n2 = float(normal[i, 0]), float(normal[i, 1]), float(normal[i, 2])
        along = n0 * axes[0, 2] + n1 * axes[1, 2] + n2 * axes[2, 2]
        facing = -(n0 * p0 + n1 * p1 + n2 * p2) if perspective else along
        if facing == 0 or (facing < 0 and not both):
            continue
        cosine = abs(facing)
        if perspective:
            cosine /= max(np.sqrt(p0 * p0 + p1 * p1 + p2 * p2), 1e-30)
        x = p0 * axes[0, 0] + p1 * axes[1, 0] + p2 * axes[2, 0]
        y = p0 * axes[0, 1] + p1 * axes[1, 1] + p2 * axes[2, 1]
        z = p0 * axes[0, 2] + p1 * axes[1, 2] + p2 * axes[2, 2]
        far = -z
        if far <= near or cosine < least:
            continue
        scale = far if perspective else 1.0
        column = (1 + x / (scale * across) + shift_x) * width / 2
        row = (1 - y / (scale * down) - shift_y) * height / 2
        if not (0 <= row < height and 0 <= column < width):
            continue
        r, c = int(row), int(column)
        winner = face[r, c]
        if winner < 0 or fronts[winner] != (facing > 0):
            continue
        u = ((c + 0.5) * (2 / width) - 1 - shift_x) * across
        v = (1 - (r + 0.5) * (2 / height) - shift_y) * down
        s0 = n0 * axes[0, 0] + n1 * axes[1, 0] + n2 * axes[2, 0]
        s1 = n0 * axes[0, 1] + n1 * axes[1, 1] + n2 * axes[2, 1]
        slope = s0 * u + s1 * v - along if perspective else along
        if abs(slope) < 1e-6:
            slope = 1e-6
        expected = (s0 * x + s1 * y + along * z) / slope if perspective else far - (s0 * (x - u) + s1 * (y - v)) / slope
        reach = scale * (2 * across / width) / 0.05
        expected = min(max(expected, far - reach), far + reach)
        if expected <= depth[r, c] * (1 + tolerance):
            point[found] = i
            values[0, found] = row / height
            values[1, found] = column / width
            values[2, found] = far
            values[3, found] = min(cosine, 1.0)
            found += 1
    return found


def owners(ready: Triangles, rows: int, columns: int, tile: Tensor) -> tuple[Tensor, Tensor]:
    """For every cell the first triangle its centre lies in (the number of triangles where none does), and how many do:
    int64 [rows * columns] each. tile: float64 [n, 4], the rectangle each triangle may fill."""
    owner = np.full((rows, columns), len(ready.face), np.int64)
    claims = np.zeros((rows, columns), np.int64)
    _own(ready.planes.numpy(), ready.box.numpy(), tile.numpy(), EDGE, owner, claims)
    return tensor_of(owner).reshape(-1), tensor_of(claims).reshape(-1)


@compiled()
def _own(planes: Array, box: Array, tile: Array, edge: float, owner: Array, claims: Array) -> None:
    for item in range(box.shape[0]):
        for row in range(box[item, 0], box[item, 1] + 1):
            if row + 0.5 < tile[item, 1] or row + 0.5 >= tile[item, 3]:
                continue
            low = max(float(box[item, 2]), tile[item, 0] - 0.5)
            high = min(float(box[item, 3]), np.ceil(tile[item, 2] - 0.5) - 1)
            low, high = span(planes, item, 3, row, low, high, edge)
            if not low <= high:
                continue
            for column in range(int(np.ceil(low)), int(np.floor(high)) + 1):
                claims[row, column] += 1
                owner[row, column] = min(owner[row, column], item)


def bilinear_taps(
    place: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
    texel: tuple[Tensor, Tensor],
    shown: Tensor,
    screen: tuple[Tensor, Tensor, Tensor],
    size: tuple[int, int],
    limits: tuple[float, float, float],
) -> tuple[Tensor, Tensor]:
    """``maps.pixel_taps`` for bilinear reading: (pixel int64 [n, 4], weight float32 [n, 4]).

    place: row and column as fractions of the frame, cosine, depth and side of a pixel, float32 [n] each. texel:
    position and normal, float32 [n, 3]. shown: float32 [m, 3], positions of the surface's pixels. screen: number, low
    and high. limits: ``even``, ``off plane`` and ``along``, in sides of a pixel.
    """
    count = len(place[0])
    pixel, weight = np.empty((count, 4), np.int64), np.empty((count, 4), np.float32)
    row, column, cosine, depth, step = (t.numpy() for t in place)
    position, normal = (t.numpy() for t in texel)
    number, low, high = (t.numpy() for t in screen)
    at = (row, column, cosine, depth, step)
    _taps(at, (position, normal), shown.numpy(), (number, low, high), size, limits, pixel, weight)
    return tensor_of(pixel), tensor_of(weight)


@compiled()
def _taps(
    place: tuple[Array, Array, Array, Array, Array],
    texel: tuple[Array, Array],
    shown: Array,
    screen: tuple[Array, Array, Array],
    size: tuple[int, int],
    limits: tuple[float, float, float],
    pixel: Array,
    weight: Array,
) -> None:
    row, column, cosine, depth, step = place
    position, normal = texel
    number, low, high = screen
    height, width = size
    even, off, along = limits
    for i in range(row.shape[0]):
        r, c = row[i] * height - 0.5, column[i] * width - 0.5
        top, left = int(np.floor(r)), int(np.floor(c))
        down, right = r - top, c - left
        total = 0.0
        checked = False
        for k in range(4):
            y, x = k // 2, k % 2
            p = min(max(top + y, 0), height - 1) * width + min(max(left + x, 0), width - 1)
            pixel[i, k] = p
            w = (down if y else 1 - down) * (right if x else 1 - right)
            if k == 0:
                checked = high[p] - low[p] <= even * step[i]
                checked = checked and low[p] - step[i] <= depth[i] <= high[p] + step[i]
            if not checked:
                n = number[p]
                if n < 0:
                    w = 0.0
                else:
                    a0, a1, a2 = (
                        shown[n, 0] - position[i, 0],
                        shown[n, 1] - position[i, 1],
                        shown[n, 2] - position[i, 2],
                    )
                    apart = abs(a0 * normal[i, 0] + a1 * normal[i, 1] + a2 * normal[i, 2])
                    reach = step[i] * along / cosine[i]
                    if apart > off * step[i] or a0 * a0 + a1 * a1 + a2 * a2 > reach * reach:
                        w = 0.0
            weight[i, k] = w
            total += w
        for k in range(4):
            weight[i, k] = weight[i, k] / total if total > 1e-3 else 0.0
