"""A canonical space and a rig together: which pairs fit, and the views they give at a resolution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..sync_core.walked import Views
from ..sync_core.walked_mean import Averager, average_of
from .directions import ViewPlace
from .geometry import Geometry, Rig, Space, Wing
from .globe.geometry import WING as GLOBE
from .illusions.geometry import WING as ILLUSIONS
from .kept import Kept
from .mesh.geometry import WING as MESH
from .neighbours import nearest
from .panorama.geometry import WING as PANORAMA
from .plane.geometry import WING as PLANE
from .splats.geometry import WING as SPLATS
from .video.clip_geometry import WING as CLIPS
from .video.geometry import WING as VIDEO

WINGS: tuple[Wing, ...] = (PLANE, PANORAMA, ILLUSIONS, SPLATS, MESH, GLOBE, VIDEO, CLIPS)
"""Every kind of space, and of rig where there are several; another one is another entry."""


def geometry_of(space: Any, rig: Any) -> Geometry:
    """Raises ValueError when a rig of this kind cannot look at a space of that kind."""
    first = next((wing for wing in WINGS if isinstance(space, wing.space)), None)
    wings = [wing for wing in WINGS if first is not None and wing.space is first.space]
    for wing in wings:
        if isinstance(rig, wing.rig):
            return wing.geometry(space, rig)
    if wings:
        raise ValueError(f"a rig of {_kind(rig)} cannot look at {wings[-1].space_name}; {wings[-1].rigs}")
    raise ValueError(f"a {_kind(space)} is no canonical space; connect CanonicalSpace, MeshSpace or SplatSpace")


def _kind(value: Any) -> str:
    return getattr(value, "kind", type(value).__name__)


@dataclass(frozen=True)
class Scene:
    """A space seen through a rig. Views are built once per resolution and kept as long as the scene is.

    Raises ValueError when the rig's kind cannot look at the space's kind.
    """

    space: Space
    rig: Rig
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

    def canvas_views(self, cell: int) -> Views:
        """The views of the picture that users hold, on cells of ``cell`` image pixels."""
        own = self._views.get(("canvas", cell), lambda: self.geometry.canvas_views(cell))
        return self.views(cell) if own is None else own

    def noise_views(self, cell: int) -> Views:
        """The views that noise is drawn by, on cells of ``cell`` image pixels."""
        own = self._views.get(("noise", cell), lambda: self.geometry.noise_views(cell))
        return self.views(cell) if own is None else own

    def mean_of_batch(self, shape: tuple[int, ...], device: torch.device, canvas: bool = False) -> Averager:
        """The weighted mean over the views of a latent batch of ``shape``, on a device; built once for each.

        canvas: the mean as the picture that users hold. Raises ValueError when size or number do not match the rig.
        """
        views, cell = self.views_of_batch(shape), self.cell_of_views(shape)
        views = self.canvas_views(cell) if canvas else views
        return self._means.get((cell, views is self.views(cell), str(device)), lambda: average_of(views.to(device)))

    @property
    def view_size(self) -> tuple[int, int]:
        """(width, height) of every view in image pixels."""
        return self.geometry.view_size

    def view_places(self) -> tuple[ViewPlace, ...]:
        """Where each view is, in rig order."""
        return self.geometry.places()

    def look(self, picture: Tensor) -> Tensor:
        """A canonical picture [B, C, H, W] of the space's size in pixels -> what the views see [B*N, C, h, w]."""
        return self.geometry.look(picture)

    def neighbours(self, cell: int, count: int, group: int = 0) -> Tensor:
        """int64 [N, m]: for each view, on cells of ``cell`` image pixels, its ``count`` nearest others.

        Nearest first, -1 where a view has fewer; m <= count. ``group``, see `nearest`. Raises ValueError where the
        views do not fit cells of that size.
        """
        return nearest(self.geometry.distances(cell), count, group)

    def views_of_batch(self, shape: tuple[int, ...]) -> Views:
        """The views that a latent batch of ``shape`` [B*N, C, (t,) h, w] holds.

        Raises ValueError when size or number do not match the rig.
        """
        if len(shape) == 4 and self.geometry.clip.is_video:
            raise ValueError(SINGLE)
        views = self.views(self.cell_of_views(shape))
        if shape[0] % views.count:
            raise ValueError(
                f"a batch of {shape[0]} does not match a rig of {views.count} views; "
                "connect SyncTweediesViewLatents of the same space and rig"
            )
        return views

    def cell_of_views(self, shape: tuple[int, ...]) -> int:
        """Image pixels per cell of a view latent [B*N, C, (t,) h, w], or of [B*N, C, t*h, w], frames below each other.
        Raises ValueError on another size."""
        frames = self.geometry.clip.latent
        _check_frames(shape, frames)
        height, width = shape[-2:]
        if len(shape) == 4 and height % frames == 0:
            height //= frames
        wide, high = self.view_size
        if wide % width or high % height or wide // width != high // height:
            raise ValueError(
                f"a latent of {width} x {height} cells does not hold views of {wide} x {high} pixels; "
                "connect SyncTweediesViewLatents of the same rig"
            )
        return wide // width

    def cell_of_canonical(self, shape: tuple[int, ...]) -> int:
        """Image pixels per cell of a canonical latent [B, C, (1,) rows, columns]; see ``Geometry.cell_of``."""
        _check_frames(shape, 1)
        return self.geometry.cell_of(*shape[-2:])


SINGLE = (
    "views are clips of a video, and this model makes single pictures; use a video model (Wan, Hunyuan, LTX, ...), or "
    "VideoSpace's own rig, one view a frame"
)


def _check_frames(shape: tuple[int, ...], frames: int) -> None:
    """Raise ValueError for a latent with an axis of another number of frames."""
    if len(shape) != 5 or shape[2] == frames:
        return
    if frames > 1:
        raise ValueError(
            f"a latent of {shape[2]} frames does not hold clips of {frames} latent frames; connect "
            "SyncTweediesViewLatents of the same rig"
        )
    raise ValueError(
        f"a latent of {shape[2]} frames is a video; views are single images (T = 1), or clips: use VideoSpace and "
        "VideoClips"
    )
