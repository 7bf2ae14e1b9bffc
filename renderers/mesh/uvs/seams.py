"""Steps of a texture where charts meet and where views begin or end, against those elsewhere."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ....sync_core.walked import Views
from ...arrays import distinct, tensor_of
from ...by_scipy import tree
from .uv_raster import Texels

# Texels of different charts are neighbours on the surface when they are this many texels apart at most.
_BESIDE = 1.6


def chart_neighbours(texels: Texels) -> tuple[Tensor, Tensor]:
    """Pairs of covered texels (int64 [m], int64 [m]) that meet on the surface but not in the texture's picture: each
    texel at a chart's border, and the nearest one of another chart within about a texel and a half."""
    chart = torch.full((texels.rows + 2, texels.columns + 2), -1, dtype=torch.int64)
    inner = chart[1:-1, 1:-1]
    inner[texels.covered] = texels.chart
    border = torch.zeros(texels.rows, texels.columns, dtype=torch.bool)
    for row, column in ((0, 1), (2, 1), (1, 0), (1, 2)):
        border |= chart[row : row + texels.rows, column : column + texels.columns] != inner
    edge = texels.place.reshape(texels.rows, texels.columns)[border & texels.covered].long()
    if len(edge) < 2:
        return edge[:0], edge[:0]
    # Within the chart, what is farther away in the picture than on the surface is across a cut too.
    points = texels.position[edge].numpy()
    distance, found = tree(points, balanced=True, leaf=10).query(points, k=min(8, len(edge)))
    other = edge[tensor_of(found)]
    near = tensor_of(distance).float() <= _BESIDE * texels.size[edge][:, None]
    rows, columns = texels.index // texels.columns, texels.index % texels.columns
    apart = (rows[other] - rows[edge][:, None]).abs().maximum((columns[other] - columns[edge][:, None]).abs()) > 2
    fits = near & (apart | (texels.chart[other] != texels.chart[edge][:, None]))
    has = fits.any(1)
    return edge[has], other[has, fits[has].byte().argmax(1)]


def texture_seam_ratio(picture: Tensor, texels: Texels, views: Views) -> float:
    """Mean squared step per squared distance on the surface, across seams over elsewhere: 1 is seamless.

    picture: [C, rows, columns] on the grid of ``texels``. Seams are where charts meet, and between texels that
    different sets of views see. nan when there is nothing to compare, inf when only seams have any step.
    """
    values = picture.detach().double().cpu().reshape(picture.shape[0], -1)[:, texels.index]
    # (a random number for each view: sets differ when the sums do)
    mark = torch.rand(views.count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    marks = torch.zeros(views.cells, dtype=torch.float64)
    for view, cell in views.pairs():
        pair = distinct(cell.cpu() * views.count + view.cpu())
        marks.index_add_(0, pair // views.count, mark[pair % views.count])
    seen = marks[texels.index]
    place = texels.place.reshape(texels.rows, texels.columns).long()
    a = torch.cat([place[:, :-1].reshape(-1), place[:-1].reshape(-1)])
    b = torch.cat([place[:, 1:].reshape(-1), place[1:].reshape(-1)])
    both = (a >= 0) & (b >= 0)
    a, b = a[both], b[both]
    inside = (texels.chart[a] == texels.chart[b]) & (seen[a] > 0) & (seen[b] > 0)
    a, b = a[inside], b[inside]
    torn = (seen[a] - seen[b]).abs() > 1e-9
    c, d = chart_neighbours(texels)
    known = (seen[c] > 0) & (seen[d] > 0)
    c, d = c[known], d[known]
    on = (torch.cat([a[torn], c]), torch.cat([b[torn], d]))
    off = (a[~torn], b[~torn])
    if not len(on[0]) or not len(off[0]):
        return math.nan

    def slope(pairs: tuple[Tensor, Tensor]) -> float:
        step = (values[:, pairs[0]] - values[:, pairs[1]]).square().mean(0)
        away = (texels.position[pairs[0]] - texels.position[pairs[1]]).double().square().sum(1)
        # Two texels on a seam may almost coincide: their difference is that of neighbours.
        usual = (texels.size[pairs[0]].double() * 0.5).square()
        return float((step / torch.maximum(away, usual).clamp_min(1e-30)).mean())

    found, expected = slope(on), slope(off)
    if expected == 0.0:
        return 1.0 if found == 0.0 else math.inf
    return found / expected
