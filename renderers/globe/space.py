"""A 360 degree film as a canonical space: a whole sphere in every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..panorama.space import Panorama, check_whole_sphere
from ..video.motion import Projection
from ..video.space import Video


@dataclass(frozen=True)
class SphereVideo(Video):
    """See ``Video``. Frames are equirectangular, twice as wide as high; their left and right edges meet."""

    wrap_x = True
    projection: ClassVar[Projection] = "panorama"

    def __post_init__(self) -> None:
        check_whole_sphere("a frame", self.width, self.height, "projection flat")
        super().__post_init__()

    @property
    def sphere(self) -> Panorama:
        """The space of one frame."""
        return Panorama(self.width, self.height)

    def frame_grid(self, cell: int) -> tuple[int, int]:
        return self.sphere.grid(cell)
