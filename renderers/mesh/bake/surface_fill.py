"""Texels that nobody saw, filled from what lies around them on the surface, and the border around charts.

Neighbours are looked for in three dimensions and by normal, never in the texture: two charts that lie side by side in
the texture may be far apart on the object, and the two sides of a thin sheet are close but not the same surface.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...arrays import Array, shaped, tensor_of
from ...by_scipy import nearest_outside, scipy_part, tree

Filling = Literal["smooth", "nearest", "nothing"]
FILLINGS: tuple[Filling, ...] = ("smooth", "nearest", "nothing")

# The surface is described by at most about this many patches.
_PATCHES = 6000
_NEIGHBOURS = 12
# Patches whose normals are further apart than a right angle and a bit are hardly neighbours.
_BEND, _WEAK = 0.25, 1e-6
_ROUGH = 64


def fill_surface(positions: Tensor, normals: Tensor, colours: Tensor, seen: Tensor, how: Filling) -> Tensor:
    """Colours [T, C] of points of a surface, those outside ``seen`` (bool [T]) filled; seen ones keep every bit.

    positions, normals: [T, 3]. smooth: the colours of the border spread over the hole as a membrane would (harmonic
    interpolation, Laplace's equation on a graph of neighbouring patches), beginning with the border's own detail.
    nearest: the colour of the nearest seen point, by place and normal. nothing: 0. If no point is seen all stay 0.
    Raises ValueError for another way.
    """
    if how not in FILLINGS:
        raise ValueError(f"fill '{how}' is unknown; use one of {', '.join(FILLINGS)}")
    known = torch.where(seen[:, None], colours, torch.zeros_like(colours))
    if how == "nothing" or bool(seen.all()) or not bool(seen.any()):
        return known
    place, facing, hole = positions.double().numpy(), normals.double().numpy(), (~seen).numpy()
    size, patch = _patches(place, facing)
    given = colours.double().numpy()
    nearest, distance = _nearest(place, facing, ~hole, hole, 3 * size)
    border = given[~hole][nearest]
    if how == "nearest":
        far = np.isinf(distance)
        border[far] = given[_far(place, facing, ~hole, np.flatnonzero(hole)[far], patch)]
    else:
        # Detail of the border runs out within a patch: no line is drawn where the hole begins.
        share = np.exp(-np.square(distance / size))[:, None]
        spread = _membrane(place, facing, given, ~hole, patch, size)
        border = share * border + (1 - share) * _read_patches(place, facing, hole, *spread, size)
    known[~seen] = tensor_of(border).to(colours.dtype)
    return known


def _patches(place: Array, facing: Array) -> tuple[float, Array]:
    """(size, patch of every point): points in one cube of that size that face the same of six ways, ``_PATCHES`` of
    them at most."""
    low = place.min(0)
    side = float((place.max(0) - low).max()) or 1.0
    way = np.abs(facing).argmax(1)
    way = 2 * way + (np.take_along_axis(facing, way[:, None], 1)[:, 0] < 0)
    size = side / _ROUGH
    while True:
        cube = np.floor((place - low) / size).astype(np.int64)
        reach = int(cube.max()) + 1
        key = ((cube[:, 0] * reach + cube[:, 1]) * reach + cube[:, 2]) * 6 + way
        patch = np.unique(key, return_inverse=True)[1]
        if patch.max() < _PATCHES:
            return size, patch
        size *= 1.3


def _features(place: Array, facing: Array, size: float) -> Array:
    """Normals that differ count as distance: opposite ones as twice ``size``."""
    return np.concatenate([place, size * facing], 1)


def _nearest(place: Array, facing: Array, seen: Array, hole: Array, reach: float = np.inf) -> tuple[Array, Array]:
    """For every point of the hole: (which of the seen points is nearest, its distance; inf when beyond ``reach``). The
    other side of a sheet counts as half the object away."""
    side = float((place.max(0) - place.min(0)).max()) / 4
    known = tree(_features(place[seen], facing[seen], side))
    found = known.query(_features(place[hole], facing[hole], side), distance_upper_bound=reach)[1]
    none = found == int(seen.sum())
    found = np.where(none, 0, found)
    return found, np.where(none, np.inf, np.linalg.norm(place[hole] - place[seen][found], axis=1))


def _far(place: Array, facing: Array, seen: Array, points: Array, patch: Array) -> Array:
    """For points far from all seen ones: a seen point that is nearest up to a patch's size. To look for the very
    nearest among many thousands that are equally far would take minutes."""
    candidates = np.flatnonzero(seen)
    candidates = candidates[np.unique(patch[candidates], return_index=True)[1]]
    side = float((place.max(0) - place.min(0)).max()) / 4
    known = tree(_features(place[candidates], facing[candidates], side))
    return candidates[known.query(_features(place[points], facing[points], side))[1]]


def _membrane(
    place: Array, facing: Array, colours: Array, seen: Array, patch: Array, size: float
) -> tuple[Array, Array, Array]:
    """Harmonic colours: (place, normal, colour) of every patch; a patch with seen points keeps their mean."""
    count = int(patch.max()) + 1
    every = np.bincount(patch, minlength=count)[:, None]
    middle, way = (_sums(values, patch, count) / every for values in (place, facing))
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-12)
    given = np.bincount(patch[seen], minlength=count)
    colour = _sums(colours[seen], patch[seen], count) / np.maximum(given, 1)[:, None]
    fixed = given > 0
    if fixed.all():
        return middle, way, colour
    features = _features(middle, way, size)
    around = min(_NEIGHBOURS + 1, count)
    far, there = tree(features).query(features, k=around)
    far, there = (shaped(found, count, around)[:, 1:] for found in (far, there))
    here = np.repeat(np.arange(count), around - 1)
    there = shaped(there, -1)
    along = np.maximum((way[here] * way[there]).sum(1) + _BEND, 0.0) + _WEAK
    sparse = scipy_part("sparse")
    link = sparse.coo_matrix(
        (along * np.exp(-np.square(shaped(far, -1) / size) / 2) + 1e-9, (here, there)), (count, count)
    )
    link = (link + link.T).tocsr()
    # What hangs together with nothing seen still gets the colour of the nearest.
    anchor, _ = _nearest(middle, way, fixed, ~fixed)
    weak = 1e-7 * float(along.max())
    matrix = (sparse.diags(shaped(np.asarray(link.sum(1)), -1)) - link).tocsr()[~fixed]
    right = link[~fixed][:, fixed] @ colour[fixed] + weak * colour[fixed][anchor]
    inner = matrix[:, ~fixed] + weak * sparse.diags(np.ones(int((~fixed).sum())))
    colour[~fixed] = scipy_part("sparse.linalg").splu(inner.tocsc()).solve(np.ascontiguousarray(right))
    return middle, way, colour


def _read_patches(
    place: Array,
    facing: Array,
    hole: Array,
    middle: Array,
    way: Array,
    colour: Array,
    size: float,
) -> Array:
    """Colours of the hole's points between the nearest patches, by a bell of a patch's size."""
    near = min(8, len(middle))
    far, which = tree(_features(middle, way, size)).query(_features(place[hole], facing[hole], size), k=near)
    far, which = shaped(far, -1, near), shaped(which, -1, near)
    share = np.exp(-np.square((far - far[:, :1]) / size)) * np.exp(-np.square(far / size) / 2).clip(1e-30)
    return (share[..., None] * colour[which]).sum(1) / share.sum(1, keepdims=True)


def _sums(values: Array, patch: Array, count: int) -> Array:
    return np.stack([np.bincount(patch, values[:, i], count) for i in range(values.shape[1])], 1)


def pad_charts(picture: Tensor, charts: Tensor) -> Tensor:
    """A texture [H, W, C] whose texels outside ``charts`` (bool [H, W]) take the nearest texel inside, everywhere: what
    filters and mipmaps read beyond a chart's border is the chart's own colour. Charts keep every bit."""
    if bool(charts.all()) or not bool(charts.any()):
        return picture.clone()
    row, column = nearest_outside(~charts.numpy())
    return picture[tensor_of(row).long(), tensor_of(column).long()]
