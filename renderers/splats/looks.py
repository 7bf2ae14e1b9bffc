"""What ControlNets and people look at: depth, masks and pictures of splats from the rig's cameras."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..cameras.viewpoints import Viewpoint
from ..pictures import Range, spread
from .geometry import SplatGeometry
from .harmonics import colours_from
from .weights.tiles import ViewWeights

# Pixels that show less of the splats than this have no depth (the reference's mask).
LEAST_ALPHA = 0.01


def _each(geometry: SplatGeometry) -> Iterator[tuple[Viewpoint, ViewWeights]]:
    """View after view at the rig's size; nothing is kept."""
    size = (geometry.rig.height, geometry.rig.width)
    for viewpoint in geometry.viewpoints:
        yield viewpoint, geometry.space.weights(viewpoint, *size)


def expected_depth(geometry: SplatGeometry) -> tuple[Tensor, Tensor]:
    """(depth, alpha), float32 [N, h, w]: mean distance along the axis of what a pixel mixes, in the scene's units (0
    where it shows nothing), and how much of the pixel that is."""
    size = (geometry.rig.height, geometry.rig.width)
    depths: list[Tensor] = []
    alphas: list[Tensor] = []
    for viewpoint, found in _each(geometry):
        away = -viewpoint.camera_space(geometry.space.splats.positions.double())[:, 2:].float()
        depths.append((found.map.apply(away)[:, 0] / found.alpha.clamp_min(1e-12)).reshape(size))
        alphas.append(found.alpha.reshape(size))
    return torch.stack(depths), torch.stack(alphas)


def depth_hints(geometry: SplatGeometry, span: Range = "joint") -> tuple[Tensor, Tensor]:
    """(hints, mask), float32 [N, h, w]: inverse expected depth, near = 1 and far = 0, and alpha.

    span: near and far are taken over all views together, so that a place is equally bright from everywhere, or in
    every view for itself (more contrast). Background is 0.
    """
    depth, alpha = expected_depth(geometry)
    known = alpha > LEAST_ALPHA
    inverse = torch.where(known, 1 / depth.clamp_min(1e-12), 0.0)
    return spread(inverse, known, span).clamp(0, 1), alpha


def renders(geometry: SplatGeometry, background: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> tuple[Tensor, Tensor]:
    """(pictures [N, h, w, 3] in [0, 1], alpha [N, h, w]): the splats as they are, all bands of their colour, over a
    background."""
    size = (geometry.rig.height, geometry.rig.width)
    behind = torch.tensor(background)
    pictures: list[Tensor] = []
    alphas: list[Tensor] = []
    for viewpoint, found in _each(geometry):
        front = found.map.apply(colours_from(geometry.space.splats, viewpoint))
        pictures.append((front + (1 - found.alpha[:, None]) * behind).reshape(*size, 3).clamp(0, 1))
        alphas.append(found.alpha.reshape(size).clamp(0, 1))
    return torch.stack(pictures), torch.stack(alphas)
