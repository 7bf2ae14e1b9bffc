"""What cameras see of a mesh, before anything is sampled: how much, how straight, and how much of their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ...sync_core.noise import strongest
from ...sync_core.walked import Views
from ..arrays import distinct
from .bake.bake import picture_of
from .uvs.uv_raster import Texels
from .viewed import Viewed

# Longer side of the grid of texels that is looked at.
_GRID = 512
# From this cosine on a place is seen well: a pixel covers at most twice its own size.
_WELL = 0.5
_CELL = 8


@dataclass(frozen=True)
class MeshCoverage:
    """best: float32 [T], the largest cosine at which a view sees each texel, 0 for none. count: int64 [T], how many
    views see it. used: for each view the share of its pixels that show the object. grid: the texels."""

    best: Tensor
    count: Tensor
    used: tuple[float, ...]
    grid: Texels

    @cached_property
    def area(self) -> Tensor:
        """float64 [T]: share of the surface."""
        area = self.grid.size.double().square()
        return area / area.sum().clamp_min(1e-300)

    @property
    def seen(self) -> float:
        """Share of the surface that some view sees."""
        return float(self.area[self.count > 0].sum())

    @property
    def well(self) -> float:
        """Share of the surface that some view sees at no flatter an angle than 60 degrees."""
        return float(self.area[self.best >= _WELL].sum())

    @property
    def heat(self) -> Tensor:
        """int64 [rows, columns]: the best cosine in percent, 0 where nobody looks; charts padded."""
        return picture_of(self.grid, (self.best * 100).ceil()[:, None])[..., 0].long()


def mesh_coverage(geometry: Viewed) -> MeshCoverage:
    """Raises ValueError where a camera sees nothing of the mesh, or for texture coordinates that overlap."""
    space = geometry.space
    scale = min(1.0, _GRID / max(space.width, space.height))
    grid = geometry.texels(*(max(8, round(side * scale)) for side in (space.height, space.width)))
    best, count = torch.zeros(len(grid.index)), torch.zeros(len(grid.index), dtype=torch.int64)
    for camera in geometry.cameras():
        seen = geometry.seen(grid, camera, geometry.rig.height, geometry.rig.width)
        best[seen.point] = torch.maximum(best[seen.point], seen.cosine.float())
        count[seen.point] += 1
    size = tuple(max(8, side // _CELL) for side in (geometry.rig.height, geometry.rig.width))
    views = geometry.surfaces(*size)
    used = tuple(len(view.pixel) / (size[0] * size[1]) for view in views)
    return MeshCoverage(best, count, used, grid)


def mesh_coverage_lines(geometry: Viewed, found: MeshCoverage) -> list[str]:
    """What to tell about it, a figure a line; the last one warns of what nobody sees."""
    rig, space = geometry.rig, geometry.space
    shares = [
        f"{n}: {100 * float(found.area[found.count == n].sum()):.1f} %" for n in range(int(found.count.max()) + 1)
    ]
    rows, columns = geometry.grid(_CELL)
    lines = [
        f"{len(rig.viewpoints)} views of {rig.width} x {rig.height} on a texture of {space.width} x {space.height} "
        f"({len(space.mesh.faces)} faces)",
        f"surface seen {100 * found.seen:.1f} %, at 60 degrees or straighter {100 * found.well:.1f} %",
        f"share of the surface by number of views: {', '.join(shares)}",
        f"pixels of the views that show the object {100 * sum(found.used) / len(found.used):.1f} %",
        f"latents of 8 pixels a cell meet on {columns} x {rows} cells, "
        f"{100 * sharing(geometry.views(_CELL, 1)):.0f} % of them shared between views",
    ]
    return [*lines, mesh_hole_warning(found) or "no holes"]


def mesh_hole_warning(found: MeshCoverage) -> str:
    """A warning with the percentage, or nothing where less than a thousandth is unseen."""
    if found.seen > 0.999:
        return ""
    return (
        f"warning: {100 * (1 - found.seen):.1f} % of the surface is seen by no view; MeshTextureBake fills it from its "
        "surroundings. To see more: OrbitRig's kind coverage or orbit_sphere, or cameras from below"
    )


def sharing(views: Views) -> float:
    """Share of the view pixels that see the canonical signal whose nearest cell is read by another view too: what noise
    drawn on the canonical grid can have in common between views."""
    read, size, first = list[tuple[Tensor, Tensor]](), views.height * views.width, 0
    for forward in views.maps():
        nearest = strongest(forward)
        read.append((nearest.indices.long(), (first + nearest.row_of_entry) // size))
        first += forward.rows
    cell, view = (torch.cat(each) for each in zip(*read, strict=True))
    pair = distinct(cell * views.count + view)
    per_cell = torch.bincount(pair // views.count, minlength=views.cells)
    return float((per_cell[cell] > 1).double().mean()) if cell.numel() else 0.0
