"""Slow readable twins of splat rendering in float64, and small scenes to try them on."""

from __future__ import annotations

import math

import torch
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.splats.splats import Splats
from syncpack.renderers.splats.weights.project import ALPHA_MIN, Projected
from syncpack.renderers.splats.weights.tiles import ALPHA_MAX, TRANSMITTANCE_MIN
from torch import Tensor

torch.set_num_threads(1)


def ball(count: int, seed: int = 0, size: float = 0.8, far: float = 0.2) -> Splats:
    """Flat splats on a bumpy ball of radius about 1; ``size``: in mean spacings; ``far``: depth of the bumps."""
    rng = torch.Generator().manual_seed(seed)
    normal = torch.nn.functional.normalize(torch.randn(count, 3, generator=rng), dim=1)
    radius = 1 + far * torch.sin(5 * normal[:, :1]) * torch.cos(4 * normal[:, 1:2])
    ahead = torch.tensor([0.0, 0.0, 1.0]).expand(count, 3)
    turn = torch.cat([1 + (ahead * normal).sum(1, keepdim=True), torch.linalg.cross(ahead, normal)], 1)
    scale = math.sqrt(4 * math.pi / count) * size
    scales = scale * torch.tensor([1.0, 1.0, 0.1]) * (0.7 + 0.6 * torch.rand(count, 1, generator=rng))
    opacities = 0.3 + 0.69 * torch.rand(count, generator=rng)
    sh = torch.rand(count, 1, 3, generator=rng) * 3 - 1.5
    return Splats(radius * normal, scales, turn, opacities, sh, name="ball")


def fog(count: int, seed: int = 0, size: float = 0.2) -> Splats:
    """Splats of every shape and turn in a cube: long ones, thin ones, faint ones."""
    rng = torch.Generator().manual_seed(seed)
    scales = size * torch.exp(1.2 * torch.randn(count, 3, generator=rng))
    return Splats(
        torch.rand(count, 3, generator=rng) * 2 - 1,
        scales,
        torch.randn(count, 4, generator=rng),
        torch.rand(count, generator=rng),
        torch.rand(count, 1, 3, generator=rng) * 3 - 1.5,
        name="fog",
    )


def around(splats: Splats, azimuth: float = 0.3, elevation: float = 0.2, distance: float = 2.6) -> Viewpoint:
    return Viewpoint.orbit(azimuth, elevation, distance).in_scene(splats.centre, splats.radius)


def dense_weights(view: Projected, count: int) -> Tensor:
    """float64 [h * w, K]: every splat at every pixel, one pixel and one splat after the other, each out to the alpha
    that counts (see ``uncut_weights`` for all)."""
    out = torch.zeros(view.height * view.width, count, dtype=torch.float64)
    inverse = view.conic
    for row in range(view.height):
        for column in range(view.width):
            away = torch.tensor([column + 0.5, row + 0.5], dtype=torch.float64) - view.mean
            power = inverse[:, 0] * away[:, 0] ** 2 + 2 * inverse[:, 1] * away[:, 0] * away[:, 1]
            alphas = view.opacity * torch.exp(-0.5 * (power + inverse[:, 2] * away[:, 1] ** 2))
            light = 1.0
            limits = view.limit.tolist()
            for k, alpha, least in zip(view.index.tolist(), alphas.clamp(max=ALPHA_MAX).tolist(), limits, strict=True):
                if alpha < least:
                    continue
                if light * (1 - alpha) <= TRANSMITTANCE_MIN:
                    break
                out[row * view.width + column, k] = alpha * light
                light *= 1 - alpha
    return out


def tile_pairs(
    range_start: int,
    range_end: int,
    transmittances: Tensor,
    means2d: Tensor,
    conics: Tensor,
    opacities: Tensor,
    image_width: int,
    image_height: int,
    tile_size: int,
    isect_offsets: Tensor,
    flatten_ids: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """gsplat's ``rasterize_to_indices_in_range`` of one image, pixel by pixel and splat by splat, as its documentation
    and that of its rasteriser have it: (splat ids, pixel ids, image ids), a pixel's splats front to back."""
    assert range_start == 0 and range_end * tile_size**2 > len(flatten_ids), "all at once"
    assert transmittances.shape == (1, image_height, image_width) and bool((transmittances == 1).all())
    rows, columns = isect_offsets.shape[1:]
    assert rows * tile_size >= image_height and columns * tile_size >= image_width
    assert isect_offsets.dtype == flatten_ids.dtype == torch.int32, "gsplat reads no others"
    assert {t.dtype for t in (means2d, conics, opacities)} == {torch.float32}
    ends = [*isect_offsets.flatten().tolist()[1:], len(flatten_ids)]
    found: list[tuple[int, int]] = []
    for row in range(image_height):
        for column in range(image_width):
            tile = row // tile_size * columns + column // tile_size
            light = 1.0
            for splat in flatten_ids[isect_offsets.flatten()[tile] : ends[tile]].tolist():
                x, y = (torch.tensor([column + 0.5, row + 0.5]) - means2d[0, splat]).tolist()
                xx, xy, yy = conics[0, splat].tolist()
                sigma = 0.5 * (xx * x * x + yy * y * y) + xy * x * y
                alpha = min(ALPHA_MAX, float(opacities[0, splat]) * math.exp(-sigma))
                if sigma < 0 or alpha < ALPHA_MIN:
                    continue
                if light * (1 - alpha) <= TRANSMITTANCE_MIN:
                    break
                light *= 1 - alpha
                found.append((splat, row * image_width + column))
    splats, pixels = torch.tensor(found, dtype=torch.int64).reshape(-1, 2).unbind(1)
    return splats, pixels, torch.zeros_like(pixels)
