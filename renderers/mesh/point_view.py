"""Points of a surface in a view: where, how far, at what angle, whether hidden, and what the view shows there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..viewpoints import Viewpoint

# Of a point's depth: what lies no further behind the nearest surface is that surface (render 1b: 0.5 to 2 %).
TOLERANCE = 0.005
# A surface seen at a flatter angle than this cosine is not seen: there, pixels are stretched more than tenfold.
FLATTEST = 0.1


@dataclass(frozen=True)
class PointView:
    """Points [M] as one camera sees them, hidden ones included.

    row, column: pixel positions, 0.5 at the first pixel's centre. depth: along the axis. cosine: between the geometric
    normal and the way to the camera. inside: bool, in front and within the frame, facing the camera. height, width: of
    the view that rows and columns are of.
    """

    row: Tensor
    column: Tensor
    depth: Tensor
    cosine: Tensor
    inside: Tensor
    height: int
    width: int


def to_camera(camera: Viewpoint, points: Tensor) -> Tensor:
    """Unit vectors [M, 3] from points to a camera; all the same when it is orthographic."""
    if camera.span is not None:
        return torch.tensor(camera.backward, dtype=points.dtype).expand_as(points)
    return F.normalize(torch.tensor(camera.position, dtype=points.dtype) - points, dim=-1)


def look_at_points(
    camera: Viewpoint, points: Tensor, normals: Tensor, height: int, width: int, flattest: float = FLATTEST
) -> PointView:
    """Points and unit geometric normals [M, 3] in the camera's coordinates, in a view of that size."""
    row, column, depth = camera.pixels(points, height, width)
    cosine = (to_camera(camera, points) * normals).sum(-1)
    inside = (depth > 0) & (row > 0) & (row < height) & (column > 0) & (column < width) & (cosine >= flattest)
    return PointView(row, column, depth, cosine, inside, height, width)


def _slack(camera: Viewpoint, seen: PointView, width: int, pixels: float) -> Tensor:
    """How much depths may differ [M] between a point and the same surface ``pixels`` away in a view of that width: the
    tolerance, and what the surface's own slant makes of that distance."""
    across = 2 * camera.half_size(1, 1)[0] / width
    footprint = across if camera.span is not None else across * seen.depth
    cosine = seen.cosine.clamp(FLATTEST / 2, 1)
    return TOLERANCE * seen.depth + pixels * footprint * (1 - cosine * cosine).sqrt() / cosine


def visible(camera: Viewpoint, seen: PointView, buffer: Tensor) -> Tensor:
    """bool [M]: inside and not behind the nearest surface of a depth buffer [h, w] of the same frame, of any size; use
    one of 1024 or more (render 1b: a small one hides what is seen)."""
    height, width = buffer.shape
    row = (seen.row.nan_to_num(0) * (height / seen.height)).long().clamp(0, height - 1)
    column = (seen.column.nan_to_num(0) * (width / seen.width)).long().clamp(0, width - 1)
    return seen.inside & (seen.depth <= buffer[row, column] + _slack(camera, seen, width, 1.0))


def buffer_size(height: int, width: int, least: int = 1024) -> tuple[int, int]:
    """(height, width) of a depth buffer of a view's frame whose longer side has at least ``least`` pixels."""
    finer = max(1, -(-least // max(height, width)))
    return height * finer, width * finer


@dataclass(frozen=True)
class Taps:
    """Bilinear look-ups of points in a view: pixel int64 [M, 4] (flat) and weight [M, 4]. Taps on another surface have
    weight 0 and the others sum to 1, or to 0 where all four are on another surface."""

    pixel: Tensor
    weight: Tensor

    @property
    def usable(self) -> Tensor:
        """bool [M]."""
        return self.weight.sum(-1) > 0

    def read(self, flat: Tensor) -> Tensor:
        """Values [h * w, C] -> [M, C]."""
        return (flat[self.pixel] * self.weight[..., None].to(flat)).sum(1)


def taps(camera: Viewpoint, seen: PointView, depths: Tensor) -> Taps:
    """Where points read a view whose pixels see ``depths`` [h, w] (inf: background); the points' pixels are of the
    same size. A tap counts where its pixel sees the point's own surface, by depth."""
    height, width = depths.shape
    row, column = seen.row - 0.5, seen.column - 0.5
    top, left = row.floor(), column.floor()
    down, right = row - top, column - left
    rows = torch.stack([top, top, top + 1, top + 1], -1).long()
    columns = torch.stack([left, left + 1, left, left + 1], -1).long()
    share = torch.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], -1)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    pixel = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    near = (depths.reshape(-1)[pixel] - seen.depth[:, None]).abs() <= _slack(camera, seen, width, 1.5)[:, None]
    weight = torch.where(inside & near, share, 0.0)
    return Taps(pixel, weight / weight.sum(-1, keepdim=True).clamp_min(1e-30))
