"""Texels: which face has each of them, and where on the surface they are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...arrays import cross, norm
from ..mesh import Mesh
from ..raster.raster import Backend, chosen_backend
from ..raster.scan import Triangles, fragments, triangles
from .adjacency import charts
from .atlas import AtlasLayout

# A texel counts as claimed by a face when its centre is this far inside (barycentric): shared edges are no overlap.
_INSIDE = 1e-3
# Part of the texels that several faces may claim: rounding, or a fold that nobody sees.
_OVERLAP = 0.005


@dataclass(frozen=True)
class Texels:
    """The covered texels of a grid, in reading order.

    rows, columns: of the grid. index: int64 [n], place in the grid, row * columns + column. face: int64 [n];
    bary: float32 [n, 3], where on the face the texel's centre is. position, normal: float32 [n, 3], on the surface;
    the normal is the face's own. size: float32 [n], side of the texel on the surface, as if it were square.
    chart: int64 [n]. place: int32 [rows * columns], which of the covered texels a cell of the grid is, -1 for none.
    lost_charts: how many charts are too thin to hold any texel's centre and found no free texel either. layout: of the
    parts in the picture; origin: float32 [F, 2], where each face's tile begins.
    """

    rows: int
    columns: int
    index: Tensor
    face: Tensor
    bary: Tensor
    position: Tensor
    normal: Tensor
    size: Tensor
    chart: Tensor
    place: Tensor
    lost_charts: int
    layout: AtlasLayout
    origin: Tensor

    @property
    def covered(self) -> Tensor:
        """bool [rows, columns]."""
        return (self.place >= 0).reshape(self.rows, self.columns)


@torch.no_grad()
def texels(
    mesh: Mesh,
    layout: AtlasLayout,
    rows: int,
    columns: int,
    chart_of_face: Tensor | None = None,
    backend: Backend = "auto",
) -> Texels:
    """The texels of a ``rows`` x ``columns`` grid over the picture of ``layout``.

    A texel belongs to the face that its centre lies in, the first where several meet. A chart that is too thin for any
    centre takes the texel its largest face lies in, where that is free. Raises ValueError as ``AtlasLayout.places``,
    and when more than half a percent of the texels are claimed by several faces (overlapping or mirrored charts).
    """
    places = layout.places(mesh)
    scale = torch.tensor([columns, rows]).double()
    origin = layout.origins(mesh)
    source, copies = _copies(places, origin, layout)
    corners = torch.cat([copies * scale, torch.ones_like(copies[..., :1])], -1)
    ready = triangles(corners, torch.ones(corners.shape[:2], dtype=torch.float64), rows, columns, 0.0, False)
    tile = torch.cat([origin * scale, (origin + torch.tensor(layout.share)) * scale], 1)[source][ready.face]
    owner, claims = _owners(ready, rows, columns, tile, len(source) == len(mesh.faces), backend)
    covered = torch.nonzero(owner < len(ready.face)).squeeze(1)
    _refuse_overlap(mesh, layout, ready, tile, claims.reshape(rows, columns), len(covered))
    item = owner[covered]
    face, bary = source[ready.face[item]], ready.barycentrics(item, covered // columns, covered % columns)
    chart = charts(mesh.face_uvs, mesh.part_of_face) if chart_of_face is None else chart_of_face
    index, face, bary, lost = _thin_charts(corners[: len(mesh.faces)], chart, covered, face, bary, rows, columns)
    position = on_surface(mesh, face, bary)
    size = (surface_per_picture(mesh, places)[face] / (rows * columns)).sqrt().float()
    place = torch.full((rows * columns,), -1, dtype=torch.int32)
    place[index] = torch.arange(len(index), dtype=torch.int32)
    return Texels(
        rows,
        columns,
        index,
        face,
        bary.float(),
        position,
        mesh.face_normals[face],
        size,
        chart[face],
        place,
        lost,
        layout,
        origin.float(),
    )


def _owners(
    ready: Triangles, rows: int, columns: int, tile: Tensor, alone: bool, backend: Backend
) -> tuple[Tensor, Tensor]:
    """int64 [rows * columns] each: the first triangle a texel's centre lies in (their number where none does), and how
    many do. alone: no triangle leaves its tile."""
    if chosen_backend(backend) == "numba":
        from ..maps import maps_numba

        return maps_numba.owners(ready, rows, columns, tile)
    owner = torch.full((rows * columns,), len(ready.face), dtype=torch.int64)
    claims = torch.zeros(rows * columns, dtype=torch.int64)
    for item, row, column in fragments(ready):
        item, row, column = (item, row, column) if alone else _inside_tile(item, row, column, tile)
        cell = row * columns + column
        owner.scatter_reduce_(0, cell, item, "amin")
        claims += torch.bincount(cell, minlength=rows * columns)
    return owner, claims


def _copies(places: Tensor, origin: Tensor, layout: AtlasLayout) -> tuple[Tensor, Tensor]:
    """Faces that reach over the right or lower edge of their tile again, a tile farther to the left or above: (face
    int64 [m], corners float64 [m, 3, 2]), all faces themselves first."""
    share = torch.tensor(layout.share).double()
    over = (places.amax(1) - origin) > share * (1 + 1e-9)
    source, corners = [torch.arange(len(places))], [places]
    for x, y in ((1, 0), (0, 1), (1, 1)):
        again = torch.nonzero((over[:, 0] | (x == 0)) & (over[:, 1] | (y == 0))).squeeze(1)
        source.append(again)
        corners.append(places[again] - share * torch.tensor([x, y]))
    return torch.cat(source), torch.cat(corners)


def _inside_tile(item: Tensor, row: Tensor, column: Tensor, tile: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """tile: float64 [n, 4], left, top, right, bottom of every item's tile, in cells."""
    left, top, right, bottom = tile[item].unbind(1)
    keep = (column + 0.5 >= left) & (column + 0.5 < right) & (row + 0.5 >= top) & (row + 0.5 < bottom)
    return item[keep], row[keep], column[keep]


def on_surface(mesh: Mesh, face: Tensor, bary: Tensor) -> Tensor:
    """float32 [n, 3]: points of faces [n] at weights of the corners [n, 3]."""
    corners = mesh.faces[face]
    points = [bary[:, i : i + 1] * mesh.vertices.to(bary.dtype)[corners[:, i]] for i in range(3)]
    return (points[0] + points[1] + points[2]).float()


def surface_per_picture(mesh: Mesh, places: Tensor) -> Tensor:
    """float64 [F]: area of a face on the surface over its part of the picture (0 where the latter is 0)."""
    a, b, c = (mesh.vertices.double()[mesh.faces[:, i]] for i in range(3))
    area = norm(cross(b - a, c - a), 1)
    (ux, uy), (vx, vy) = ((places[:, i] - places[:, 0]).unbind(1) for i in (1, 2))
    flat = (ux * vy - uy * vx).abs()
    return torch.where(flat > 1e-16, area / flat.clamp_min(1e-16), torch.zeros_like(area))


def _refuse_overlap(
    mesh: Mesh, layout: AtlasLayout, ready: Triangles, tile: Tensor, claims: Tensor, covered: int
) -> None:
    """claims: int64 [rows, columns], how many faces each texel's centre lies in, their edges included."""
    if int((claims > 1).sum()) <= _OVERLAP * covered:
        return
    inside = torch.zeros_like(claims)
    for item, row, column in fragments(ready):
        item, row, column = _inside_tile(item, row, column, tile)
        several = claims[row, column] > 1
        item, row, column = item[several], row[several], column[several]
        clear = ready.barycentrics(item, row, column).amin(1) > _INSIDE
        inside += torch.bincount(row[clear] * claims.shape[1] + column[clear], minlength=claims.numel()).reshape_as(
            claims
        )
    share = float((inside > 1).sum()) / covered
    if share <= _OVERLAP:
        return
    fix = "unwrap the mesh first"
    if len(mesh.parts) > 1 and layout.columns * layout.rows == 1:
        fix = "use one tile for each part, or unwrap the mesh first"
    raise ValueError(
        f"{100 * share:.1f} % of the texture of mesh '{mesh.name}' is used by several faces (overlapping or mirrored "
        f"texture coordinates), which cannot be painted apart; {fix}"
    )


def _thin_charts(
    corners: Tensor, chart: Tensor, index: Tensor, face: Tensor, bary: Tensor, rows: int, columns: int
) -> tuple[Tensor, Tensor, Tensor, int]:
    """Give charts without a texel the one that the middle of their largest face lies in."""
    found = torch.zeros(int(chart.max()) + 1, dtype=torch.bool)
    found[chart[face]] = True
    missing = torch.nonzero(~found[chart]).squeeze(1)
    if not missing.numel():
        return index, face, bary, 0
    (ux, uy, _), (vx, vy, _) = ((corners[missing, i] - corners[missing, 0]).unbind(1) for i in (1, 2))
    largest = missing[(ux * vy - uy * vx).abs().argsort(descending=True, stable=True)]
    _, first = first_of_each(chart[largest])
    largest = largest[first]
    middle = corners[largest, :, :2].mean(1)
    cell = middle[:, 1].long().clamp(0, rows - 1) * columns + middle[:, 0].long().clamp(0, columns - 1)
    free = ~torch.isin(cell, index)
    cell, largest = cell[free], largest[free]
    cell, first = first_of_each(cell)
    largest = largest[first]
    index, order = torch.cat([index, cell]).sort()
    face = torch.cat([face, largest])[order]
    bary = torch.cat([bary, bary.new_full((len(cell), 3), 1 / 3)])[order]
    return index, face, bary, int((~found).sum()) - len(cell)


def first_of_each(values: Tensor) -> tuple[Tensor, Tensor]:
    """int64 [n] -> (its distinct values, sorted; where each of them comes first)."""
    ordered, order = values.sort(stable=True)
    new = torch.ones(len(values), dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new], order[new]
