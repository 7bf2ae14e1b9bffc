"""What ControlNets are shown of a mesh: depth, normals, mask, position, its own texture, and a plain shading.

Smooth normals where a surface is smooth, sharp ones at its creases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arrays import cross, distinct_places, norm
from ..cameras.viewpoints import Orbit, Viewpoint
from ..pictures import Range, spread
from .mesh import Mesh
from .part_textures import part_colours
from .raster.fragments import Fragments
from .raster.raster import Backend, rasterise

# Faces that meet at less than this angle are one smooth surface, degrees.
CREASE = 45.0


def corner_normals(mesh: Mesh, crease: float = CREASE) -> Tensor:
    """float32 [F, 3, 3]: a unit normal for each corner of each face.

    The file's own normals where it has them. Otherwise the mean, by area, of the faces around the corner whose normals
    differ by less than ``crease`` degrees from the corner's own face; vertices at the same place count as one, so that
    a texture seam shows no edge. Faces without area have normal 0.
    """
    if mesh.corner_normals is not None or mesh.normals is not None:
        own = mesh.corner_normals
        if own is None:
            assert mesh.normals is not None
            own = mesh.normals[mesh.faces]
        return torch.where(norm(own, -1, keepdim=True) > 0.5, own, mesh.face_normals[:, None])
    place = distinct_places(mesh.vertices, 0)[1][mesh.faces]
    corners = mesh.vertices.double()[mesh.faces]
    heavy = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    unit = mesh.face_normals.double()
    # All corners, sorted by vertex: those of one vertex stand together.
    order = torch.argsort(place.reshape(-1), stable=True)
    vertex, face = place.reshape(-1)[order], order // 3
    count = torch.bincount(vertex)
    first = torch.cumsum(count, 0) - count
    total = torch.zeros(len(order), 3, dtype=torch.float64)
    limit = math.cos(math.radians(crease))
    for turn in range(int(count.max())):
        there = torch.nonzero(turn < count[vertex]).squeeze(1)
        other = face[first[vertex[there]] + turn]
        alike = (unit[face[there]] * unit[other]).sum(1) >= limit
        total[there] += torch.where(alike[:, None], heavy[other], 0.0)
    out = torch.empty_like(total)
    out[order] = total / norm(total, 1, keepdim=True).clamp_min(1e-300)
    return out.reshape(-1, 3, 3).float()


def to_camera(camera: Viewpoint, points: Tensor) -> Tensor:
    """Unit vectors [..., 3] from points to a camera; all the same when it is orthographic."""
    if camera.span is not None:
        return torch.tensor(camera.backward, dtype=points.dtype).expand_as(points)
    return F.normalize(torch.tensor(camera.position, dtype=points.dtype) - points, dim=-1)


SPANS: tuple[Range, ...] = ("per view", "joint")
NormalSpace = Literal["camera", "camera, red to the left", "world"]
NORMAL_SPACES: tuple[NormalSpace, ...] = ("camera", "camera, red to the left", "world")


@dataclass(frozen=True)
class MeshViews:
    """A mesh seen by cameras in its own coordinates, rasterised once. All pictures are in the cameras' order."""

    mesh: Mesh
    cameras: tuple[Viewpoint, ...]
    height: int
    width: int
    backend: Backend = "auto"

    @staticmethod
    def of(mesh: Mesh, rig: Orbit, backend: Backend = "auto") -> MeshViews:
        """The views of a rig."""
        return MeshViews(mesh, rig.in_scene(mesh.centre, mesh.radius), rig.height, rig.width, backend)

    @cached_property
    def fragments(self) -> tuple[Fragments, ...]:
        """Of each view."""
        mesh = self.mesh
        return tuple(
            rasterise(mesh.vertices, mesh.faces, c, self.height, self.width, self.backend) for c in self.cameras
        )

    @cached_property
    def _corner_normals(self) -> Tensor:
        return corner_normals(self.mesh)

    def mask(self) -> Tensor:
        """float32 [N, h, w]: 1 where the object is."""
        return torch.stack([seen.covered for seen in self.fragments]).float()

    def depth(self, span: Range = "per view", blur: bool = False, floor: float = 0.0) -> Tensor:
        """float32 [N, h, w]: inverse depth along the axis, 1 at the nearest surface, ``floor`` at the farthest,
        background 0: what depth ControlNets read.

        span: nearest and farthest of each view, or of all views, so that a place has one grey everywhere. blur: edges
        softened by a 5 x 5 bell of 2 pixels, as the reference does. Raises ValueError for another span.
        """
        if span not in SPANS:
            raise ValueError(f"depth range '{span}' is unknown; use one of {', '.join(SPANS)}")
        if not 0 <= floor < 1:
            raise ValueError(f"depth floor {floor:g} is outside 0 to below 1; the reference uses 0")
        inverse = torch.stack([1 / seen.depth for seen in self.fragments])
        known = torch.stack([seen.covered for seen in self.fragments])
        out = torch.where(known, floor + (1 - floor) * spread(inverse, known, span), 0.0)
        return _softened(out) if blur else out

    def normals(self, space: NormalSpace = "camera") -> Tensor:
        """float32 [N, h, w, 3]: (normal + 1) / 2. camera: red to the right, green up, blue to the camera, background
        (0.5, 0.5, 1), a wall that is faced. world: red +X, green +Y, blue +Z, background black. A surface seen from
        behind shows the normal of the side that is seen. Raises ValueError for another space."""
        if space not in NORMAL_SPACES:
            raise ValueError(f"normals '{space}' are unknown; use one of {', '.join(NORMAL_SPACES)}")
        out: list[Tensor] = []
        for camera, seen in zip(self.cameras, self.fragments, strict=True):
            normal = self.seen_normals(camera, seen)
            if space != "world":
                normal = normal @ camera.rotation.float()
                normal[~seen.covered] = torch.tensor([0.0, 0.0, 1.0])
            if space == "camera, red to the left":
                normal = normal * torch.tensor([-1.0, 1.0, 1.0])
            picture = (normal + 1) / 2
            out.append(torch.where(seen.covered[..., None], picture, 0.0) if space == "world" else picture)
        return torch.stack(out)

    def position(self) -> Tensor:
        """float32 [N, h, w, 3]: where in the object's bounding box, 0 to 1 along each axis; background 0."""
        low, high = self.mesh.used.amin(0), self.mesh.used.amax(0)
        size = (high - low).clamp_min(1e-12)
        corners = (self.mesh.vertices - low) / size
        return torch.stack([_mixed(corners[self.mesh.faces], seen).clamp(0, 1) for seen in self.fragments])

    def texture(self, background: Sequence[float] = (1.0, 1.0, 1.0)) -> Tensor:
        """float32 [N, h, w, 3]: the look the mesh came with, unlit."""
        return self.painted(background, lambda face, bary: part_colours(self.mesh, face, bary))

    def painted(self, background: Sequence[float], colours: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """float32 [N, h, w, 3]: ``colours(face [M], bary [M, 3]) -> [M, 3]`` where the object is, else background."""
        out = torch.tensor(background, dtype=torch.float32).repeat(len(self.cameras), self.height, self.width, 1)
        for picture, seen in zip(out, self.fragments, strict=True):
            here = seen.covered
            picture[here] = colours(seen.face[here].long(), seen.bary[here])
        return out

    def shading(self, ambient: float = 0.15) -> Tensor:
        """float32 [N, h, w]: lit from the camera on grey, background black; edges of it are what canny finds.

        A surface counts by the cosine between its normal and the way to the camera, above ``ambient``.
        """
        out: list[Tensor] = []
        for camera, seen in zip(self.cameras, self.fragments, strict=True):
            facing = (self.seen_normals(camera, seen) * self.to_camera(camera, seen)).sum(-1).clamp(0, 1)
            out.append(torch.where(seen.covered, ambient + (1 - ambient) * facing, 0.0))
        return torch.stack(out)

    def to_camera(self, camera: Viewpoint, seen: Fragments) -> Tensor:
        """[h, w, 3] unit vectors from what is seen to the camera."""
        return to_camera(camera, _mixed(self.mesh.vertices[self.mesh.faces], seen))

    def seen_normals(self, camera: Viewpoint, seen: Fragments) -> Tensor:
        """[h, w, 3] unit normals in the world, of the side that the camera sees; 0 in the background."""
        normal = F.normalize(_mixed(self._corner_normals, seen), dim=-1)
        flat = torch.where(seen.covered[..., None], self.mesh.face_normals[seen.face.clamp_min(0).long()], 0.0)
        behind = (flat * self.to_camera(camera, seen)).sum(-1, keepdim=True) < 0
        return torch.where(behind, -normal, normal)


def _mixed(corners: Tensor, seen: Fragments) -> Tensor:
    """Values of corners [F, 3, C] at the pixels [h, w, C]; 0 in the background."""
    return (corners[seen.face.clamp_min(0).long()] * seen.bary[..., None]).sum(-2)


def _softened(pictures: Tensor) -> Tensor:
    """[N, h, w] under a 5 x 5 bell with a standard deviation of 2 pixels; the border is mirrored."""
    line = torch.exp(-0.5 * (torch.arange(-2, 3) / 2.0) ** 2)
    kernel = torch.outer(line, line)[None, None]
    mode = "reflect" if min(pictures.shape[1:]) > 2 else "replicate"
    return F.conv2d(F.pad(pictures[:, None], (2, 2, 2, 2), mode=mode), kernel / kernel.sum())[:, 0].clamp(0, 1)
