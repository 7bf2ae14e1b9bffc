"""Splats and the cameras around them, drawn."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..cameras.drawn import Around, cameras_of, frusta
from ..cameras.viewpoints import Orbit, Viewpoint
from ..drawing.ink import PAPER
from ..drawing.outlines import Outline
from .space import SplatColours
from .splats import Splats

# Where splats hide more than this of what is behind, lines there are hidden.
_SOLID = 0.5
# How bright black and white splats are drawn.
_DARK, _BRIGHT = 0.3, 0.85


def splat_outlines(splats: Splats, rig: Any) -> tuple[Outline, ...]:
    """The cameras of a rig in object units, the scene's up at the top. Raises ValueError for a rig without any."""
    rig = cameras_of(rig)
    return frusta(_in_object(splats, rig), rig.width, rig.height)


def _in_object(splats: Splats, rig: Orbit) -> tuple[Viewpoint, ...]:
    return tuple(splats.in_object(v) for v in splats.cameras(rig))


def splat_drawing(space: SplatColours, rig: Orbit, size: int, turn: float) -> Tensor:
    """The splats in grey, and the cameras around them: [H, W, 3], the longer side ``size``."""
    splats = space.splats
    light = splats.colours @ torch.tensor([0.2126, 0.7152, 0.0722])
    grey = _DARK + (_BRIGHT - _DARK) * light

    def solid(eye: Viewpoint, height: int, width: int) -> tuple[Tensor, Tensor]:
        camera = splats.cameras(Orbit((eye,), width, height))[0]
        found = space.weights(camera, height, width)
        away = -camera.camera_space(splats.positions.double())[:, 2].float()
        shown, depth = found.map.apply(torch.stack([grey, away], 1)).unbind(1)
        picture = shown[:, None] + (1 - found.alpha[:, None]) * torch.tensor(PAPER)
        deep = torch.where(found.alpha > _SOLID, depth / found.alpha.clamp_min(1e-6) / splats.radius, torch.inf)
        return picture.reshape(height, width, 3), deep.reshape(height, width).double()

    cameras = _in_object(splats, rig)
    return Around(cameras, rig.width, rig.height, rig.front, space.points(), solid).picture(size, turn)
