"""What cameras see of a mesh, before anything is sampled: how much, how straight, and how much of their pixels.

Whether a point lies inside a mesh.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..cameras.viewpoints import Viewpoint
from .bake.bake import picture_of
from .geometry import MeshGeometry, sharing
from .mesh import Mesh
from .uvs.uv_raster import Texels

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


def mesh_coverage(geometry: MeshGeometry) -> MeshCoverage:
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


def mesh_coverage_lines(geometry: MeshGeometry, found: MeshCoverage) -> list[str]:
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


# Faces looked at together.
_AT_ONCE = 200_000


def winding_number(mesh: Mesh, points: Tensor) -> Tensor:
    """float64 [M]: how often the surface goes around each point [M, 3]: 1 inside a closed mesh, 0 outside, between
    where it has holes, -1 inside one that is turned inside out.

    The sum of the faces' signed solid angles over 4 pi (Jacobson et al., "Robust inside-outside segmentation using
    generalized winding numbers", 2013; the angle after Van Oosterom and Strackee, 1983).
    """
    out: list[Tensor] = []
    for point in points.double():
        total = 0.0
        for faces in mesh.faces.split(_AT_ONCE):
            a, b, c = (mesh.vertices.double()[faces[:, i]] - point for i in range(3))
            la, lb, lc = (v.norm(dim=1) for v in (a, b, c))
            over = (a * torch.linalg.cross(b, c)).sum(1)
            under = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
            total += float(2 * torch.atan2(over, under).sum())
        out.append(torch.tensor(total / (4 * math.pi), dtype=torch.float64))
    return torch.stack(out)


def check_outside(mesh: Mesh, cameras: Sequence[Viewpoint]) -> None:
    """Raise ValueError when a perspective camera (in the mesh's coordinates) stands inside the object: it would paint
    the inside. A camera in a room, seen from within, has the faces' backs around it and is meant."""
    low, high = mesh.used.amin(0).double(), mesh.used.amax(0).double()
    for number, camera in enumerate(cameras):
        place = torch.tensor(camera.position, dtype=torch.float64)
        if camera.span is not None or bool(((place <= low) | (place >= high)).any()):
            continue
        if float(winding_number(mesh, place[None])[0]) > 0.5:
            raise ValueError(
                f"camera {number} stands inside of mesh '{mesh.name}' and sees only its inside; use a larger distance"
            )
