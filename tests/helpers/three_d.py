"""Small meshes and splats for the host's 3D nodes, and its pictures beside ours."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from helpers.host_nodes import run_found
from helpers.meshes import torus
from syncpack.nodes.host.mesh_socket import from_socket
from syncpack.nodes.views.orbit_nodes import OrbitRig, RigCamera
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.looks import MeshViews
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh
from torch import Tensor

BACKGROUND = "#204060"


def small_torus(around: int = 24, across: int = 12) -> Mesh:
    """Off the middle, within 0.5 of it (what the host's remeshing looks at), in smooth colours of its own."""
    mesh = torus(around, across)
    points = mesh.vertices * 0.25 + torch.tensor([0.06, 0.1, -0.04])
    return replace(mesh, vertices=points, parts=(Part("ring", waves()),))


def waves(high: int = 64, wide: int = 96) -> Tensor:
    """A picture without seams, each channel of its own."""
    y, x = torch.meshgrid(torch.arange(high) / high, torch.arange(wide) / wide, indexing="ij")
    turns = ((2 * math.pi * x).sin(), (2 * math.pi * y).cos(), (2 * math.pi * (x + y)).sin())
    return 0.5 + 0.4 * torch.stack(turns, -1)


def rig_of(mesh: Mesh, **wishes: Any) -> Orbit:
    """A few of OrbitRig's cameras, where the mesh stands."""
    widgets = {
        "kind": "orbit_sphere",
        "views": 2,
        "width": 96,
        "height": 72,
        "fov": 60.0,
        "distance": 2.2,
        "front": 20.0,
    }
    rig = OrbitRig().build(**{**widgets, "distance": 2.2, **wishes})[0]
    return replace(rig, viewpoints=rig.in_scene(mesh.centre, mesh.radius), units="scene")


def ours(mesh: Mesh, rig: Orbit, number: int) -> tuple[Tensor, Tensor]:
    """(picture [h, w, 3], mask [h, w]) of a view, from 1."""
    views = MeshViews.of(mesh, replace(rig, viewpoints=rig.viewpoints[number - 1 : number]), "torch")
    colour = [int(BACKGROUND[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return views.texture(colour)[0], views.mask()[0]


def theirs(value: Any, camera: dict[str, Any], width: int, height: int, **more: Any) -> tuple[Tensor, Tensor]:
    """The host's own picture."""
    size = {"width": width, "height": height, "background": BACKGROUND}
    image, mask = run_found("RenderMesh", mesh=value, camera_info=camera, **size, **more)[:2]
    return image[0].float(), mask[0].float()


def overlap(a: Tensor, b: Tensor) -> float:
    """Of two masks, what both have of what any has."""
    first, second = a > 0.5, b > 0.5
    return float((first & second).sum() / (first | second).sum())


def colours_apart(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """Mean difference of two pictures where both show the object."""
    both = (a[1] > 0.5) & (b[1] > 0.5)
    return float((a[0] - b[0])[both].abs().mean())


def agree(value: Any, apart: float = 0.02, same: float = 0.98, **wishes: Any) -> None:
    """What the host shows of a mesh on the socket is what we read from it, from every side."""
    mesh = from_socket(value)
    rig = rig_of(mesh, **wishes)
    for number in range(1, len(rig.viewpoints) + 1):
        camera, width, height = RigCamera().give(rig, number)
        pair = ours(mesh, rig, number), theirs(value, camera, width, height)
        assert overlap(pair[0][1], pair[1][1]) > same, number
        assert colours_apart(*pair) < apart, (number, colours_apart(*pair))
