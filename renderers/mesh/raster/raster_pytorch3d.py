"""The same view through PyTorch3D, for those who have it and want to compare. Untested with PyTorch3D itself.

Written by its documented interface (``rasterize_meshes``): no machine that tests this pack has it installed. What goes
into that call and what is made of its answer are held against a twin written by the same documentation.
"""

from __future__ import annotations

import importlib
from typing import TypedDict

import torch
from torch import Tensor

from ...cameras.viewpoints import Viewpoint
from .fragments import Fragments, homogeneous, near_plane


class Settings(TypedDict):
    """Of ``rasterize_meshes``, by its names."""

    image_size: tuple[int, int]
    blur_radius: float
    faces_per_pixel: int
    bin_size: int
    perspective_correct: bool
    cull_backfaces: bool
    z_clip_value: float


def rasterise_pytorch3d(
    vertices: Tensor, faces: Tensor, viewpoint: Viewpoint, height: int, width: int, cull: bool
) -> Fragments:
    """As ``raster.rasterise``. Meant for small meshes: on a CPU PyTorch3D tries every face at every pixel."""
    rasterize_meshes = importlib.import_module("pytorch3d.renderer.mesh.rasterize_meshes").rasterize_meshes
    meshes = importlib.import_module("pytorch3d.structures").Meshes
    points = on_screen(vertices, viewpoint, height, width)
    asked = settings(points, faces, viewpoint, height, width, cull)
    face, depth, bary, _ = rasterize_meshes(meshes([points.float()], [faces.long()]), **asked)
    return as_fragments(face, depth, bary)


def on_screen(vertices: Tensor, viewpoint: Viewpoint, height: int, width: int) -> Tensor:
    """World points [V, 3] -> float64 [V, 3] on PyTorch3D's screen: +X to the left and +Y up, -1 to 1 along the shorter
    side, Z the distance along the camera's axis."""
    points, depth = homogeneous(vertices.double(), viewpoint, height, width)
    w = torch.where(points[:, 2].abs() < 1e-9, 1e-9, points[:, 2])
    half = min(height, width) / 2
    return torch.stack([(width / 2 - points[:, 0] / w) / half, (height / 2 - points[:, 1] / w) / half, depth], 1)


def settings(points: Tensor, faces: Tensor, viewpoint: Viewpoint, height: int, width: int, cull: bool) -> Settings:
    """How points [V, 3] of ``on_screen`` are drawn: one face a pixel, no blur, corners weighted on the surface."""
    return {
        "image_size": (height, width),
        "blur_radius": 0.0,
        "faces_per_pixel": 1,
        "bin_size": 0,
        "perspective_correct": viewpoint.span is None,
        "cull_backfaces": cull,
        "z_clip_value": near_plane(points[faces.long(), 2]),
    }


def as_fragments(face: Tensor, depth: Tensor, bary: Tensor) -> Fragments:
    """Of its answer for one mesh and one face a pixel: face int64 [1, h, w, 1], depth [1, h, w, 1] and bary
    [1, h, w, 1, 3], all -1 where nothing is."""
    found = face[0, ..., 0].to(torch.int32)
    nothing = found < 0
    weights = bary[0, :, :, 0].float().masked_fill(nothing[..., None], 0)
    return Fragments(found, weights, depth[0, ..., 0].float().masked_fill(nothing, torch.inf))
