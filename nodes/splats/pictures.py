"""What the splat nodes call: spaces and choices from widgets, pictures of splats, and splats from pictures."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...renderers.cameras.viewpoints import Vector
from ...renderers.colours import background_of
from ...renderers.pictures import Range
from ...renderers.scene import Scene
from ...renderers.splats.bake import Baked, BakedBands, Unseen, bake
from ...renderers.splats.choose import in_box, in_views
from ...renderers.splats.geometry import SplatGeometry
from ...renderers.splats.looks import depth_hints, renders
from ...renderers.splats.space import SplatColours
from ...renderers.splats.splats import Splats, Up
from ...renderers.splats.turntable import turntable
from ...renderers.splats.weights.project import Rule
from ...renderers.splats.weights.weights import Backend
from ...sync_core.aggregate import Method
from .. import host
from ..engine.vae import GivenViews
from ..views.pictures import check_proportions


def colours_of(
    splats: Splats, up: Up, rule: Rule, backend: Backend, facing: float = 0.0
) -> tuple[SplatColours, Tensor]:
    """(The canonical space of splats, their colours as an image [1, 1, K, 3])."""
    space = SplatColours(replace(splats, up=up), rule, backend, facing=facing)
    return space, space.picture.movedim(1, -1).contiguous()


def need_splats(space: Any, rig: Any) -> SplatGeometry:
    """A space of splats and cameras that stand around it. Raises ValueError for others."""
    if not isinstance(space, SplatColours):
        raise ValueError(f"a space of kind {space.kind} holds no splats; connect SplatSpace")
    geometry = Scene(space, rig).geometry
    assert isinstance(geometry, SplatGeometry)
    return geometry


def splat_views(
    space: Any, rig: Any, background: str, span: Range, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(Pictures [N, h, w, 3], depth hints [N, h, w, 3], alpha [N, h, w], masks [N, h, w]) of the rig's views.

    mask: [1, 1, K], which splats are meant; its masks show them. Raises ValueError as ``need_splats``.
    """
    geometry = need_splats(space, rig)
    chosen = None if mask is None else chosen_splats(space, mask)
    pictures, alpha = renders(geometry, background_of(background))
    hints, _ = depth_hints(geometry, span)
    meant = alpha if chosen is None else geometry.look(chosen.float()[None, None, None])[:, 0]
    return pictures, hints[..., None].repeat(1, 1, 1, 3), alpha, meant.clamp(0, 1)


def chosen_splats(space: SplatColours, mask: Tensor) -> Tensor:
    """bool [K] from a mask of splats. Raises ValueError for a mask of something else."""
    if mask.numel() != space.width:
        size = " x ".join(str(n) for n in mask.shape)
        raise ValueError(f"a mask of {size} for {space.width} splats; connect SplatMask of the same splats")
    return mask.reshape(-1) > 0.5


def splat_mask(space: Any, middle: Vector, size: Vector, rig: Any | None, masks: Tensor | None) -> tuple[Tensor, int]:
    """(Mask [1, 1, K], how many it holds): splats in a box, in object units, and in masks [N, h, w] of the rig's views
    where both are given. Raises ValueError as ``in_box`` and ``in_views``."""
    if not isinstance(space, SplatColours):
        raise ValueError(f"a space of kind {space.kind} holds no splats; connect SplatSpace")
    chosen = in_box(space.splats, middle, size)
    if (rig is None) != (masks is None):
        raise ValueError("masks of views need their rig, and a rig needs masks; connect both, or none")
    if rig is not None and masks is not None:
        masks = masks.reshape(-1, *masks.shape[-2:])
        solver = _sized(need_splats(space, rig), masks).solver()
        chosen = chosen & in_views(solver, masks)
        if not bool(chosen.any()):
            raise ValueError("box and masks have no splat in common; make the box larger")
    return chosen.float()[None, None], int(chosen.sum())


def _sized(geometry: SplatGeometry, pictures: Tensor) -> SplatGeometry:
    """The same cameras with views of the pictures' size [N, h, w, ...]: upscaled ones are taken as they are.

    Raises ValueError for another number of pictures, or other proportions.
    """
    count, height, width = pictures.shape[:3]
    rig = geometry.rig
    if count != len(rig.viewpoints):
        raise ValueError(f"{count} images for a rig of {len(rig.viewpoints)} views; connect all views of one scene")
    check_proportions(pictures, rig)
    return (
        geometry
        if (width, height) == (rig.width, rig.height)
        else replace(geometry, rig=replace(rig, width=width, height=height))
    )


def bake_splats(
    space: Any,
    rig: Any,
    given: GivenViews,
    method: Method,
    rounds: int,
    bands: BakedBands,
    unseen: Unseen,
    mask: Tensor | None,
) -> tuple[Splats, str]:
    """(Splats in the colours of their views, a report). Raises ValueError without views, and as ``bake``."""
    geometry = need_splats(space, rig)
    pictures = given.pictures("bake")
    images = torch.stack(list(pictures)) if given.images is None else given.images
    began = time.perf_counter()
    chosen = None if mask is None else chosen_splats(space, mask)
    solver = _sized(geometry, images).solver()
    baked = bake(solver, space.splats, list(images), method, rounds, bands, unseen, chosen, geometry.viewpoints)
    return baked.splats, _report(baked, len(images), unseen, time.perf_counter() - began, solver.nbytes)


def _report(baked: Baked, views: int, unseen: Unseen, seconds: float, nbytes: int) -> str:
    filled = "coloured by their neighbours" if unseen == "nearest" else "left as they were"
    shows = f"they show the views with a PSNR of {'infinite' if math.isinf(baked.psnr) else f'{baked.psnr:.1f} dB'}"
    if math.isnan(baked.psnr):
        shows = "no pixel shows them alone, so there is no PSNR: they are small or transparent"
    lines = [
        f"{baked.meant:,} of {len(baked.splats):,} splats painted from {views} views in {seconds:.1f} s",
        shows,
        f"{100 * baked.unseen / baked.meant:.1f} % are seen by no view and were {filled}",
        f"{100 * baked.clipped:.1f} % of the colours lay beyond black or white and were cut there",
        f"the weights of the views take {nbytes / 2**20:,.0f} MiB of main memory",
    ]
    return "\n".join(lines)


def turned(space: SplatColours, frames: int, background: str, **view: Any) -> tuple[Tensor, Tensor]:
    """(Frames [F, h, w, 3], alpha [F, h, w]) of one turn; see ``turntable``."""
    bar = host.ProgressBar(frames)

    def watched() -> Iterator[tuple[Tensor, Tensor]]:
        for number, frame in enumerate(turntable(space, frames, background=background_of(background), **view), 1):
            host.check_interrupt()
            bar.update_absolute(number, frames)
            yield frame

    pictures, alphas = zip(*watched(), strict=True)
    return torch.stack(pictures), torch.stack(alphas)
