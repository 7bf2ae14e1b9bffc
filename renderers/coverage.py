"""What a rig sees, before anything is sampled: how many views each cell has, and how much of the whole."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..sync_core.walked import Views
from .cameras.looks import pixels_of
from .mesh.geometry import MeshGeometry
from .panorama.geometry import PanoramaGeometry
from .panorama.space import equirect_directions
from .scene import Scene
from .splats.space import SplatColours

# Rows of a panorama that are looked at: its coverage changes slowly.
_ROWS = 512
_CELL = 8


@dataclass(frozen=True)
class RigCoverage:
    """``per_cell`` int64 [rows, columns]: how many views see each cell, of splats one row, a splat a column; ``area``
    float32 [rows, 1]: its share."""

    per_cell: Tensor
    area: Tensor

    @property
    def holes(self) -> float:
        """Share of the picture's pixels that no view sees."""
        return float((self.per_cell == 0).float().mean())

    @property
    def unseen(self) -> float:
        """Share of the area that no view sees: of the sphere for a panorama, else as ``holes``."""
        empty = (self.per_cell == 0).float() * self.area
        return float(empty.sum() / (self.area.sum() * self.per_cell.shape[1]))


def real_cells(scene: Scene, views: Views) -> Tensor:
    """bool [K]: which cells of the views' canonical grid are something that can be seen. A texture has cells outside of
    all charts, and the last places of a grid for splats hold none."""
    real = torch.ones(views.cells, dtype=torch.bool)
    if isinstance(scene.geometry, MeshGeometry):
        real[:] = False
        real[scene.geometry.texels(*views.canonical).index.long()] = True
    elif isinstance(scene.space, SplatColours):
        real[len(scene.space.splats) :] = False
    return real


def rig_coverage(scene: Scene) -> RigCoverage:
    """Counts per cell: by the exact frames of cameras (512 rows at most), else by the views' maps on 8-pixel cells.

    Raises ValueError where space and rig give no views.
    """
    if isinstance(scene.geometry, PanoramaGeometry):
        rig, rows = scene.geometry.rig, min(scene.geometry.space.height, _ROWS)
        directions = equirect_directions(rows, 2 * rows)
        counts = torch.zeros(rows, 2 * rows, dtype=torch.int64)
        for look in rig.looks:
            counts += pixels_of(look, directions, rig.height, rig.width)[2]
        return RigCoverage(counts, directions[:, :1, [0, 2]].norm(dim=-1).float())
    # Pictures for warps may have any size, where the model works on pixels.
    whole = scene.space.kind != "illusion" or (scene.space.width % _CELL == 0 and scene.space.height % _CELL == 0)
    views = scene.views(_CELL if whole else 1)
    counts = views.views_per_cell.reshape(views.canonical)
    if isinstance(scene.space, SplatColours):
        counts = scene.space.in_order(counts)[None]
    return RigCoverage(counts, torch.ones(len(counts), 1))


def coverage_lines(scene: Scene, coverage: RigCoverage) -> list[str]:
    """What to tell about it, a figure a line; the last one warns where the rig leaves holes."""
    counts, space = coverage.per_cell, scene.space
    width, height = scene.view_size
    sphere = f" ({100 * (1 - coverage.unseen):.1f} % of the sphere)" if space.kind == "panorama" else ""
    shares = [f"{n}: {100 * float((counts == n).float().mean()):.1f} %" for n in range(int(counts.max()) + 1)]
    splats = isinstance(space, SplatColours)
    size = f"{space.width} splats" if splats else f"{space.width} x {space.height}"
    whole, each = ("splats", "splat") if splats else ("picture", "cell")
    lines = [
        f"{len(scene.view_places())} views of {width} x {height} on {size}",
        f"coverage {100 * (1 - coverage.holes):.1f} % of the {whole}{sphere}",
        f"views per {each} {int(counts.min())} to {int(counts.max())}, mean {float(counts.float().mean()):.2f}",
        f"share of the {whole} by number of views: {', '.join(shares)}",
    ]
    warning = hole_warning(coverage, space.kind)
    return [*lines, warning] if warning else [*lines, "no holes"]


def hole_warning(coverage: RigCoverage, kind: str = "panorama") -> str:
    """A warning with the percentage for a space of this kind, or nothing where there is no hole."""
    if coverage.holes == 0:
        return ""
    if kind == "illusion":
        return (
            f"warning: {100 * coverage.holes:.1f} % of the picture is seen by no reading and stays grey; add a reading "
            "that shows all of it, e.g. identity"
        )
    if kind == "splats":
        return (
            f"warning: {100 * coverage.holes:.1f} % of the splats are seen by no view (inside of the object, below it, "
            "or hidden); add cameras for those that matter, e.g. by OrbitRig's kind coverage"
        )
    return (
        f"warning: {100 * coverage.holes:.1f} % of the picture is seen by no view; EquirectStitch fills it or leaves "
        "it black. To see everything: ViewRig's kind sphere or fibonacci, a wider fov, or more elevations"
    )
