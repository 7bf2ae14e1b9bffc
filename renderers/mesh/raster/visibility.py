"""Which points of a surface a camera sees, and how straight it looks at them.

A point is compared with a depth buffer, at the pixel it falls into, and not with its own depth but with the depth that
its face's plane has at that pixel's centre: a slanted surface then needs no generous tolerance, which would let what
lies just below shine through.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...arrays import norm
from ...cameras.viewpoints import Viewpoint
from ..mesh import Mesh
from .fragments import near_plane
from .raster import Backend, chosen_backend, depth_buffer

# Least side of a depth buffer: a small one hides visible texels (20 % at 64 pixels and half a percent of tolerance).
LEAST_BUFFER = 1024
# Relative difference of depths that is no occlusion.
TOLERANCE = 0.005
# Surface seen under a flatter angle (cosine) counts as not seen.
LEAST_COSINE = 0.05


@dataclass(frozen=True)
class Seen:
    """The points that a camera sees, in their order.

    point: int64 [n], which of the given points. row, column: float32 [n], where in the frame, as fractions of its
    height and width. depth: float32 [n], along the axis. cosine: float32 [n] in (0, 1], between the face's normal and
    the direction to the camera.
    """

    point: Tensor
    row: Tensor
    column: Tensor
    depth: Tensor
    cosine: Tensor

    def only(self, keep: Tensor) -> Seen:
        """Those of an index or a bool [n]."""
        return Seen(self.point[keep], self.row[keep], self.column[keep], self.depth[keep], self.cosine[keep])


@torch.no_grad()
def seen_points(
    mesh: Mesh,
    position: Tensor,
    normal: Tensor,
    viewpoint: Viewpoint,
    height: int,
    width: int,
    *,
    tolerance: float = TOLERANCE,
    least_cosine: float = LEAST_COSINE,
    two_sided: bool = True,
    backend: Backend = "auto",
) -> Seen:
    """Points of the mesh's surface that a camera in scene coordinates sees.

    position, normal: float32 [n, 3], the normal is the face's own. height, width: of the view; the depth buffer is
    enlarged to at least 1024 pixels along the shorter side. two_sided: surfaces may be seen from behind, but never
    through a surface that faces the other way. Raises as ``rasterise``.
    """
    scale = max(1, -(-LEAST_BUFFER // min(height, width)))
    height, width = height * scale, width * scale
    face, depth = depth_buffer(mesh.vertices, mesh.faces, viewpoint, height, width, backend)
    fronts = _fronts(mesh, viewpoint)
    # Of a closed surface only fronts are ever drawn, and half of the points need no further look.
    drawn = torch.zeros(len(fronts) + 1, dtype=torch.bool)
    drawn[face.reshape(-1).long()] = True
    both = two_sided and bool((drawn[:-1] & ~fronts).any())
    near = near_plane(viewpoint.camera_space(mesh.used.double())[:, 2].neg())
    if chosen_backend(backend) == "numba":
        from ..maps import maps_numba

        limits = (near, tolerance, least_cosine)
        return Seen(*maps_numba.seen((position, normal), viewpoint, (face, depth), fronts, limits, both))
    axes = viewpoint.rotation.float()
    place = torch.tensor(viewpoint.position, dtype=torch.float32)
    facing = normal @ axes[:, 2] if viewpoint.span is not None else normal @ place - (normal * position).sum(1)
    point = torch.nonzero(facing != 0 if both else facing > 0).squeeze(1)
    position, normal, facing = position.index_select(0, point), normal.index_select(0, point), facing[point]
    row, column, far = viewpoint.pixels(position, height, width)
    cosine = facing if viewpoint.span is not None else facing / norm(position - place, 1).clamp_min(1e-30)
    cosine = cosine.abs().clamp_max(1)
    inside = (far > near) & (row >= 0) & (row < height) & (column >= 0) & (column < width) & (cosine >= least_cosine)
    if not bool(inside.all()):
        keep = torch.nonzero(inside).squeeze(1)
        position, normal = position.index_select(0, keep), normal.index_select(0, keep)
        point, facing, row, column, far, cosine = (t[keep] for t in (point, facing, row, column, far, cosine))
    pixel = row.long().clamp_max(height - 1) * width + column.long().clamp_max(width - 1)
    expected = _plane_depth(viewpoint, axes, position, normal, far, pixel, height, width)
    front = depth.reshape(-1)[pixel]
    winner = face.reshape(-1)[pixel].long()
    # Where the pixel's centre lies beside the surface nothing can be said; what is drawn there must face the same way,
    # or the back of a thin wall would be seen at its outline.
    same = (winner >= 0) & (fronts[winner.clamp_min(0)] == (facing > 0))
    visible = torch.nonzero(same & (expected <= front * (1 + tolerance))).squeeze(1)
    return Seen(point, row / height, column / width, far, cosine).only(visible)


def _fronts(mesh: Mesh, viewpoint: Viewpoint) -> Tensor:
    """bool [F]: faces that are seen from their front."""
    if viewpoint.span is not None:
        return mesh.face_normals @ viewpoint.rotation[:, 2].float() > 0
    corner = mesh.vertices[mesh.faces[:, 0]].double()
    towards = torch.tensor(viewpoint.position, dtype=torch.float64) - corner
    return (mesh.face_normals * towards).sum(1) > 0


def _plane_depth(
    viewpoint: Viewpoint,
    axes: Tensor,
    position: Tensor,
    normal: Tensor,
    far: Tensor,
    pixel: Tensor,
    height: int,
    width: int,
) -> Tensor:
    """Depth of each point's plane at the centre of the pixel it falls into."""
    across, down = viewpoint.half_size(height, width)
    x = (((pixel % width) + 0.5) * (2 / width) - 1 - viewpoint.shift[0]) * across
    y = (1 - ((pixel // width) + 0.5) * (2 / height) - viewpoint.shift[1]) * down
    local = viewpoint.camera_space(position)
    slope = normal @ axes
    if viewpoint.span is None:
        along = slope[:, 0] * x + slope[:, 1] * y - slope[:, 2]
        depth = (slope * local).sum(1) / _away_from_zero(along)
        step = far * (2 * across / width)
    else:
        gap = slope[:, 0] * (local[:, 0] - x) + slope[:, 1] * (local[:, 1] - y)
        depth = far - gap / _away_from_zero(slope[:, 2])
        step = torch.full_like(far, 2 * across / width)
    # A plane seen from the side leads anywhere; the surface itself ends or bends.
    reach = step / LEAST_COSINE
    return torch.minimum(torch.maximum(depth, far - reach), far + reach)


def _away_from_zero(value: Tensor) -> Tensor:
    return torch.where(value.abs() < 1e-6, torch.full_like(value, 1e-6), value)
