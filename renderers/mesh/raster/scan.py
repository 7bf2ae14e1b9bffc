"""Triangles to pixels: which pixel centres lie inside which triangle, in pieces of bounded size.

Triangles come in homogeneous pixel coordinates (column * w, row * w, w), with w the depth for a perspective camera and
1 for a parallel one. Three planes a*column + b*row + c are then the barycentrics divided by the depth, and a pixel
centre is inside where all are positive; that holds for a triangle that reaches behind the camera too, so nothing has
to be cut at the near plane but the rectangle that is searched (Olano and Greer, "Triangle scan conversion using 2D
homogeneous coordinates", 1997).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...arrays import cross, distinct, integers

# Pixel centres this close outside an edge count as inside: two triangles that share the edge never leave a gap.
EDGE = 1e-6
# Fragments held at a time; larger pieces are slower on a CPU, as they leave its cache.
PIECE = 1 << 19


@dataclass(frozen=True)
class Triangles:
    """Triangles that touch a picture, ready to be filled.

    face: int64 [n], which of the given ones. planes: float64 [n, 4, 3]: three barycentrics over depth, and the distance
    in front of the near plane (whatever its scale). depth: float64 [n, 3], the plane of 1 / depth (perspective) or of
    depth; reach: float64 [n, 2], the least and most it is on the triangle (a sliver's plane is steep beside it).
    box: int64 [n, 4], first and last row, first and last column with a pixel centre inside the rectangle.
    """

    face: Tensor
    planes: Tensor
    depth: Tensor
    reach: Tensor
    box: Tensor
    perspective: bool

    def only(self, keep: Tensor) -> Triangles:
        """Those of a bool [n]."""
        face, planes, depth, reach, box = (t[keep] for t in (self.face, self.planes, self.depth, self.reach, self.box))
        return Triangles(face, planes, depth, reach, box, self.perspective)

    def depth_at(self, item: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """float32: depth of triangles ``item`` at pixels."""
        plane = self.depth.index_select(0, item)
        value = plane[:, 0] * (column + 0.5) + plane[:, 1] * (row + 0.5) + plane[:, 2]
        value = torch.clamp(value, self.reach[item, 0], self.reach[item, 1])
        return (1 / value if self.perspective else value).float()

    def barycentrics(self, item: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """float64 [m, 3]: weights of the corners of triangles ``item`` at the centres of pixels, >= 0, sum 1."""
        plane = self.planes.reshape(-1, 12)[:, :9].index_select(0, item)
        x, y = (column + 0.5)[:, None], (row + 0.5)[:, None]
        value = plane[:, 0::3] * x + plane[:, 1::3] * y + plane[:, 2::3]
        value = value.clamp_min(0)
        return value / value.sum(1, keepdim=True).clamp_min(1e-300)


def triangles(corners: Tensor, depths: Tensor, height: int, width: int, near: float, perspective: bool) -> Triangles:
    """Prepare triangles for a picture.

    corners: float64 [F, 3, 3], homogeneous pixel coordinates of the three corners. depths: float64 [F, 3]; for a
    perspective camera equal to w. What is nearer than ``near`` is not filled. Triangles seen exactly from the side and
    those outside the picture are left out.
    """
    determinant = _determinant(corners)
    rectangle = _rectangle(corners, depths, near)
    box = torch.stack(
        [
            (rectangle[:, 0] - 0.5 - EDGE).ceil().clamp(0, height),
            (rectangle[:, 1] - 0.5 + EDGE).floor().clamp(-1, height - 1),
            (rectangle[:, 2] - 0.5 - EDGE).ceil().clamp(0, width),
            (rectangle[:, 3] - 0.5 + EDGE).floor().clamp(-1, width - 1),
        ],
        1,
    ).long()
    keep = (determinant != 0) & (box[:, 0] <= box[:, 1]) & (box[:, 2] <= box[:, 3])
    face = torch.nonzero(keep).squeeze(1)
    corners, depths, determinant, box = corners[face], depths[face], determinant[face], box[face]
    planes = torch.stack([cross(corners[:, (i + 1) % 3], corners[:, (i + 2) % 3]) for i in range(3)], 1)
    planes = planes / determinant[:, None, None]
    reach = torch.stack([depths.amin(1), depths.amax(1)], 1).clamp_min(near)
    if perspective:
        depth = planes.sum(1)
        front = -depth * near
        front[:, 2] += 1
        reach = 1 / reach.flip(1)
    else:
        depth = (planes * depths[..., None]).sum(1)
        front = depth.clone()
        front[:, 2] -= near
    planes = torch.cat([planes, front[:, None]], 1)
    return Triangles(face, planes, depth.contiguous(), reach.contiguous(), box, perspective)


def _determinant(corners: Tensor) -> Tensor:
    return (corners[:, 0] * cross(corners[:, 1], corners[:, 2])).sum(1)


def facing(corners: Tensor) -> Tensor:
    """bool [F]: counter-clockwise as seen in the picture (rows count downwards)."""
    return _determinant(corners) < 0


def _rectangle(corners: Tensor, depths: Tensor, near: float) -> Tensor:
    """float64 [F, 4]: first and last row, first and last column that the part in front of ``near`` reaches; an empty
    rectangle (first > last) for what lies behind it."""
    place = corners[..., :2] / torch.where(depths > near, corners[..., 2], torch.ones_like(depths))[..., None]
    inside = (depths > near)[..., None]
    low = torch.where(inside, place, torch.inf).amin(1)
    high = torch.where(inside, place, -torch.inf).amax(1)
    crossing = torch.nonzero((depths > near).any(1) & (depths <= near).any(1)).squeeze(1)
    if crossing.numel():
        points, far = corners[crossing], depths[crossing]
        for i, j in ((0, 1), (1, 2), (2, 0)):
            step = far[:, j] - far[:, i]
            cut = (far[:, i] > near) != (far[:, j] > near)
            part = ((near - far[:, i]) / torch.where(cut, step, torch.ones_like(step)))[:, None]
            edge = points[:, i] + part * (points[:, j] - points[:, i])
            edge = edge[:, :2] / torch.where(cut, edge[:, 2], torch.ones_like(edge[:, 2]))[:, None]
            low[crossing] = torch.minimum(low[crossing], torch.where(cut[:, None], edge, torch.inf))
            high[crossing] = torch.maximum(high[crossing], torch.where(cut[:, None], edge, -torch.inf))
    return torch.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], 1).clamp(-1e9, 1e9)


def fragments(ready: Triangles, piece: int = PIECE) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Every pixel inside every triangle: (item, row, column), int64 [m] each, about ``piece`` at a time; triangles in
    their order."""
    rows = ready.box[:, 1] - ready.box[:, 0] + 1
    for first, last in _pieces(rows, piece):
        item, row = _expand(rows[first:last])
        item = item + first
        row = row + ready.box[item, 0]
        start, end = _spans(ready, item, row)
        length = (end - start + 1).clamp_min(0)
        for begin, stop in _pieces(length, piece):
            line, offset = _expand(length[begin:stop])
            line = line + begin
            if line.numel():
                yield item[line], row[line], start[line] + offset


def _spans(ready: Triangles, item: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """First and last column of a triangle in a row; the last is before the first where there is none."""
    low = ready.box[item, 2].double()
    high = ready.box[item, 3].double()
    middle = row + 0.5
    for i in range(4):
        slope, rise, base = (ready.planes[:, i, k][item] for k in range(3))
        value = base + rise * middle
        place = -value / torch.where(slope == 0, torch.ones_like(slope), slope) - 0.5
        low = torch.where(slope > 0, torch.maximum(low, place - EDGE), low)
        high = torch.where(slope < 0, torch.minimum(high, place + EDGE), high)
        high = torch.where((slope == 0) & (value < 0), -2.0, high)
    return low.ceil().long(), high.floor().long()


def _expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """[2, 0, 3] -> ([0, 0, 2, 2, 2], [0, 1, 0, 1, 2])."""
    owner = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    begins = counts.cumsum(0) - counts
    return owner, torch.arange(len(owner), device=counts.device) - begins[owner]


def _pieces(counts: Tensor, piece: int) -> Iterator[tuple[int, int]]:
    """Ranges of consecutive entries whose counts sum to about ``piece`` (one entry may be more by itself)."""
    total = counts.cumsum(0)
    if not len(total):
        return
    marks = torch.arange(piece, int(total[-1]) + piece, piece, device=counts.device)
    ends = integers(distinct(torch.searchsorted(total, marks, right=True).clamp_min(1)))
    first = 0
    for end in [*(e for e in ends if e < len(counts)), len(counts)]:
        if end > first:
            yield first, end
        first = end
