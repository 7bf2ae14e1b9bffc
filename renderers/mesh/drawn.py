"""A mesh and the cameras around it, drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..cameras.drawn import Around, cameras_of, frusta
from ..cameras.viewpoints import Orbit, Viewpoint
from ..drawing.ink import PAPER
from ..drawing.outlines import Outline
from .looks import MeshViews, corner_normals
from .mesh import Mesh
from .turntable import soft_light

_GREY = 0.74
_FINER = 2


def mesh_outlines(mesh: Mesh, rig: Any) -> tuple[Outline, ...]:
    """The cameras of a rig in object units. Raises ValueError for a rig without any."""
    rig = cameras_of(rig)
    return frusta(_in_object(mesh, rig), rig.width, rig.height)


def _in_object(mesh: Mesh, rig: Orbit) -> tuple[Viewpoint, ...]:
    centre, radius = mesh.centre, mesh.radius
    return tuple(v.from_scene(centre, radius) for v in rig.in_scene(centre, radius))


def mesh_drawing(mesh: Mesh, rig: Orbit, size: int, turn: float) -> Tensor:
    """The mesh as a grey solid, and the cameras around it: [H, W, 3], the longer side ``size``."""
    mesh = replace(mesh, corner_normals=corner_normals(mesh))
    points = (mesh.used.double() - torch.tensor(mesh.centre, dtype=torch.float64)) / mesh.radius

    def solid(eye: Viewpoint, height: int, width: int) -> tuple[Tensor, Tensor]:
        camera = eye.in_scene(mesh.centre, mesh.radius)
        views = MeshViews(mesh, (camera,), height * _FINER, width * _FINER)
        seen = views.fragments[0]
        grey = (_GREY * soft_light(views, camera, seen))[..., None].expand(-1, -1, 3)
        picture = torch.where(seen.covered[..., None], grey, torch.tensor(PAPER))
        small = F.avg_pool2d(picture.movedim(-1, 0)[None], _FINER)[0].movedim(0, -1)
        depth = torch.where(seen.covered, seen.depth.double() / mesh.radius, torch.inf)
        return small, -F.max_pool2d(-depth[None], _FINER)[0]

    return Around(_in_object(mesh, rig), rig.width, rig.height, rig.front, points, solid).picture(size, turn)
