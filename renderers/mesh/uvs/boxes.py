"""Unwrapping without a library: charts that face one of the six sides of a box, projected onto it and packed.

Honest about what it is: flat and boxy things come out well, round ones get more seams than xatlas makes and up to
twice the stretch where the surface slants. Nothing overlaps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...arrays import cross, distinct_places, norm, rows_of
from .adjacency import components, edges
from .covered import covered_texels

# A face may join a neighbour's side when it is turned away from it by less than about 70 degrees.
_SLANT = 0.35
# Small charts may join a side that they face by this cosine at least.
_STEEP = 0.15
# How much an agreeing neighbour counts beside the cosine.
_PULL = 0.35
_ROUNDS = 12
# Charts of so few faces are given to a neighbour where they may.
_SMALL = 12
# Sizes of the picture in which charts are looked through for layers that lie over each other: fine enough for faces.
_LAYERS = (128, 1024)

_SIDES = torch.tensor([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=torch.float64)
# (u, v) of each side, so that u x v is the side's direction: charts are not mirrored, up is up.
_U = torch.tensor([[0, 0, -1], [0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 0], [-1, 0, 0]], dtype=torch.float64)
_V = torch.tensor([[0, 1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1], [0, 1, 0], [0, 1, 0]], dtype=torch.float64)


def unwrap_boxes(vertices: Tensor, faces: Tensor, size: int, padding: int) -> tuple[Tensor, Tensor]:
    """Triangles -> (uvs float32 [T, 2] in [0, 1], face_uvs int64 [F, 3]).

    vertices: [V, 3]; faces: int64 [F, 3]. Charts lie at least ``padding`` texels of a ``size`` x ``size`` texture
    apart. Raises ValueError when there are more charts than fit.
    """
    corner = vertices.double()[faces]
    normal = cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    facing = (normal / norm(normal, 1, keepdim=True).clamp_min(1e-300)) @ _SIDES.T
    pairs = edges(faces).pairs
    side = _smooth(facing, pairs)
    side = _merge_small(facing, pairs, side)
    chart = components(pairs[side[pairs[:, 0]] == side[pairs[:, 1]]], len(faces))
    flat = _project(corner, side)
    chart = _separate_layers(corner, flat, side, chart, pairs)
    return _packed(flat, faces, chart, size, padding)


def _neighbours(value: Tensor, pairs: Tensor, count: int) -> Tensor:
    """[F, 6]: how many neighbours of each face have each side."""
    found = torch.zeros(count, 6, dtype=torch.float64)
    a, b = pairs.unbind(1)
    one = torch.ones(len(pairs), dtype=torch.float64)
    found.view(-1).index_add_(0, a * 6 + value[b], one)
    found.view(-1).index_add_(0, b * 6 + value[a], one)
    return found


def _smooth(facing: Tensor, pairs: Tensor) -> Tensor:
    """int64 [F]: the side of each face, pulled towards its neighbours' so that borders become short."""
    side = facing.argmax(1)
    allowed = facing > torch.minimum(torch.tensor(_SLANT, dtype=torch.float64), facing.amax(1, keepdim=True) - 1e-9)
    turn = torch.arange(len(side)) % 2
    for i in range(2 * _ROUNDS):
        score = facing + _PULL * _neighbours(side, pairs, len(side))
        best = torch.where(allowed, score, -torch.inf).argmax(1)
        # Every other face at a time: two neighbours must not keep swapping.
        side = torch.where(turn == i % 2, best, side)
    return side


def _merge_small(facing: Tensor, pairs: Tensor, side: Tensor) -> Tensor:
    """int64 [F]: the side of each face after small charts went to the side that most of their border touches."""
    a, b = pairs.unbind(1)
    for i in range(_ROUNDS):
        chart = components(pairs[side[a] == side[b]], len(side))
        count = int(chart.max()) + 1
        border = torch.zeros(count, 6, dtype=torch.float64)
        border.index_add_(0, chart, _neighbours(side, pairs, len(side)))
        border[chart, side] = 0
        worst = torch.ones(count, 6, dtype=torch.float64)
        worst = worst.scatter_reduce(0, chart[:, None].expand(-1, 6), facing, "amin")
        border = torch.where(worst > _STEEP, border, 0)
        small = (torch.bincount(chart, minlength=count) < _SMALL) & (border.amax(1) > 0)
        if not bool(small.any()):
            break
        # Half of them at a time: small charts that touch must not swap sides for ever.
        small &= torch.arange(count) % 2 == i % 2
        side = torch.where(small[chart], border.argmax(1)[chart], side)
    return side


def _project(corner: Tensor, side: Tensor) -> Tensor:
    """[F, 3, 2]: corners on the plane of their side."""
    return torch.stack([(corner * axis[side][:, None]).sum(-1) for axis in (_U, _V)], -1)


def _separate_layers(corner: Tensor, flat: Tensor, side: Tensor, chart: Tensor, pairs: Tensor) -> Tensor:
    """Charts cut where one part of them lies behind another, as seen along their side."""
    depth = (corner.mean(1) * _SIDES[side]).sum(-1)
    low, high = flat.amin((0, 1)), flat.amax((0, 1))
    unit = (flat - low) / float((high - low).max().clamp_min(1e-12))
    a, b = pairs.unbind(1)
    level = torch.zeros_like(chart)
    size = min(_LAYERS[1], max(_LAYERS[0], 4 * math.isqrt(len(chart))))
    # Nearer faces have higher ranks; of two at the same depth, the first.
    nearest_last = len(chart) - 1 - torch.argsort(depth.flip(0), stable=True)
    rank = torch.empty_like(chart)
    rank[nearest_last] = torch.arange(len(chart))
    found = list(covered_texels(unit, size))
    face, place = (torch.cat([f[i] for f in found]) for i in (0, 1)) if found else (chart[:0], chart[:0])
    for _ in range(8):
        behind = torch.zeros(len(chart), dtype=torch.bool)
        spots, spot = distinct_places(chart[face] * size**2 + place)
        front = torch.full((len(spots),), -1).scatter_reduce(0, spot, rank[face], "amax")
        behind[face[rank[face] < front[spot]]] = True
        if not bool(behind.any()):
            break
        level = level + behind
        chart = components(pairs[(chart[a] == chart[b]) & (level[a] == level[b])], len(chart))
    return chart


def _packed(flat: Tensor, faces: Tensor, chart: Tensor, size: int, padding: int) -> tuple[Tensor, Tensor]:
    count = int(chart.max()) + 1
    index = chart[:, None, None].expand(-1, 3, 2).reshape(-1, 2)
    low = torch.full((count, 2), torch.inf, dtype=torch.float64).scatter_reduce(0, index, flat.reshape(-1, 2), "amin")
    high = torch.full((count, 2), -torch.inf, dtype=torch.float64).scatter_reduce(0, index, flat.reshape(-1, 2), "amax")
    extent = high - low
    lying = extent[:, 0] >= extent[:, 1]
    # A quarter turn, so that all charts are at least as wide as high: shelves fill better.
    turned = torch.stack([high[chart][:, None, 1] - flat[..., 1], flat[..., 0] - low[chart][:, None, 0]], -1)
    local = torch.where(lying[chart][:, None, None], flat - low[chart][:, None], turned)
    sizes = torch.where(lying[:, None], extent, extent.flip(1))
    order = torch.argsort(sizes[:, 1], descending=True)
    boxes = rows_of(sizes[order])
    # The largest scale at which all fit.
    area = float(sizes.prod(1).sum())
    least, most = 0.0, size / math.sqrt(max(area, 1e-12)) * 1.5
    places = _shelves(boxes, 0.0, size, padding)
    if places is None:
        raise ValueError(
            f"{count} charts with {padding} texels around them do not fit a texture of {size} x {size}; use a larger "
            "size, or xatlas"
        )
    for _ in range(40):
        middle = (least + most) / 2
        tried = _shelves(boxes, middle, size, padding)
        least, most, places = (middle, most, tried) if tried is not None else (least, middle, places)
    offset = torch.zeros(count, 2, dtype=torch.float64)
    offset[order] = torch.tensor(places, dtype=torch.float64)
    uvs = (local * least + offset[chart][:, None]) / size
    key, inverse = distinct_places(chart[:, None] * (int(faces.max()) + 1) + faces)
    table = torch.zeros(len(key), 2, dtype=torch.float64)
    table[inverse.reshape(-1)] = uvs.reshape(-1, 2)
    return table.float(), inverse


def _shelves(boxes: list[list[float]], scale: float, size: int, padding: int) -> list[tuple[float, float]] | None:
    """Corners of boxes (width, height), the highest first, on shelves of a square; None when they do not fit."""
    edge = padding / 2
    x, y, shelf = edge, edge, 0.0
    places: list[tuple[float, float]] = []
    for width, height in boxes:
        # Whole texels, so that a texel never belongs to two charts.
        w, h = math.ceil(width * scale) + 1, math.ceil(height * scale) + 1
        if x + w + edge > size:
            x, y, shelf = edge, y + shelf + padding, 0.0
        if x + w + edge > size or y + h + edge > size:
            return None
        places.append((x + 0.5, y + 0.5))
        x, shelf = x + w + padding, max(shelf, h)
    return places
