"""A canonical space and a rig together: which pairs fit, and the views they give at a resolution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from ..sync_core.walked import Views
from ..sync_core.walked_mean import Averager, average_of
from .cameras.viewpoints import Orbit
from .directions import ViewPlace
from .illusions.geometry import IllusionGeometry
from .illusions.space import Illusion, Warps
from .kept import Kept
from .mesh.geometry import MeshGeometry
from .mesh.space import MeshTexture
from .panorama.geometry import PanoramaGeometry
from .panorama.space import Lookout, Panorama
from .plane.geometry import PlaneGeometry
from .plane.space import Placement, Plane, Windows
from .splats.geometry import SplatGeometry
from .splats.space import SplatColours

CanonicalSpace = Plane | Panorama | Illusion | MeshTexture | SplatColours
ViewRig = Windows | Lookout | Warps | Orbit


class Geometry(Protocol):
    """What a pair of space and rig knows. cell: image pixels per canonical cell."""

    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of canonical cells."""
        ...

    def views(self, cell: int, finer: int) -> Views:
        """The views on cells of ``cell`` pixels, each divided into ``finer`` x ``finer``."""
        ...

    def places(self) -> tuple[ViewPlace, ...]:
        """Where each view is, in rig order."""
        ...

    def look(self, picture: Tensor) -> Tensor:
        """A canonical picture [B, C, H, W] of the space's size in pixels -> what the views see [B*N, C, h, w]."""
        ...

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        """The N view images [h, w, C] of one picture -> (picture [H, W, C], weight [H, W], 0 where nobody looks).
        Raises ValueError when number or size do not match the rig."""
        ...

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        """Seam ratio of a canonical signal [C, rows, columns] on cells of ``cell`` pixels (quality.py)."""
        ...


def geometry_of(space: CanonicalSpace, rig: ViewRig) -> Geometry:
    """Raises ValueError when a rig of this kind cannot look at a space of that kind."""
    if isinstance(space, Plane) and isinstance(rig, Windows):
        return PlaneGeometry(space, rig)
    if isinstance(space, Panorama) and isinstance(rig, Lookout):
        return PanoramaGeometry(space, rig)
    if isinstance(space, Illusion) and isinstance(rig, Warps):
        return IllusionGeometry(space, rig)
    if isinstance(space, SplatColours) and isinstance(rig, Orbit):
        return SplatGeometry(space, rig)
    if isinstance(space, MeshTexture) and isinstance(rig, Orbit):
        return MeshGeometry(space, rig)
    fitting = {
        "plane": "set ViewRig's kind to windows",
        "panorama": "set ViewRig's kind to ring, sphere, fibonacci or custom",
        "illusion": "connect IllusionRig",
        "mesh": "connect OrbitRig",
        "splats": "connect OrbitRig or CameraFileRig",
    }[space.kind]
    article = "" if space.kind == "splats" else "an " if space.kind[0] in "aeiou" else "a "
    raise ValueError(f"a rig of {rig.kind} cannot look at {article}{space.kind}; {fitting}")


@dataclass(frozen=True)
class Scene:
    """A space seen through a rig. Views are built once per resolution and kept as long as the scene is.

    Raises ValueError when the rig's kind cannot look at the space's kind.
    """

    space: CanonicalSpace
    rig: ViewRig
    _views: Kept = field(default_factory=Kept, compare=False, repr=False)
    _means: Kept = field(default_factory=Kept, compare=False, repr=False)

    geometry: Geometry = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "geometry", geometry_of(self.space, self.rig))

    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of canonical cells of ``cell`` image pixels."""
        return self.geometry.grid(cell)

    def views(self, cell: int, finer: int = 1) -> Views:
        """The views on cells of ``cell`` image pixels, each divided into ``finer`` x ``finer`` (cell, finer = 8, 8 are
        the pixels of a latent model: same windows, image resolution)."""
        return self._views.get((cell, finer), lambda: self.geometry.views(cell, finer))

    def mean_of_batch(self, shape: tuple[int, ...], device: torch.device) -> Averager:
        """The weighted mean over the views of a latent batch of ``shape``, on a device; built once for each.

        Raises ValueError when size or number do not match the rig.
        """
        views = self.views_of_batch(shape)
        key = (self.cell_of_views(shape), str(device))
        return self._means.get(key, lambda: average_of(views.to(device)))

    @property
    def view_size(self) -> tuple[int, int]:
        """(width, height) of every view in image pixels: the rig's, or the picture's own for warps."""
        sized = self.space if isinstance(self.space, Illusion) else self.rig
        assert not isinstance(sized, Warps)
        return sized.width, sized.height

    def placement(self, cell: int) -> Placement:
        """Where the windows of a plane lie on cells of ``cell`` image pixels. Raises ValueError for another kind."""
        if not isinstance(self.geometry, PlaneGeometry):
            raise ValueError(f"a rig of {self.rig.kind} has no windows")
        return self.geometry.placement(cell)

    def view_places(self) -> tuple[ViewPlace, ...]:
        """Where each view is, in rig order."""
        return self.geometry.places()

    def look(self, picture: Tensor) -> Tensor:
        """A canonical picture [B, C, H, W] of the space's size in pixels -> what the views see [B*N, C, h, w]."""
        return self.geometry.look(picture)

    def views_of_batch(self, shape: tuple[int, ...]) -> Views:
        """The views that a latent batch of ``shape`` [B*N, C, (1,) h, w] holds.

        Raises ValueError when size or number do not match the rig.
        """
        views = self.views(self.cell_of_views(shape))
        if shape[0] % views.count:
            raise ValueError(
                f"a batch of {shape[0]} does not match a rig of {views.count} views; "
                "connect SyncTweediesViewLatents of the same space and rig"
            )
        return views

    def cell_of_views(self, shape: tuple[int, ...]) -> int:
        """Image pixels per cell of a view latent [B*N, C, (1,) h, w]. Raises ValueError on another size."""
        _refuse_video(shape)
        height, width = shape[-2:]
        wide, high = self.view_size
        if wide % width or high % height or wide // width != high // height:
            raise ValueError(
                f"a latent of {width} x {height} cells does not hold views of {wide} x {high} pixels; "
                "connect SyncTweediesViewLatents of the same rig"
            )
        return wide // width

    def cell_of_canonical(self, shape: tuple[int, ...]) -> int:
        """Image pixels per cell of a canonical latent [B, C, (1,) rows, columns]; it may be one cell short of the grid,
        as encoders crop sizes that are not a multiple of the cell. Raises ValueError when it is of another size."""
        _refuse_video(shape)
        height, width = shape[-2:]
        if isinstance(self.geometry, MeshGeometry):
            return self._cell_of_texture(height, width)
        if isinstance(self.space, SplatColours):
            if self.grid(height) == (height, width):
                return height
            raise ValueError(
                f"a canonical latent of {width} x {height} cells does not hold {self.space.width} splats; encode "
                "SplatSpace's colours with ExemplarModel's VAE, or leave canonical unconnected"
            )
        # A sphere's grid is whole: a column less would open the seam.
        short = 0 if isinstance(self.space, Panorama) else 1
        for cell in (self.space.width // width, self.space.width // width + 1):
            if cell == 0 or (isinstance(self.space, Panorama) and self.space.height % cell):
                continue
            rows, columns = self.grid(cell)
            if 0 <= rows - height <= short and 0 <= columns - width <= short:
                return cell
        raise ValueError(
            f"a canonical latent of {width} x {height} cells is not a picture of {self.space.width} x "
            f"{self.space.height} pixels; scale the image to the CanonicalSpace's size before encoding"
        )

    def _cell_of_texture(self, height: int, width: int) -> int:
        """The grid of a texture depends on the views, so it is no fixed part of the picture."""
        wide, high = self.view_size
        for cell in range(1, min(wide, high) + 1):
            if wide % cell == 0 and high % cell == 0 and self.grid(cell) == (height, width):
                return cell
        raise ValueError(
            f"a canonical latent of {width} x {height} cells is not on the grid of this mesh and rig; "
            "leave canonical unconnected, or encode pictures of the views instead"
        )


def _refuse_video(shape: tuple[int, ...]) -> None:
    if len(shape) == 5 and shape[2] != 1:
        raise ValueError(f"a latent of {shape[2]} frames is a video; views are single images (T = 1)")
