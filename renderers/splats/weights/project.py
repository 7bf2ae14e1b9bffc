"""Splats as a camera sees them: ellipses on the image plane (EWA), sorted from near to far.

The rules are those of 3D Gaussian splatting as gsplat 1.5 has them: the covariance is carried through the first-order
expansion of the projection at the splat's centre, a constant is added to its diagonal so that no splat is narrower
than a pixel, and splats nearer than the near plane are left out (Zwicker et al. 2001; Kerbl et al. 2023).
``antialiased`` lowers the opacity by what that constant made the ellipse larger (Yu et al. 2024, Mip-Splatting);
scenes trained without it (Inria's) want ``classic``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...arrays import cross
from ...cameras.viewpoints import Viewpoint
from ...quaternions import turn_rows
from ..splats import Splats
from .faint import ALPHA_MIN, least_alphas

Rule = Literal["antialiased", "classic"]
RULES: tuple[Rule, ...] = ("antialiased", "classic")

# Added to both variances, square pixels.
EPS2D = 0.3
# How far outside the frame the expansion is still taken at the splat's own place, in half frames.
_MARGIN = 0.3
# Near plane, as a part of the scene's radius.
NEAR = 0.01


@dataclass(frozen=True)
class Projected:
    """What one camera sees, nearest first; splats that can add to no pixel are left out.

    index: int64 [n], which splat. mean: float64 [n, 2], (x, y) in pixels, 0.5 at the first pixel's centre. covariance:
    float64 [n, 3], (xx, xy, yy) in square pixels. opacity: float64 [n] in 0..1. depth: float64 [n], along the axis.
    extent: float64 [n, 2], half the width and height of the box in which alpha reaches the least that counts, pixels.
    least: float64 [n], that alpha (faint.py); None: 1/255 for all.
    """

    index: Tensor
    mean: Tensor
    covariance: Tensor
    opacity: Tensor
    depth: Tensor
    extent: Tensor
    height: int
    width: int
    least: Tensor | None = None

    def __len__(self) -> int:
        return self.index.numel()

    @property
    def limit(self) -> Tensor:
        """float64 [n]: ``least``, written out."""
        return torch.full_like(self.opacity, ALPHA_MIN) if self.least is None else self.least

    @property
    def conic(self) -> Tensor:
        """float64 [n, 3], the inverse covariance (xx, xy, yy)."""
        xx, xy, yy = self.covariance.unbind(-1)
        return torch.stack([yy, -xy, xx], -1) / (xx * yy - xy * xy)[:, None]

    @property
    def squares(self) -> tuple[Tensor, Tensor, Tensor]:
        """float64 [n] each (lean, across, down): at (x, y) from its mean a splat's exponent is -(u^2 + v^2) / 2, with
        u = across (x + lean y) and v = down y. Sums of squares do not cancel, as the conic's terms do in float32."""
        xx, xy, yy = self.covariance.unbind(-1)
        return -xy / yy, (xx - xy * xy / yy).clamp_min(1e-12).rsqrt(), yy.rsqrt()


def check_rule(rule: str) -> None:
    if rule not in RULES:
        raise ValueError(f"splat rule '{rule}' is unknown; use one of {', '.join(RULES)}")


def rotation_matrices(rotations: Tensor) -> Tensor:
    """Unit quaternions (w, x, y, z) [..., 4] -> [..., 3, 3]; other lengths are normalised."""
    w, x, y, z = torch.nn.functional.normalize(rotations, dim=-1).unbind(-1)
    return torch.stack([torch.stack(row, -1) for row in turn_rows(w, x, y, z)], -2)


def project(
    splats: Splats, viewpoint: Viewpoint, height: int, width: int, rule: Rule = "antialiased", near: float | None = None
) -> Projected:
    """The splats in one view, in float64 on the CPU (a few hundredths of a second for 100,000).

    viewpoint: in the scene's coordinates. near: splats whose centre is nearer than this along the axis are left out,
    in the scene's units (None: a hundredth of the scene's radius). A camera inside the scene sees what is in front of
    it. Raises ValueError for an unknown rule.
    """
    check_rule(rule)
    near = NEAR * splats.radius if near is None else near
    across, _ = viewpoint.half_size(height, width)
    focal = width / (2 * across)
    centre = torch.tensor([width * (1 + viewpoint.shift[0]) / 2, height * (1 - viewpoint.shift[1]) / 2]).double()
    # Image axes: x right, y down, z ahead.
    flip = torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)
    place = viewpoint.camera_space(splats.positions.double().cpu()) * flip
    index = torch.nonzero(place[:, 2] > near)[:, 0]
    place = place[index]
    turned = (viewpoint.rotation * flip).T @ rotation_matrices(splats.rotations[index].double().cpu())
    axes = turned * splats.scales[index].double().cpu()[:, None, :]
    x, y, depth = place.unbind(-1)
    if viewpoint.span is None:
        mean = focal * place[:, :2] / depth[:, None] + centre
        slope_x, slope_y = _clamped(x / depth, y / depth, centre, focal, height, width)
        across_x = focal * (axes[:, 0] - slope_x[:, None] * axes[:, 2]) / depth[:, None]
        across_y = focal * (axes[:, 1] - slope_y[:, None] * axes[:, 2]) / depth[:, None]
    else:
        mean = focal * place[:, :2] + centre
        across_x, across_y = focal * axes[:, 0], focal * axes[:, 1]
    xx, xy, yy = (across_x**2).sum(-1), (across_x * across_y).sum(-1), (across_y**2).sum(-1)
    # From the cross product: a flat splat seen from its edge would cancel.
    thin = cross(across_x, across_y).square().sum(-1)
    wide = (thin + EPS2D * (xx + yy) + EPS2D**2).clamp_min(1e-10)
    opacity = splats.opacities[index].double().cpu()
    if rule == "antialiased":
        opacity = opacity * (thin / wide).clamp_min(0).sqrt()
    covariance = torch.stack([xx + EPS2D, xy, yy + EPS2D], -1)
    least = least_alphas(mean, covariance, opacity, depth, height, width)
    limit = ALPHA_MIN if least is None else least
    reach = (2 * torch.log((opacity / limit).clamp_min(1))).sqrt()
    extent = reach[:, None] * covariance[:, [0, 2]].sqrt()
    size = torch.tensor([width, height], dtype=torch.float64)
    # (pixel centres lie half a pixel inside the frame)
    seen = (opacity >= limit) & ((mean + extent >= 0.5) & (mean - extent <= size - 0.5)).all(-1)
    order = torch.argsort(depth[seen], stable=True)
    kept = torch.nonzero(seen)[:, 0][order]
    parts = (index, mean, covariance, opacity, depth, extent)
    return Projected(
        *(part[kept] for part in parts), height=height, width=width, least=None if least is None else least[kept]
    )


def _clamped(x: Tensor, y: Tensor, centre: Tensor, focal: float, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Slopes of the rays to the splats, no further outside the frame than the margin: beyond, the first-order
    expansion draws a splat beside the camera over the whole image."""
    limits: list[Tensor] = []
    for slope, middle, size in ((x, float(centre[0]), width), (y, float(centre[1]), height)):
        margin = _MARGIN * size / (2 * focal)
        limits.append(slope.clamp(-(middle / focal + margin), (size - middle) / focal + margin))
    return limits[0], limits[1]
