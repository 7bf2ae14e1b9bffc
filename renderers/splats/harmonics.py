"""Colour that depends on the direction: real spherical harmonics in the order and signs that splat files use."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..cameras.viewpoints import Viewpoint
from .splats import Splats


def harmonics(directions: Tensor, degree: int) -> Tensor:
    """Unit vectors [..., 3] -> values [..., (degree + 1)^2], band after band, m from -l to l.

    Y_lm = sqrt((2l + 1)(l - |m|)! / (2 pi (l + |m|)!)) P_l^|m|(z) times sin(|m| phi) for m < 0 and cos(m phi) else
    (over sqrt 2 for m = 0), with the Condon-Shortley sign in P; angles about z.
    """
    x, y, z = directions.unbind(-1)
    # sin^m(theta) cos(m phi) and sin^m(theta) sin(m phi), m = 0, 1, ...
    cosines, sines = [torch.ones_like(x)], [torch.zeros_like(x)]
    for _ in range(degree):
        c, s = cosines[-1], sines[-1]
        cosines.append(x * c - y * s)
        sines.append(x * s + y * c)
    # P_l^m / sin^m(theta) by the recurrence in l.
    legendre: dict[tuple[int, int], Tensor] = {}
    for m in range(degree + 1):
        legendre[m, m] = torch.full_like(z, (-1) ** m * math.prod(range(1, 2 * m, 2)))
        for band in range(m + 1, degree + 1):
            older = legendre[band - 2, m] * (band + m - 1) if band > m + 1 else 0
            legendre[band, m] = ((2 * band - 1) * z * legendre[band - 1, m] - older) / (band - m)
    values: list[Tensor] = []
    for band in range(degree + 1):
        for m in range(-band, band + 1):
            n = abs(m)
            norm = math.sqrt((2 * band + 1) * math.factorial(band - n) / (4 * math.pi * math.factorial(band + n)))
            part = sines[n] if m < 0 else cosines[n]
            values.append((norm if m == 0 else math.sqrt(2) * norm) * legendre[band, n] * part)
    return torch.stack(values, -1)


def colours_from(splats: Splats, viewpoint: Viewpoint) -> Tensor:
    """float32 [K, 3], at least 0: the splats' colours as a camera in the scene's coordinates sees them, all bands."""
    if splats.degree == 0:
        return splats.colours
    if viewpoint.span is None:
        towards = splats.positions - torch.tensor(viewpoint.position)
    else:
        towards = -torch.tensor(viewpoint.backward).expand(len(splats), 3)
    basis = harmonics(torch.nn.functional.normalize(towards, dim=-1), splats.degree)
    return (0.5 + torch.einsum("kb,kbc->kc", basis, splats.sh)).clamp_min(0)
