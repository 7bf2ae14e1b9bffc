"""Cameras around an object, drawn: frusta in colours by number, fainter where the object hides them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..arrays import integers, norm
from ..drawing.ink import PALE, Ink, apart, badge, badge_size, colours, pairs
from ..drawing.outlines import Outline, Stand
from .framing import bounds, tight
from .viewpoints import Orbit, Viewpoint

Solid = Callable[[Viewpoint, int, int], tuple[Tensor, Tensor]]
"""What a camera in object units sees of an object in ``height`` x ``width`` pixels: (picture [h, w, 3] on ink's paper,
depth along the axis [h, w], infinite beside it)."""

# Half the longer side of a frustum's frame, in distances of the cameras; less where there are many.
_SIDE, _CROWD = 0.15, 0.62
# A frustum is so many of these long: wide lenses would be flat, long ones needles.
_SHORTEST, _LONGEST = 0.7, 2.2
# How much of a line is left behind the object.
HIDDEN = 0.26
# Where the picture is taken from: beside the front and above, through a long lens.
_BESIDE, _ABOVE, _LENS = 32.0, 24.0, 26.0
# The picture's shorter side is at least so much of the longer.
_SLIMMEST = 0.6
# What is hidden lies so much deeper, in object units: a line on the surface is seen.
_SLACK = 0.01


def cameras_of(rig: Any) -> Orbit:
    """The rig, when its cameras stand somewhere. Raises ValueError for others."""
    if not isinstance(rig, Orbit):
        raise ValueError(
            f"a rig of {getattr(rig, 'kind', type(rig).__name__)} has no cameras that stand around an object; connect "
            "OrbitRig's or CameraFileRig's"
        )
    return rig


def frusta(viewpoints: Sequence[Viewpoint], width: int, height: int) -> tuple[Outline, ...]:
    """The cameras in object units, with views of ``width`` x ``height``, as outlines of one size."""
    places = torch.tensor([v.position for v in viewpoints], dtype=torch.float64)
    distance = max(float(norm(places, 1).median()), 0.2)
    side = distance * min(_SIDE, _CROWD / math.sqrt(len(viewpoints)))
    return tuple(frustum(i, v, width, height, side) for i, v in enumerate(viewpoints))


def frustum(number: int, viewpoint: Viewpoint, width: int, height: int, side: float) -> Outline:
    """A camera as the pyramid (orthographic: the box) of what it sees, up to a frame whose longer side is twice
    ``side``, with a mark on its upper edge."""
    wide, high = viewpoint.half_size(height, width)
    flat = viewpoint.span is not None
    longer = max(wide, high)
    depth = 1.6 * side if flat else min(max(side / longer, _SHORTEST * side), _LONGEST * side)
    scale = side / longer if flat else min(depth, side / longer)
    across, upwards = wide * scale, high * scale
    # (a lens whose axis meets the frame elsewhere: the frame lies beside it)
    x, y = (-viewpoint.shift[0] * across, -viewpoint.shift[1] * upwards)
    frame = torch.tensor(
        [[x - across, y + upwards], [x + across, y + upwards], [x + across, y - upwards], [x - across, y - upwards]],
        dtype=torch.float64,
    )
    mark = torch.tensor(
        [[x - 0.4 * across, y + upwards], [x, y + upwards + 0.45 * across], [x + 0.4 * across, y + upwards]],
        dtype=torch.float64,
    )
    place, rotation = torch.tensor(viewpoint.position, dtype=torch.float64), viewpoint.rotation

    def world(points: Tensor, deep: float) -> Tensor:
        return torch.cat([points, points.new_full((len(points), 1), -deep)], 1) @ rotation.T + place

    far, near = world(frame, depth), world(frame if flat else 0 * frame, 0.0)
    closed = [0, 1, 2, 3, 0]
    lines = [far[closed], *(torch.stack([near[i], far[i]]) for i in range(4)), world(mark, depth)]
    if flat:
        lines.append(near[closed])
    stand = Stand(place, rotation[:, 0], rotation[:, 1], (wide, high), viewpoint.shift, flat)
    return Outline(number, tuple(lines), place, stand=stand)


def eye(points: Tensor, size: int, turn: float) -> tuple[Viewpoint, int, int]:
    """(The camera that a picture is taken with, in object units; height and width of that, the longer one ``size``).

    All points [V, 3] fill its frame. turn: degrees that it stands beside azimuth 0.
    """
    away = 1.05 * float(norm(points.double(), 1).max()) / math.sin(math.radians(_LENS) / 2)
    start = Viewpoint.orbit(math.radians(turn), math.radians(_ABOVE), away, fov=math.radians(_LENS))
    left, right, bottom, top = bounds(start, points)
    slim = min(max((top - bottom) / (right - left), _SLIMMEST), 1 / _SLIMMEST)
    height, width = (round(size * min(1.0, share)) for share in (slim, 1 / slim))
    return tight(start, points, height, width, 0.05), height, width


@dataclass(frozen=True)
class Around:
    """What is drawn: cameras in object units with views of ``width`` x ``height``, around an object that ``points``
    [V, 3] bound and ``solid`` shows. front: azimuth of the object's front, radians."""

    viewpoints: tuple[Viewpoint, ...]
    width: int
    height: int
    front: float
    points: Tensor
    solid: Solid

    def picture(self, size: int, turn: float = 0.0) -> Tensor:
        """float32 [H, W, 3], the longer side ``size``; turn: degrees to go further around the object."""
        outlines = frusta(self.viewpoints, self.width, self.height)
        places = torch.stack([outline.label for outline in outlines])
        radius = max(1.1, float(norm(places, 1).median()))
        ring = _ring(radius)
        drawn = torch.cat([self.points.double(), ring, *(line for one in outlines for line in one.lines)])
        camera, high, wide = eye(drawn, size, math.degrees(self.front) + _BESIDE + turn)
        picture, depth = self.solid(camera, high, wide)
        ink = Ink(picture)
        pen = _Pen(ink, camera, depth)
        pen.lines([ring], PALE, size / 640, 0.5)
        self._front(pen, size)
        self._cameras(pen, outlines, places, size)
        return ink.picture()

    def _front(self, pen: _Pen, size: int) -> None:
        """An arrow that leaves the object where its front is."""
        ahead = torch.tensor([math.sin(self.front), 0.0, math.cos(self.front)], dtype=torch.float64)
        beside = torch.tensor([ahead[2], 0.0, -ahead[0]], dtype=torch.float64)
        tip = 1.3 * ahead
        head = torch.stack([tip - 0.1 * ahead - 0.06 * beside, tip, tip - 0.1 * ahead + 0.06 * beside])
        pen.lines([torch.stack([1.05 * ahead, tip]), head], PALE, size / 520, 0.9)
        x, y = pairs(pen.seen((1.38 * ahead + 0.02 * beside)[None])[0])[0]
        pen.ink.words(x, y + size / 90, "front", size / 50, PALE)

    def _cameras(self, pen: _Pen, outlines: Sequence[Outline], places: Tensor, size: int) -> None:
        tints = colours(len(outlines))
        flat, depth = pen.seen(places)
        reach = badge_size(len(outlines), size)
        moved = apart(flat, 2.15 * reach, (pen.ink.width, pen.ink.height))
        order = integers(depth.argsort(descending=True))  # from far to near
        for i in order:
            hidden = bool(pen.hidden(places[i][None])[0])
            face = outlines[i].lines[outlines[i].face]
            pen.ink.area(pairs(pen.seen(face)[0]), tints[i], 0.06 if hidden else 0.2)
            pen.lines(outlines[i].lines, tints[i], size / 420)
        for i in order:
            badge(pen.ink, pairs(moved[i][None])[0], i, tints[i], reach, bool(pen.hidden(places[i][None])[0]))


def _ring(radius: float) -> Tensor:
    turn = torch.linspace(0, 2 * math.pi, 97, dtype=torch.float64)
    return radius * torch.stack([turn.sin(), torch.zeros_like(turn), turn.cos()], 1)


@dataclass(frozen=True)
class _Pen:
    """Draws lines in space into what a camera sees; fainter where something of that depth [h, w] is before them."""

    ink: Ink
    camera: Viewpoint
    depth: Tensor

    def seen(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """(places [n, 2] (x, y) in the picture, depths [n]) of points [n, 3]."""
        row, column, depth = self.camera.pixels(points.double(), *self.depth.shape)
        return torch.stack([column, row], 1), depth

    def hidden(self, points: Tensor) -> Tensor:
        """bool [n]."""
        flat, depth = self.seen(points)
        high, wide = self.depth.shape
        column, row = flat[:, 0].long().clamp(0, wide - 1), flat[:, 1].long().clamp(0, high - 1)
        return depth > self.depth[row, column] + _SLACK

    def lines(
        self, lines: Sequence[Tensor], colour: tuple[float, float, float], width: float, alpha: float = 1
    ) -> None:
        """Lines through points [n, 3]."""
        runs: dict[bool, list[list[tuple[float, float]]]] = {False: [], True: []}
        for line in lines:
            points = _finer(line)
            flat, hidden = pairs(self.seen(points)[0]), [v > 0 for v in integers(self.hidden(points).long())]
            start = 0
            for i in range(1, len(flat)):
                if i == len(flat) - 1 or hidden[i] != hidden[start]:
                    runs[hidden[start]].append(flat[start : i + 1])
                    start = i
        self.ink.stroke(runs[True], colour, width, HIDDEN * alpha)
        self.ink.stroke(runs[False], colour, width, alpha)


def _finer(line: Tensor, parts: int = 16) -> Tensor:
    """The same line with points between: it may go behind the object anywhere."""
    if len(line) > 2 * parts:
        return line
    share = torch.arange(parts, dtype=torch.float64)[:, None] / parts
    pieces = [a + share * (b - a) for a, b in itertools.pairwise(line)]
    return torch.cat([*pieces, line[-1:]])
