"""What every rasteriser is given and gives back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...cameras.viewpoints import Viewpoint

# What is nearer to the camera than this part of the depth of the farthest vertex of a face is not seen.
NEAR = 1e-4


@dataclass(frozen=True)
class Fragments:
    """What the pixels of one view see.

    face: int32 [h, w], -1 where nothing is. bary: float32 [h, w, 3], weights of the face's corners at the pixel's
    centre, on the surface (perspective-correct), 0 where nothing is. depth: float32 [h, w], distance along the
    camera's axis, inf where nothing is.
    """

    face: Tensor
    bary: Tensor
    depth: Tensor

    @property
    def covered(self) -> Tensor:
        """bool [h, w]."""
        return self.face >= 0


def homogeneous(points: Tensor, viewpoint: Viewpoint, height: int, width: int) -> tuple[Tensor, Tensor]:
    """World points float64 [V, 3] -> (pixel coordinates times w, and w [V, 3]; depth [V])."""
    x, y, z = viewpoint.camera_space(points).unbind(-1)
    across, down = viewpoint.half_size(height, width)
    w = torch.ones_like(z) if viewpoint.span is not None else -z
    column = ((1 + viewpoint.shift[0]) * w + x / across) * (width / 2)
    row = ((1 - viewpoint.shift[1]) * w - y / down) * (height / 2)
    return torch.stack([column, row, w], -1), -z


def near_plane(depths: Tensor) -> float:
    """Depth of what is too near to be seen, from the depths of the faces' corners: stray vertices do not count."""
    return NEAR * max(float(depths.max()) if depths.numel() else 0.0, 1e-30)
