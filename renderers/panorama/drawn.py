"""A sphere and the views of it, drawn: outlines on the equirectangular map, and in space."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..cameras.looks import Look, angles
from ..drawing.ink import DARK, PALE, Ink, apart, badge, badge_size, colours, pairs
from ..drawing.outlines import Outline
from .space import Lookout

# Points along each side of a frame.
_POINTS = 24
# How bright one view, and all of them, make a place.
_ONE, _ALL = 0.24, 0.5


def sphere_outlines(rig: Any) -> tuple[Outline, ...]:
    """The frames of a rig's views as directions, on the unit sphere. Raises ValueError for a rig that does not look
    around in a sphere."""
    if not isinstance(rig, Lookout):
        raise ValueError(
            f"a rig of {getattr(rig, 'kind', type(rig).__name__)} does not look around in a panorama; set ViewRig's "
            "kind to ring, sphere, fibonacci or custom"
        )
    return tuple(Outline(i, (_frame(look, rig),), look.axis) for i, look in enumerate(rig.looks))


def _frame(look: Look, rig: Lookout) -> Tensor:
    """Unit directions [n, 3] along the border of a view, closed, clockwise from the upper left corner."""
    across, upwards = look.tangents(rig.height, rig.width)
    part = torch.linspace(-1, 1, _POINTS + 1, dtype=torch.float64)[:-1]
    one = torch.ones_like(part)
    x = torch.cat([part, one, -part, -one, -one[:1]]) * across
    y = torch.cat([one, -part, -one, part, one[:1]]) * upwards
    own = torch.stack([x, y, -torch.ones_like(x)], 1)
    return torch.nn.functional.normalize(own @ look.rotation().T, dim=1)


def places_on_map(directions: Tensor, width: int, height: int, around: float | None = None) -> Tensor:
    """float64 [n, 2]: (x, y) of directions [n, 3] on a map of that size. around: for a line that is not to jump where
    the map ends; it goes on beyond, and begins within half a map of that azimuth, radians."""
    azimuth, elevation = angles(directions)
    if around is not None:
        first = around + torch.remainder(azimuth[:1] - around + math.pi, 2 * math.pi) - math.pi
        steps = torch.remainder(azimuth.diff() + math.pi, 2 * math.pi) - math.pi
        azimuth = torch.cat([first, first + steps.cumsum(0)])
    return torch.stack([(azimuth / math.pi + 1) / 2 * width, (0.5 - elevation / math.pi) * height], 1)


def sphere_drawing(rig: Lookout, counts: Tensor, size: int) -> Tensor:
    """The outlines on a map [size / 2, size, 3], brighter where more views see a place; counts: how many do, a map of
    any size."""
    width, height = size, size // 2
    most = max(1, int(counts.max()))
    shade = torch.where(counts > 0, _ONE + (_ALL - _ONE) * (counts - 1).clamp_min(0) / max(1, most - 1), 0.1)
    scaled = torch.nn.functional.interpolate(shade.float()[None, None], size=(height, width), mode="bilinear")[0, 0]
    ink = Ink(scaled[..., None] * torch.tensor([0.92, 0.97, 1.06]))
    _graticule(ink, size)
    outlines = sphere_outlines(rig)
    tints = colours(len(outlines))
    for outline, colour in zip(outlines, tints, strict=True):
        middle = float(angles(outline.label)[0])
        line = places_on_map(outline.lines[0], width, height, middle)
        for shift in (-width, 0, width):
            beyond = pairs(line + torch.tensor([float(shift), 0.0]))
            ink.stroke([beyond], DARK, size / 210, 0.55)
            ink.stroke([beyond], colour, size / 380)
    reach = badge_size(len(outlines), size)
    places = places_on_map(torch.stack([outline.label for outline in outlines]), width, height)
    moved = apart(places, 2.15 * reach, (width, height))
    for i, place in enumerate(pairs(moved)):
        badge(ink, place, i, tints[i], reach)
    return ink.picture()


def _graticule(ink: Ink, size: int) -> None:
    """Meridians and parallels every 30 degrees; the horizon and the middle a little stronger."""
    for degrees in range(-150, 180, 30):
        x = (degrees / 360 + 0.5) * ink.width
        ink.stroke([[(x, 0), (x, ink.height)]], PALE, size / 900, 0.32 if degrees == 0 else 0.14)
    for degrees in range(-60, 90, 30):
        y = (0.5 - degrees / 180) * ink.height
        ink.stroke([[(0, y), (ink.width, y)]], PALE, size / 900, 0.32 if degrees == 0 else 0.14)
