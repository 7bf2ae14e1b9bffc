"""A mesh and the cameras that look at it, as what is baked and measured sees them."""

from __future__ import annotations

from typing import Protocol

from ...sync_core.walked import Views
from ..cameras.viewpoints import Orbit, Viewpoint
from .maps.surface import Surface
from .raster.visibility import Seen
from .space import MeshTexture
from .uvs.uv_raster import Texels


class Viewed(Protocol):
    """See ``MeshGeometry``, which is one."""

    @property
    def space(self) -> MeshTexture: ...

    @property
    def rig(self) -> Orbit: ...

    def cameras(self) -> tuple[Viewpoint, ...]:
        """In the coordinates of the mesh."""
        ...

    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) that latents of ``cell`` pixels a cell are averaged on."""
        ...

    def views(self, cell: int, finer: int) -> Views:
        """See ``Geometry``."""
        ...

    def surfaces(self, height: int, width: int) -> list[Surface]:
        """What every camera sees, at that size."""
        ...

    def texels(self, rows: int, columns: int) -> Texels:
        """The covered texels of a grid over the texture's picture."""
        ...

    def seen(self, grid: Texels, camera: Viewpoint, height: int, width: int) -> Seen:
        """Which texels a camera sees."""
        ...
