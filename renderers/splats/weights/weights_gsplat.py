"""The lists of ``weights.py`` by gsplat 1.5 on an NVIDIA GPU. Imported only when asked for.

gsplat names the splats that each pixel mixes, front to back (``rasterize_to_indices_in_range``); their weights are
worked out from that here, because gsplat's own way to do so needs one library more. Written by its documented
interface: the machines that test this pack have no GPU, there the call runs against a slow twin of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from .project import Projected
from .tiles import ALPHA_MAX, TILE, Lists, bands, tile_grid

Pairs = Callable[..., tuple[Tensor, Tensor, Tensor]]

# gsplat counts in batches of one tile's pixels; more than any scene has.
_ALL = 1 << 30


def listed_gsplat(view: Projected, prune: float, pairs: Pairs | None = None, device: str = "cuda") -> Lists:
    """As ``listed_torch``, on the CPU, entries in order of their pixels.

    pairs: in place of ``gsplat.rasterize_to_indices_in_range``, with its parameters. Raises ValueError when gsplat
    cannot load its CUDA code.
    """
    pairs = pairs or _gsplat_pairs()
    rows, columns = tile_grid(view)
    (band,) = bands(view, pairs=1 << 62)
    if not band.splat.numel():
        none = torch.zeros(0, dtype=torch.int32)
        return Lists(none, none, none, torch.zeros(0), torch.zeros(view.height * view.width))
    found: tuple[Tensor, Tensor, Tensor] = pairs(
        0,
        _ALL,
        torch.ones(1, view.height, view.width, device=device),
        view.mean.float()[None].to(device),
        view.conic.float()[None].to(device),
        view.opacity.float()[None].to(device),
        view.width,
        view.height,
        TILE,
        band.start.reshape(1, rows, columns).to(device, torch.int32),
        band.splat.to(device, torch.int32),
    )
    seen, pixel = found[0].long(), found[1].long()
    pixel, order = torch.sort(pixel, stable=True)
    seen = seen[order]
    weight = _weights(view, seen, pixel)
    pixels = view.height * view.width
    alpha = torch.zeros(pixels, dtype=torch.float64, device=device).index_add_(0, pixel, weight)
    keep = weight >= prune if prune > 0 else weight > 0
    pixel, seen, weight = pixel[keep], seen[keep], weight[keep]
    rank = torch.arange(len(pixel), device=device) - _first(pixel, pixels)
    pixel, rank, seen = (v.to("cpu", torch.int32) for v in (pixel, rank, seen))
    return Lists(pixel, rank, seen, weight.float().cpu(), alpha.float().cpu())


def _weights(view: Projected, seen: Tensor, pixel: Tensor) -> Tensor:
    """float64 [n]: alpha times what is left of the light, for entries in order of their pixels, front to back."""
    shapes = (*view.mean.unbind(1), *view.squares, view.opacity)
    left, top, lean, across, down, opacity = (values.to(seen.device)[seen] for values in shapes)
    x = pixel % view.width + 0.5 - left
    y = torch.div(pixel, view.width, rounding_mode="floor") + 0.5 - top
    power = -0.5 * ((across * (x + lean * y)).square() + (down * y).square())
    value = (opacity * power.exp()).clamp_max(ALPHA_MAX)
    # What is left before each, as a sum of logarithms that starts anew with every pixel.
    lost = torch.log1p(-value)
    before = lost.cumsum(0) - lost
    return value * (before - before[_first(pixel, view.height * view.width)]).exp()


def _first(pixel: Tensor, pixels: int) -> Tensor:
    """int64 [n]: where the entries of an entry's pixel begin; ``pixel`` is in order."""
    counts = torch.bincount(pixel, minlength=pixels)
    return (counts.cumsum(0) - counts)[pixel]


def _gsplat_pairs() -> Pairs:
    # gsplat compiles its CUDA code at the first call, and ends in an ImportError where it cannot.
    def pairs(*given: Any) -> tuple[Tensor, Tensor, Tensor]:
        try:
            from gsplat import rasterize_to_indices_in_range  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

            return cast(Pairs, rasterize_to_indices_in_range)(*given)
        except ImportError as error:
            raise ValueError(
                f"gsplat could not load its CUDA code ({str(error).splitlines()[0]}); choose backend numba or torch"
            ) from error

    return pairs
