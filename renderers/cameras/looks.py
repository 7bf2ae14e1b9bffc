"""Pinhole cameras that only turn: where they look, and which pixel sees which direction.

Camera space is right-handed, +X right, +Y up, looking down -Z. The direction of azimuth a and elevation e is
(cos e sin a, sin e, -cos e cos a): azimuth grows to the right, elevation upwards. Angles are radians here. Pixel
centres lie at half-integers; the field of view spans the width of a view, edge to edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Look:
    """One camera: azimuth, elevation, roll (clockwise as seen by the camera) and horizontal field of view, radians."""

    azimuth: float
    elevation: float
    fov: float
    roll: float = 0.0

    def __post_init__(self) -> None:
        for name in ("azimuth", "elevation", "fov", "roll"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"camera {name} is not a number; give degrees")
        if not 0 < self.fov < math.pi:
            raise ValueError(f"field of view {math.degrees(self.fov):g} is outside (0, 180) degrees; use 60 to 100")
        if abs(self.elevation) > math.pi / 2 + 1e-9:
            raise ValueError(f"elevation {math.degrees(self.elevation):g} is outside -90 to 90 degrees")

    @staticmethod
    def degrees(azimuth: float, elevation: float, fov: float, roll: float = 0.0) -> Look:
        return Look(*(math.radians(v) for v in (azimuth, elevation, fov, roll)))

    @property
    def axis(self) -> Tensor:
        """float64 [3]: the direction it looks in."""
        return direction(*torch.tensor([self.azimuth, self.elevation], dtype=torch.float64))

    def rotation(self) -> Tensor:
        """float64 [3, 3]: world from camera."""
        sa, ca = math.sin(self.azimuth), math.cos(self.azimuth)
        se, ce = math.sin(self.elevation), math.cos(self.elevation)
        sr, cr = math.sin(self.roll), math.cos(self.roll)
        turn = torch.tensor([[ca, 0, -sa], [0, 1, 0], [sa, 0, ca]], dtype=torch.float64)
        lift = torch.tensor([[1, 0, 0], [0, ce, -se], [0, se, ce]], dtype=torch.float64)
        roll = torch.tensor([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]], dtype=torch.float64)
        return turn @ lift @ roll

    def tangents(self, height: int, width: int) -> tuple[float, float]:
        """(horizontal, vertical) tangent of half the field of view, for square pixels."""
        horizontal = math.tan(self.fov / 2)
        return horizontal, horizontal * height / width


def direction(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Unit vectors [..., 3] of azimuths and elevations."""
    flat = elevation.cos()
    return torch.stack([flat * azimuth.sin(), elevation.sin(), -flat * azimuth.cos()], -1)


def angles(directions: Tensor) -> tuple[Tensor, Tensor]:
    """(azimuth in [-pi, pi], elevation) of directions [..., 3], of any length."""
    x, y, z = directions.unbind(-1)
    return torch.atan2(x, -z), torch.atan2(y, torch.hypot(x, z))


def rays(look: Look, height: int, width: int) -> Tensor:
    """float64 [height, width, 3]: directions through the pixel centres, not normalised (depth 1 along the axis)."""
    tx, ty = look.tangents(height, width)
    x = ((torch.arange(width, dtype=torch.float64) + 0.5) * 2 / width - 1) * tx
    y = (1 - (torch.arange(height, dtype=torch.float64) + 0.5) * 2 / height) * ty
    plane = torch.stack([x.expand(height, width), y[:, None].expand(height, width), -torch.ones(height, width)], -1)
    return plane.to(torch.float64) @ look.rotation().T


def pixels_of(look: Look, directions: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where directions [..., 3] fall in a view: (row, column) in pixels, 0.5 at the first pixel's centre, and bool
    whether the view sees them (in front of the camera and inside the frame)."""
    own = directions @ look.rotation().to(directions)
    x, y, depth = own[..., 0], own[..., 1], -own[..., 2]
    tx, ty = look.tangents(height, width)
    front = depth > 1e-7
    safe = torch.where(front, depth, torch.ones_like(depth))
    u, v = x / safe / tx, y / safe / ty
    seen = front & (u.abs() <= 1) & (v.abs() <= 1)
    return (1 - v) * height / 2, (1 + u) * width / 2, seen


def hann_at(look: Look, row: Tensor, column: Tensor, height: int, width: int) -> Tensor:
    """Hann window of the angle between a position in the frame and the axis, relative to the angle at the frame's
    border in the same direction: 1 in the middle, 0 at every border. row, column: as from ``pixels_of``."""
    tx, ty = look.tangents(height, width)
    u, v = (column * 2 / width - 1).abs(), (row * 2 / height - 1).abs()
    radius = torch.hypot(u * tx, v * ty)
    # How far the frame reaches in this direction, in multiples of the position's own distance.
    reach = 1 / torch.maximum(u, v).clamp_min(1e-9)
    share = torch.atan(radius) / torch.atan(radius * reach).clamp_min(1e-9)
    return torch.cos(math.pi / 2 * share.clamp(max=1)).square()


def angular_hann(look: Look, height: int, width: int) -> Tensor:
    """float32 [height, width]: ``hann_at`` the pixel centres, where it is positive."""
    row, column = (torch.arange(n, dtype=torch.float64) + 0.5 for n in (height, width))
    return hann_at(look, row[:, None].expand(height, width), column.expand(height, width), height, width).float()
