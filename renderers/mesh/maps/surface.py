"""The surface that the pixels of a view see: where it is, where in the texture, how it lies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...arrays import norm
from ...cameras.viewpoints import Viewpoint
from ..mesh import Mesh
from ..raster.raster import Backend, rasterise
from ..uvs.uv_raster import on_surface


@dataclass(frozen=True)
class Surface:
    """The covered pixels of one view, in reading order.

    height, width: of the view. pixel: int64 [n], row * width + column. face: int64 [n]. position: float32 [n, 3].
    place: float32 [n, 2], (x, y) in the texture's picture as fractions from the left and the top, as
    ``AtlasLayout.places`` has them: not yet wrapped. cosine: float32 [n],
    between the face's normal and the direction to the camera, whichever side is seen. depth: float32 [n], along the
    axis. step: float32 [n], side of a pixel at that depth, across the axis.
    """

    height: int
    width: int
    pixel: Tensor
    face: Tensor
    position: Tensor
    place: Tensor
    cosine: Tensor
    depth: Tensor
    step: Tensor

    @property
    def area(self) -> Tensor:
        """float32 [n]: how much of the surface each pixel sees."""
        return self.step**2 / self.cosine.clamp_min(1e-3)


def surface(
    mesh: Mesh, places: Tensor, viewpoint: Viewpoint, height: int, width: int, backend: Backend = "auto"
) -> Surface:
    """What a camera in scene coordinates sees. places: [F, 3, 2] from ``AtlasLayout.places``. Raises as
    ``rasterise``."""
    seen = rasterise(mesh.vertices, mesh.faces, viewpoint, height, width, backend)
    pixel = torch.nonzero(seen.face.reshape(-1) >= 0).squeeze(1)
    face = seen.face.reshape(-1)[pixel].long()
    bary = seen.bary.reshape(-1, 3)[pixel]
    position = on_surface(mesh, face, bary)
    corners = places.float()[face]
    place = (corners * bary[..., None]).sum(1)
    depth = seen.depth.reshape(-1)[pixel]
    normal = mesh.face_normals[face]
    if viewpoint.span is None:
        towards = torch.tensor(viewpoint.position, dtype=torch.float32) - position
        cosine = (normal * towards).sum(1) / norm(towards, 1).clamp_min(1e-30)
    else:
        cosine = normal @ viewpoint.rotation[:, 2].float()
    step = pixel_step(viewpoint, depth, width)
    return Surface(height, width, pixel, face, position, place, cosine.abs().clamp_max(1), depth, step)


def pixel_step(viewpoint: Viewpoint, depth: Tensor, width: int) -> Tensor:
    """Side of a pixel of a view ``width`` pixels wide at a depth, across the axis."""
    across, _ = viewpoint.half_size(1, 1)
    step = torch.full_like(depth, 2 * across / width)
    return step if viewpoint.span is not None else step * depth
