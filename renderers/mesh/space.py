"""The texture of a mesh as a canonical space, and what is kept of it between runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ..cameras.chosen import Coverage
from ..cameras.orbits import Lens
from ..cameras.viewpoints import Orbit, Vector, Viewpoint
from ..kept import Kept
from .coverage_rig import coverage_rig
from .inside import check_outside
from .maps.maps import SAMPLINGS, Sampling
from .mesh import Mesh
from .raster.raster import Backend, chosen_backend
from .uvs.adjacency import charts
from .uvs.atlas import AtlasLayout, Layout
from .uvs.uv_raster import Texels, texels

# Results kept with a space: runs on the same mesh with other prompts or seeds build nothing again.
_KEPT = 12


@dataclass(frozen=True)
class MeshTexture:
    """The texture of ``mesh`` as a picture of ``width`` x ``height`` pixels.

    latent_size: cells along the longer side of the grid that latents of 8 pixels a cell are averaged on (other models
    in proportion); 0: so many that a cell and a view's pixel are about equally large on the surface. Finer cells share
    no noise between views, coarser ones blur. layout: ``joint``, all parts in one picture by their own coordinates, or
    ``tiles``, one tile for each part. sampling: how latents of views read the grid; pictures always interpolate.
    two_sided: surfaces seen from behind count too. backend: of the rasteriser.

    Two values are equal when their meshes have the same geometry. Raises ValueError for sizes or coordinates that make
    no texture.
    """

    mesh: Mesh = field(compare=False, repr=False)
    width: int = 1024
    height: int = 1024
    latent_size: int = 0
    layout: Layout = "tiles"
    sampling: Sampling = "nearest"
    two_sided: bool = True
    backend: Backend = "auto"
    kept: Kept = field(default_factory=lambda: Kept(_KEPT), compare=False, repr=False)
    fingerprint: str = field(init=False)

    kind = "mesh"
    wrap_x = False
    wrap_y = False
    borders = None

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 8:
            raise ValueError(f"a texture of {self.width} x {self.height} pixels shows nothing; use e.g. 1024 x 1024")
        if self.latent_size != 0 and not 4 <= self.latent_size <= 8192:
            raise ValueError(f"latent_size {self.latent_size}: use 0 (chosen from the views) or 4 to 8192")
        if self.sampling not in SAMPLINGS:
            raise ValueError(f"sampling '{self.sampling}' is unknown; use one of {', '.join(SAMPLINGS)}")
        chosen_backend(self.backend)
        _ = self.mesh.radius
        object.__setattr__(self, "fingerprint", self.mesh.fingerprint)
        _ = self.places

    @property
    def atlas(self) -> AtlasLayout:
        """Where the parts lie in the picture."""
        return AtlasLayout.of(self.mesh, self.layout, self.width, self.height)

    @cached_property
    def places(self) -> Tensor:
        """float64 [F, 3, 2]: (x, y) of the faces' corners in the picture, as fractions."""
        return self.atlas.places(self.mesh)

    @cached_property
    def charts(self) -> Tensor:
        """int64 [F]: which chart each face belongs to."""
        return charts(self.mesh.face_uvs, self.mesh.part_of_face)

    def texels(self, rows: int, columns: int) -> Texels:
        """The covered texels of a grid over the picture, kept. Raises ValueError for coordinates that overlap."""
        build = lambda: texels(self.mesh, self.atlas, rows, columns, self.charts, self.backend)  # noqa: E731
        return self.kept.get(("texels", rows, columns), build)

    # --- as an object that cameras stand around (see ``geometry.ObjectSpace``)

    solid = True

    def points(self) -> Tensor:
        """float64 [V, 3]: the mesh's vertices, in object units."""
        mesh = self.mesh
        return (mesh.used.double() - torch.tensor(mesh.centre, dtype=torch.float64)) / mesh.radius

    def check_outside(self, viewpoints: Sequence[Viewpoint]) -> None:
        """Raise ValueError for a camera that stands inside of the mesh."""
        mesh = self.mesh
        check_outside(mesh, [v.in_scene(mesh.centre, mesh.radius) for v in viewpoints])

    def coverage_rig(
        self, lens: Lens, target: float, most: int, start: float
    ) -> tuple[tuple[Viewpoint, ...], Coverage]:
        """Cameras chosen for the surface that they add."""
        return coverage_rig(self.mesh, lens, target, most, start=start, two_sided=self.two_sided, backend=self.backend)

    def from_viewer(self, camera: Viewpoint) -> Viewpoint:
        """A camera in the viewer's coordinates, which are the mesh's, in object units."""
        return camera.from_scene(self.mesh.centre, self.mesh.radius)

    def in_viewer(self, rig: Orbit) -> tuple[tuple[Viewpoint, ...], Vector]:
        """(The rig's cameras, the mesh's middle) in the viewer's coordinates."""
        return rig.in_scene(self.mesh.centre, self.mesh.radius), self.mesh.centre
