"""What ControlNets are shown of a mesh: depth, normals, mask, position, its own texture, and a plain shading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..viewpoints import Orbit, Viewpoint
from .mesh import Mesh
from .normals import corner_normals, to_camera
from .part_textures import part_colours
from .raster import Backend, Fragments, rasterise

Span = Literal["per view", "joint"]
SPANS: tuple[Span, ...] = ("per view", "joint")
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

    def depth(self, span: Span = "per view", blur: bool = False, floor: float = 0.0) -> Tensor:
        """float32 [N, h, w]: inverse depth along the axis, 1 at the nearest surface, ``floor`` at the farthest,
        background 0 (apps 6.5: what depth ControlNets read).

        span: nearest and farthest of each view, or of all views, so that a place has one grey everywhere. blur: edges
        softened by a 5 x 5 bell of 2 pixels, as the reference does. Raises ValueError for another span.
        """
        if span not in SPANS:
            raise ValueError(f"depth range '{span}' is unknown; use one of {', '.join(SPANS)}")
        if not 0 <= floor < 1:
            raise ValueError(f"depth floor {floor:g} is outside 0 to below 1; the reference uses 0")
        inverse = torch.stack([1 / seen.depth for seen in self.fragments])
        known = torch.stack([seen.covered for seen in self.fragments])
        out = torch.zeros_like(inverse)
        groups = [slice(None)] if span == "joint" else [slice(i, i + 1) for i in range(len(out))]
        for group in groups:
            values = inverse[group][known[group]]
            if values.numel():
                low, high = values.min(), values.max()
                share = (inverse[group] - low) / (high - low) if high > low else torch.ones_like(inverse[group])
                out[group] = floor + (1 - floor) * share
        out = torch.where(known, out, 0.0)
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
