"""Frames of a mesh that turns, as it looks with its textures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..cameras.framing import bounds
from ..cameras.orbits import Lens
from ..cameras.viewpoints import Viewpoint
from .looks import MeshViews, corner_normals
from .mesh import Mesh
from .raster.fragments import Fragments

LIGHTS = ("none", "soft")
# Where the soft light comes from, in the camera's own axes: from above, a little from the left.
_LIGHT = (-0.35, 0.6, 0.72)
# Every pixel is the mean of this many by this many.
_FINER = 2


def turntable(
    mesh: Mesh,
    frames: int,
    height: int,
    width: int,
    elevation: float = 15.0,
    start: float = 0.0,
    light: str = "soft",
    background: Sequence[float] = (1.0, 1.0, 1.0),
    fov: float = 40.0,
) -> Iterator[Tensor]:
    """Frames [h, w, 3] in [0, 1] of one turn, ``frames`` of them; angles in degrees, the first at azimuth ``start``.

    The camera moves to the right, so that the object turns to the left; every frame has the same scale, by which the
    object fits into all of them. light: none shows the textures themselves; soft is a light that goes with the camera
    (a surface that faces it is as bright as its texture). Raises ValueError for no frames or an unknown light.
    """
    if frames < 1:
        raise ValueError(f"{frames} frames show nothing; use e.g. 36")
    if light not in LIGHTS:
        raise ValueError(f"light '{light}' is unknown; use one of {', '.join(LIGHTS)}")
    # (worked out once, not for every frame)
    mesh = replace(mesh, corner_normals=corner_normals(mesh))
    azimuths = [start + 360 * i / frames for i in range(frames)]
    for camera in _fitting(mesh, azimuths, elevation, height, width, fov):
        yield _frame(mesh, camera, height, width, light, background)


def _fitting(
    mesh: Mesh, azimuths: Sequence[float], elevation: float, height: int, width: int, fov: float
) -> list[Viewpoint]:
    """Cameras in the mesh's coordinates, of one scale, at which nothing is cut off."""
    points = (mesh.used.double() - torch.tensor(mesh.centre, dtype=torch.float64)) / mesh.radius
    # At this distance the unit sphere fits; what is slimmer is shown larger.
    lens = Lens(fov, 1.02 / math.sin(math.radians(fov) / 2))
    cameras = [lens.at(azimuth, elevation) for azimuth in azimuths]
    reach = 0.0
    for camera in cameras:
        left, right, bottom, top = bounds(camera, points)
        reach = max(reach, -left, right, -bottom * width / height, top * width / height)
    narrow = Lens(math.degrees(2 * math.atan(1.05 * reach)), lens.distance)
    return [narrow.at(azimuth, elevation).in_scene(mesh.centre, mesh.radius) for azimuth in azimuths]


def _frame(mesh: Mesh, camera: Viewpoint, height: int, width: int, light: str, background: Sequence[float]) -> Tensor:
    views = MeshViews(mesh, (camera,), height * _FINER, width * _FINER)
    picture = views.texture(background)[0]
    if light == "soft":
        seen = views.fragments[0]
        bright = soft_light(views, camera, seen)
        picture = torch.where(seen.covered[..., None], picture * bright[..., None], picture)
    return F.avg_pool2d(picture.movedim(-1, 0)[None], _FINER)[0].movedim(0, -1)


def soft_light(views: MeshViews, camera: Viewpoint, seen: Fragments) -> Tensor:
    """[h, w] in [0, 1]: how bright a light that goes with the camera makes what it sees."""
    own = views.seen_normals(camera, seen) @ camera.rotation.float()
    to_light = F.normalize(torch.tensor(_LIGHT), dim=0)
    return 0.45 + 0.55 * (0.5 + 0.5 * (own @ to_light)).clamp(0, 1)
