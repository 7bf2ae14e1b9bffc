"""What each pixel of a view mixes: lists of (splat, weight), front to back.

A pixel's colour is sum_k w_k c_k plus what shines through, with w_k = alpha_k prod_{j nearer} (1 - alpha_j), alpha_k
the splat's opacity times its Gaussian at the pixel's centre. Geometry stands still, so these are one sparse matrix per
view. Cutoffs as in gsplat 1.5: alpha below 1/255 adds nothing, none is above 0.999, and a pixel is finished before the
splat that would leave less than a ten-thousandth of the light. Where that first one would lose too much, faint splats
have a limit of their own (faint.py); their weights below ``prune`` are added up over a pixel, and whenever they come to
``prune`` the splat that fills it is listed with it: what a pixel lists stays bounded, and all of it counts.

Three backends fill the lists: ``torch`` everywhere and ``numba`` where installed, on the CPU; ``gsplat`` on an NVIDIA
GPU, only when asked for and for views of which gsplat's own cutoffs take little. The lists are the same and are kept in
main memory.
"""

from __future__ import annotations

from typing import Literal, cast, get_args

import torch

from ....sync_core.linear_map import LinearMap, unique_groups
from ...compiled import backend_behind
from .project import Projected
from .tiles import Lists, ViewWeights
from .weights_torch import listed_torch

Backend = Literal["auto", "torch", "numba", "gsplat"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

# Weights below this are left out, and a pixel's others scaled to the same sum: half the memory for 0.5 % of the light.
PRUNE = 1e-3


def pooled(weights: ViewWeights, width: int, parts: int, prune: float) -> ViewWeights:
    """Pixels that are the mean of ``parts`` x ``parts`` pixels of a view ``width`` pixels wide. What falls below
    ``prune`` is left out, and a pixel's others are scaled to the same sum; entries of a row are in order of column."""
    if parts == 1:
        return weights
    matrix, coarse = weights.map, width // parts
    pixel = torch.arange(matrix.rows)
    of = pixel // width // parts * coarse + pixel % width // parts
    rows = matrix.rows // parts**2
    key = of[matrix.row_of_entry] * matrix.cols + matrix.indices.long()
    distinct, place, _ = unique_groups(key)
    value = torch.zeros(len(distinct)).index_add_(0, place, matrix.weights / parts**2)
    alpha = torch.zeros(rows).index_add_(0, of, weights.alpha / parts**2)
    row = distinct // matrix.cols
    keep = value >= prune
    kept = torch.zeros(rows).index_add_(0, row[keep], value[keep])
    # (a pixel of faint splats only keeps them all)
    keep |= kept[row] == 0
    kept = torch.zeros(rows).index_add_(0, row[keep], value[keep])
    value = value * (alpha / kept.clamp_min(1e-12))[row]
    return ViewWeights(
        LinearMap.from_entries(rows, matrix.cols, row[keep], distinct[keep] % matrix.cols, value[keep]), alpha
    )


def chosen_backend(name: str) -> Literal["torch", "numba", "gsplat"]:
    """The backend behind a name. Raises ValueError for one that is unknown, not installed, or wants another device."""
    found = backend_behind("splat backend", name, BACKENDS, lambda missing: f"; pip install {missing}, or use torch")
    if found == "gsplat" and not torch.cuda.is_available():
        raise ValueError("splat backend 'gsplat' needs an NVIDIA GPU, which torch does not find; use numba or torch")
    return cast('Literal["torch", "numba", "gsplat"]', found)


def view_weights(view: Projected, count: int, backend: Backend = "auto", prune: float = PRUNE) -> ViewWeights:
    """The weights of one view over ``count`` splats.

    prune: weights below it are left out and the pixel's others scaled up to the same sum; 0 keeps all. Raises
    ValueError for a backend that is unknown or not installed, or cannot work here.
    """
    name = chosen_backend(backend)
    if name == "gsplat" and view.least is not None:
        name = chosen_backend("auto")
    if name == "numba":
        from .weights_numba import listed_numba

        lists = listed_numba(view, prune)
    elif name == "gsplat":
        from .weights_gsplat import listed_gsplat

        lists = listed_gsplat(view, prune)
    else:
        lists = listed_torch(view, prune)
    return assembled(view, lists, count)


def assembled(view: Projected, lists: Lists, count: int) -> ViewWeights:
    """Entries to rows of a matrix; what pruning took is given back to the pixel's other splats."""
    pixels = view.height * view.width
    pixel = lists.pixel.long()
    per_pixel = torch.bincount(pixel, minlength=pixels)
    offsets = torch.zeros(pixels + 1, dtype=torch.int64)
    torch.cumsum(per_pixel, 0, out=offsets[1:])
    place = offsets[pixel].add_(lists.rank)
    indices = torch.empty(len(pixel), dtype=torch.int32)
    weights = torch.empty(len(pixel), dtype=torch.float32)
    indices[place] = view.index[lists.seen.long()].to(torch.int32)
    weights[place] = lists.weight
    kept = torch.zeros(pixels).index_add_(0, pixel, lists.weight)
    scale = torch.where(kept > 0, lists.alpha / kept.clamp_min(1e-12), 0.0)
    weights *= torch.repeat_interleave(scale, per_pixel)
    alpha = torch.where(kept > 0, lists.alpha, 0.0)
    return ViewWeights(LinearMap(offsets.to(torch.int32), indices, weights, count), alpha)
