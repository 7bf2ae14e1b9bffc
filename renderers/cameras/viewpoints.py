"""Cameras that stand somewhere: what meshes and splats are looked at with.

World and camera space are right-handed, +Y up; a camera looks down its own -Z with +X right and +Y up (OpenGL, glTF,
three.js). The orbit camera of azimuth a and elevation e at distance d stands at
target + d (cos e sin a, sin e, cos e cos a) and looks at the target: azimuth 0 sees the front (the +Z side). Angles are
radians here. Pixel centres lie at half-integers; pixels are square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ..arrays import cross, triple
from .backgrounds import Background

Vector = tuple[float, float, float]
Units = Literal["object", "scene", "viewer"]


@dataclass(frozen=True)
class Viewpoint:
    """One camera.

    position: in the rig's units. right, up: unit vectors of the camera's own +X and +Y in the world; it looks along
    up x right. fov: horizontal field of view, radians, edge to edge of a view. span: for an orthographic camera, the
    width that a view shows, in the rig's units; fov is then not used. shift: where the axis meets the frame, as a
    fraction of half the view's width to the right and of half its height upwards (0, 0 is the middle).
    """

    position: Vector
    right: Vector = (1.0, 0.0, 0.0)
    up: Vector = (0.0, 1.0, 0.0)
    fov: float = math.radians(60)
    span: float | None = None
    shift: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("position", "right", "up"):
            if not all(math.isfinite(v) for v in getattr(self, name)):
                raise ValueError(f"camera {name} {getattr(self, name)} holds a value that is no number")
        if self.span is None and not 0 < self.fov < math.pi:
            raise ValueError(f"field of view {math.degrees(self.fov):g} is outside (0, 180) degrees; use 30 to 90")
        if self.span is not None and not 0 < self.span < math.inf:
            raise ValueError(f"an orthographic camera that shows a width of {self.span:g} sees nothing; use e.g. 2")

    @staticmethod
    def orbit(
        azimuth: float,
        elevation: float,
        distance: float,
        target: Vector = (0.0, 0.0, 0.0),
        fov: float = math.radians(60),
        span: float | None = None,
    ) -> Viewpoint:
        """The orbit camera; straight above and below it keeps the azimuth's sense of up. Angles in radians."""
        if not 0 < distance < math.inf:
            raise ValueError(f"camera distance {distance:g}: use a distance above 0, e.g. 2")
        sa, ca, se, ce = math.sin(azimuth), math.cos(azimuth), math.sin(elevation), math.cos(elevation)
        back = (ce * sa, se, ce * ca)
        place = tuple(t + distance * b for t, b in zip(target, back, strict=True))
        return Viewpoint(place, (ca, 0.0, -sa), (-se * sa, ce, -se * ca), fov, span)  # pyright: ignore[reportArgumentType]

    @property
    def rotation(self) -> Tensor:
        """float64 [3, 3]: world from camera; columns are right, up and back."""
        right, up = (torch.tensor(v, dtype=torch.float64) for v in (self.right, self.up))
        return torch.stack([right, up, cross(right, up)], 1)

    @property
    def backward(self) -> Vector:
        """Unit vector from what it looks at towards the camera."""
        return triple(self.rotation[:, 2])

    @property
    def azimuth(self) -> float:
        """Of the place it looks from, as an orbit camera's, radians."""
        x, _, z = self.backward
        return math.atan2(x, z)

    @property
    def elevation(self) -> float:
        """Of the place it looks from, as an orbit camera's, radians."""
        return math.asin(max(-1.0, min(1.0, self.backward[1])))

    def in_scene(self, centre: Vector, radius: float) -> Viewpoint:
        """The same camera around an object of that centre and radius, in the scene's coordinates."""
        place = tuple(c + radius * p for c, p in zip(centre, self.position, strict=True))
        span = None if self.span is None else self.span * radius
        return replace(self, position=place, span=span)  # pyright: ignore[reportArgumentType]

    def from_scene(self, centre: Vector, radius: float) -> Viewpoint:
        """The inverse of ``in_scene``: a camera of the scene's coordinates in object units."""
        place = tuple((p - c) / radius for c, p in zip(centre, self.position, strict=True))
        span = None if self.span is None else self.span / radius
        return replace(self, position=place, span=span)  # pyright: ignore[reportArgumentType]

    def turned(self, axes: tuple[Vector, Vector, Vector]) -> Viewpoint:
        """The camera in a world turned so that X, Y and Z become ``axes``."""

        def turn(vector: Vector) -> Vector:
            x, y, z = (sum(v * axis[i] for v, axis in zip(vector, axes, strict=True)) for i in range(3))
            return x, y, z

        return replace(self, position=turn(self.position), right=turn(self.right), up=turn(self.up))

    def half_size(self, height: int, width: int) -> tuple[float, float]:
        """(half the width, half the height) of what a view shows: at depth 1, or anywhere when orthographic."""
        half = math.tan(self.fov / 2) if self.span is None else self.span / 2
        return half, half * height / width

    def camera_space(self, points: Tensor) -> Tensor:
        """World points [..., 3] -> camera space [..., 3]; what is in front has negative z."""
        place = torch.tensor(self.position, dtype=points.dtype, device=points.device)
        return (points - place) @ self.rotation.to(points)

    def pixels(self, points: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """World points [..., 3] -> (row, column, depth): pixel positions, 0.5 at the first pixel's centre, and the
        distance along the axis. Where depth is not positive, a perspective camera's position means nothing."""
        x, y, z = self.camera_space(points).unbind(-1)
        depth = -z
        across, down = self.half_size(height, width)
        scale = torch.ones_like(depth) if self.span is not None else depth
        u = x / (scale * across) + self.shift[0]
        v = y / (scale * down) + self.shift[1]
        return (1 - v) * height / 2, (1 + u) * width / 2, depth


@dataclass(frozen=True)
class Orbit:
    """Cameras around an object, all with views of ``width`` x ``height`` image pixels.

    units: ``object``, where the object's centre is the origin and its radius is 1, or ``scene``, the file's own
    coordinates (cameras that were recorded with the scene), or ``viewer``, those of the host's 3D viewer, which shows
    splats turned by half around X.
    exponent: views count by the cosine of the viewing angle to this power when they are averaged; (first, last) goes
    from one to the other over the steps of a run.
    background: what views show around the object while they are denoised; None: what each makes of it.
    front: azimuth from which the object's front is seen, radians; words such as front and left are meant from there.
    """

    viewpoints: tuple[Viewpoint, ...]
    width: int
    height: int
    units: Units = "object"
    exponent: tuple[float, float] = (1.0, 1.0)
    background: Background | None = None
    front: float = 0.0

    kind = "orbit cameras"

    def __post_init__(self) -> None:
        if not self.viewpoints:
            raise ValueError("a rig without cameras sees nothing; add a camera")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a view of {self.width} x {self.height} has no pixels; use e.g. 512 x 512")
        if self.units not in ("object", "scene", "viewer"):
            raise ValueError(f"units '{self.units}' are unknown; use object, scene or viewer")
        if not all(0 <= e <= 32 for e in self.exponent):
            raise ValueError(f"exponent {self.exponent[0]:g} to {self.exponent[1]:g}: use 0 to 32")

    def in_scene(self, centre: Vector, radius: float) -> tuple[Viewpoint, ...]:
        """The cameras in the scene's coordinates."""
        if self.units != "object":
            return self.viewpoints
        return tuple(v.in_scene(centre, radius) for v in self.viewpoints)
