"""The inner loops of the rasteriser compiled by numba: the same triangles and the same rules.

The kernels run on one core and release the GIL: numba's parallel loops abort the process when two threads start them
at once and the simplest threading layer is all there is, and on busy cores they wait far longer than they compute.

What the kernels for pixels and for texels share: one row of a triangle.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ...arrays import Array, tensor_of
from ...compiled import compiled
from .scan import EDGE, Triangles


@compiled()
def span(planes: Array, item: int, count: int, row: int, low: float, high: float, edge: float) -> tuple[float, float]:
    """(low, high) narrowed to the columns, 0 at the first cell's centre, where the middle of ``row`` lies inside the
    first ``count`` edges of triangle ``item``, widened by ``edge``; high < low where there are none."""
    for i in range(count):
        slope = planes[item, i, 0]
        value = planes[item, i, 2] + planes[item, i, 1] * (row + 0.5)
        if slope > 0:
            low = max(low, -value / slope - 0.5 - edge)
        elif slope < 0:
            high = min(high, -value / slope - 0.5 + edge)
        elif value < 0:
            high = -2.0
    return low, high


def z_buffer(ready: Triangles, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The nearest triangle at each pixel (CPU): (index into ``ready`` int64 [h, w], -1 where none is; its depth float32
    [h, w], inf)."""
    nearest, depth = _buffers(ready, height, width)
    return tensor_of(nearest), tensor_of(depth)


def seen(ready: Triangles, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Face int32 [h, w], barycentrics float32 [h, w, 3] and depth float32 [h, w] of the nearest triangles (CPU)."""
    nearest, depth = _buffers(ready, height, width)
    face, bary = np.empty((height, width), np.int32), np.empty((height, width, 3), np.float32)
    _describe(nearest, ready.planes.numpy(), ready.face.numpy(), face, bary)
    return tensor_of(face), tensor_of(bary), tensor_of(depth)


def _buffers(ready: Triangles, height: int, width: int) -> tuple[Array, Array]:
    nearest = np.full((height, width), -1, np.int64)
    depth = np.full((height, width), np.inf, np.float32)
    planes, plane, reach, box = (t.numpy() for t in (ready.planes, ready.depth, ready.reach, ready.box))
    _fill(planes, plane, reach, box, ready.perspective, EDGE, nearest, depth)
    return nearest, depth


@compiled()
def _fill(
    planes: Array,
    depth: Array,
    reach: Array,
    box: Array,
    perspective: bool,
    edge: float,
    nearest: Array,
    buffer: Array,
) -> None:
    for item in range(box.shape[0]):
        for row in range(box[item, 0], box[item, 1] + 1):
            low, high = float(box[item, 2]), float(box[item, 3])
            low, high = span(planes, item, 4, row, low, high, edge)
            if not low <= high:
                continue
            base = depth[item, 1] * (row + 0.5) + depth[item, 2]
            for column in range(int(np.ceil(low)), int(np.floor(high)) + 1):
                value = depth[item, 0] * (column + 0.5) + base
                value = min(max(value, reach[item, 0]), reach[item, 1])
                far = np.float32(1.0 / value) if perspective else np.float32(value)
                if far < buffer[row, column]:
                    buffer[row, column] = far
                    nearest[row, column] = item


@compiled()
def _describe(nearest: Array, planes: Array, numbers: Array, face: Array, bary: Array) -> None:
    for row in range(nearest.shape[0]):
        for column in range(nearest.shape[1]):
            item = nearest[row, column]
            if item < 0:
                face[row, column] = -1
                bary[row, column] = 0
                continue
            face[row, column] = numbers[item]
            a, b, c = planes[item, 0], planes[item, 1], planes[item, 2]
            x, y = column + 0.5, row + 0.5
            p = max(a[0] * x + a[1] * y + a[2], 0.0)
            q = max(b[0] * x + b[1] * y + b[2], 0.0)
            r = max(c[0] * x + c[1] * y + c[2], 0.0)
            total = max(p + q + r, 1e-300)
            bary[row, column, 0], bary[row, column, 1], bary[row, column, 2] = p / total, q / total, r / total
