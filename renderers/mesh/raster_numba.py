"""The inner loop of the rasteriser compiled by numba: the same triangles, the same rules, several cores."""

from __future__ import annotations

import threading

import numba
import numpy as np
import torch
from torch import Tensor

from .scan import EDGE, Triangles

# numba's simplest threading layer aborts the process when two threads run parallel kernels at once.
_ONE_AT_A_TIME = threading.Lock()
# More bands than cores: a mesh in the middle of the picture leaves the outer ones idle.
_BANDS = 32


def nearest_item(ready: Triangles, height: int, width: int) -> Tensor:
    """int64 [h * w]: the triangle (index into ``ready``, CPU) nearest to the camera at each pixel, -1 where none is."""
    nearest = np.full((height, width), -1, np.int64)
    depth = np.full((height, width), np.inf, np.float32)
    with _ONE_AT_A_TIME:
        planes, plane, reach, box = (t.numpy() for t in (ready.planes, ready.depth, ready.reach, ready.box))
        _fill(planes, plane, reach, box, ready.perspective, EDGE, _BANDS, nearest, depth)
    return torch.from_numpy(nearest).reshape(-1)


@numba.njit(parallel=True, nogil=True, cache=True)
def _fill(planes, depth, reach, box, perspective, edge, bands, nearest, buffer):  # pyright: ignore
    height = nearest.shape[0]
    for band in numba.prange(bands):
        top, bottom = band * height // bands, (band + 1) * height // bands - 1
        for item in range(box.shape[0]):
            for row in range(max(box[item, 0], top), min(box[item, 1], bottom) + 1):
                low, high = float(box[item, 2]), float(box[item, 3])
                for i in range(4):
                    slope = planes[item, i, 0]
                    value = planes[item, i, 2] + planes[item, i, 1] * (row + 0.5)
                    if slope > 0:
                        low = max(low, -value / slope - 0.5 - edge)
                    elif slope < 0:
                        high = min(high, -value / slope - 0.5 + edge)
                    elif value < 0:
                        high = -2.0
                base = depth[item, 1] * (row + 0.5) + depth[item, 2]
                if not low <= high:
                    continue
                for column in range(int(np.ceil(low)), int(np.floor(high)) + 1):
                    value = depth[item, 0] * (column + 0.5) + base
                    value = min(max(value, reach[item, 0]), reach[item, 1])
                    far = np.float32(1.0 / value) if perspective else np.float32(value)
                    if far < buffer[row, column]:
                        buffer[row, column] = far
                        nearest[row, column] = item
