"""A canonical space and a rig together: which pairs fit, and the views they give at a resolution."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..sync_core.views import ViewSet
from .plane import Plane, Windows, place, window_views

CanonicalSpace = Plane
ViewRig = Windows


@dataclass(frozen=True)
class Scene:
    """A space seen through a rig. Views are built once per resolution and kept as long as the scene is.

    Raises ValueError when the rig's kind cannot look at the space's kind.
    """

    space: CanonicalSpace
    rig: ViewRig
    _built: dict[tuple[int, int], ViewSet] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if (self.space.kind, self.rig.kind) != ("plane", "windows"):
            raise ValueError(f"a rig of {self.rig.kind} cannot look at a {self.space.kind}")

    def views(self, cell: int, finer: int = 1) -> ViewSet:
        """The views on cells of ``cell`` image pixels, each divided into ``finer`` x ``finer`` (cell, finer = 8, 8 are
        the pixels of a latent model: same windows, image resolution)."""
        if (cell, finer) not in self._built:
            placement = place(self.space, self.rig, cell).scaled(finer)
            self._built[cell, finer] = window_views(placement, self.rig.taper)
        return self._built[cell, finer]

    def borders(self, cell: int, finer: int = 1) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(rows, columns) of the canonical grid where a view begins or ends: where seams would be."""
        placement = place(self.space, self.rig, cell).scaled(finer)
        return placement.borders((self.space.wrap_y, self.space.wrap_x))
