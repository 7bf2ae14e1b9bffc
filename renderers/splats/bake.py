"""New colours for splats, from pictures of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from ...sync_core.aggregate import Method
from ..arrays import array_of, shaped, tensor_of
from ..by_scipy import tree
from ..cameras.viewpoints import Viewpoint
from .choose import LEAST_VISIBLE
from .memory import check_more
from .solve.solve import SplatSolver
from .solve.solve_bands import solve_bands
from .splats import SH_DC, Splats

Unseen = Literal["nearest", "keep"]
UNSEEN: tuple[Unseen, ...] = get_args(Unseen)
BakedBands = Literal["kept", "dropped", "solved"]
BAKED_BANDS: tuple[BakedBands, ...] = get_args(BakedBands)

# How many seen splats an unseen one takes its colour from.
_NEIGHBOURS = 4
# Pixels that show at least this much of the splats are compared with what was given.
_SOLID = 0.95
# What solving for bands keeps of each coefficient besides the views' harmonics: some vectors of three colours.
_VECTORS = 24


@dataclass(frozen=True)
class Baked:
    """Splats in new colours. unseen: how many of those meant no view shows; clipped: share of colours that left [0, 1];
    psnr: how well the new colours, without direction, show the pictures where only those meant are seen, dB."""

    splats: Splats
    meant: int
    unseen: int
    clipped: float
    psnr: float


def bake(
    solver: SplatSolver,
    splats: Splats,
    images: Sequence[Tensor],
    method: Method = "least_squares",
    rounds: int = 0,
    bands: BakedBands = "kept",
    unseen: Unseen = "nearest",
    chosen: Tensor | None = None,
    viewpoints: Sequence[Viewpoint] = (),
) -> Baked:
    """Pictures [h, w, 3 or 4] in [0, 1] of the solver's N views -> splats that show them.

    rounds: see ``SplatSolver``. bands: what becomes of colour by direction: kept or dropped (``Splats.recoloured``), or
    solved for too (``solve_bands``; ``viewpoints`` are then the views' cameras, in the scene's coordinates).
    unseen: splats that no view shows take the colour of the nearest that are seen, or keep theirs. chosen: bool [K];
    all are solved for, so that what others add to a pixel counts as theirs, only these are painted, and all others keep
    every bit.
    Raises ValueError when number or size of the pictures do not fit, and when the views see none of the chosen.
    """
    if unseen not in UNSEEN:
        raise ValueError(f"unseen '{unseen}' is unknown; use {' or '.join(UNSEEN)}")
    if bands not in BAKED_BANDS:
        raise ValueError(f"bands '{bands}' are unknown; use {', '.join(BAKED_BANDS)}")
    if bands == "solved":
        each = 4 * splats.sh.shape[1] * (len(solver.blocks) + _VECTORS)
        check_more("solving for colour by direction", each * len(splats), "set bands to kept, or use fewer views")
    if chosen is not None and not bool(chosen.any()):
        raise ValueError("the mask chooses no splat, which leaves nothing to paint; connect another of SplatMask")
    images = [image[..., :3] for image in images]
    if any(image.shape[-1] != 3 for image in images):
        raise ValueError(f"images of {images[0].shape[-1]} channels; use RGB pictures")
    raw = solver(images, method, rounds=rounds)
    meant = torch.ones(len(splats), dtype=torch.bool) if chosen is None else chosen
    if splats.hidden is not None:
        meant = meant & ~splats.hidden
    known = meant & (solver.visible > LEAST_VISIBLE)
    if not bool(known.any()):
        raise ValueError("the views show none of the splats that are to be painted; use cameras that see them")
    colours = raw.clamp(0, 1)
    clipped = float(((raw - colours).abs().amax(1) > 1 / 255)[known].float().mean())
    hidden = meant & ~known
    if unseen == "nearest" and bool(hidden.any()):
        colours[hidden] = _nearest(splats.positions[known], colours[known], splats.positions[hidden])
    changed = meant if unseen == "nearest" else known
    if bands == "solved":
        sh = torch.zeros_like(splats.sh)
        sh[:, 0] = (colours - 0.5) / SH_DC
        trusting = solver.doubting(images, colours) if rounds and method == "least_squares" else solver
        sh[known] = solve_bands(trusting, splats, viewpoints, images, colours)[known]
        painted = splats.recoloured(sh, chosen=changed)
    else:
        painted = splats.recoloured(colours, bands, changed)
    return Baked(painted, int(meant.sum()), int(hidden.sum()), clipped, _psnr(solver, images, colours, meant))


def _nearest(places: Tensor, colours: Tensor, wanted: Tensor) -> Tensor:
    """Colours [K, 3] at places [K, 3], for other places [M, 3]: mean of the nearest few, by their inverse distance."""
    count = min(_NEIGHBOURS, len(places))
    found = tree(array_of(places), balanced=True, leaf=10).query(array_of(wanted), count)
    away, which = (tensor_of(shaped(v, len(wanted), count)) for v in found)
    weight = 1 / away.clamp_min(1e-12)
    return ((colours[which] * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)).float()


def _psnr(solver: SplatSolver, images: Sequence[Tensor], colours: Tensor, meant: Tensor) -> float:
    total, count = 0.0, 0
    for number, (block, image) in enumerate(zip(solver.blocks, images, strict=True)):
        solid = block.forward.apply(meant[:, None].float())[:, 0] > _SOLID
        given = image.cpu().float()
        missed = (solver.shown(colours, number, given) - given).reshape(-1, 3)[solid]
        total, count = total + float(missed.square().sum()), count + missed.numel()
    if count == 0:
        return math.nan
    return math.inf if total == 0 else -10 * math.log10(total / count)
