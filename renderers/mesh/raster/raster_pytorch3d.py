"""The same view through PyTorch3D, for those who have it and want to compare.

Written by its documented interface (``rasterize_meshes``); no machine that tests this pack has it installed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...cameras.viewpoints import Viewpoint


def rasterise_pytorch3d(
    vertices: Tensor, faces: Tensor, viewpoint: Viewpoint, height: int, width: int, near: float, cull: bool
):
    """As ``raster.rasterise``; near: part of the farthest vertex's depth. Meant for small meshes: on a CPU PyTorch3D
    tries every face at every pixel."""
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes  # pyright: ignore
    from pytorch3d.structures import Meshes  # pyright: ignore

    from .raster import Fragments, homogeneous

    points, depth = homogeneous(vertices.double(), viewpoint, height, width)
    near = near * max(float(depth[faces.long()].max()), 1e-30)
    w = torch.where(points[:, 2].abs() < 1e-9, 1e-9, points[:, 2])
    # Its screen has +X to the left and +Y up, -1 to 1 along the shorter side.
    half = min(height, width) / 2
    place = torch.stack([(width / 2 - points[:, 0] / w) / half, (height / 2 - points[:, 1] / w) / half, depth], 1)
    face, far, bary, _ = rasterize_meshes(
        Meshes([place.float()], [faces.long()]),
        image_size=(height, width),
        blur_radius=0.0,
        faces_per_pixel=1,
        bin_size=0,
        perspective_correct=viewpoint.span is None,
        cull_backfaces=cull,
        z_clip_value=near,
    )
    found = face[0, ..., 0].to(torch.int32)
    nothing = found < 0
    weights = bary[0, :, :, 0].float().masked_fill(nothing[..., None], 0)
    return Fragments(found, weights, far[0, ..., 0].float().masked_fill(nothing, torch.inf))
