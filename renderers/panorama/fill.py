"""Holes of an equirectangular picture, filled from what surrounds them on the sphere, seam and poles included."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from .equirect import read_equirect
from .space import cell_across, equirect_directions

Filling = Literal["smooth", "nearest", "nothing"]
FILLINGS: tuple[Filling, ...] = ("smooth", "nearest", "nothing")

# Below this much of a view's full weight a pixel of the pyramid is still a hole.
_ENOUGH = 1e-3


def fill_equirect(picture: Tensor, seen: Tensor, how: Filling) -> Tensor:
    """A picture [H, W, C] whose cells outside ``seen`` (bool [H, W]) are filled; seen cells keep their values.

    smooth: colours that spread from the border of a hole and blur into each other inside it (pull-push pyramid:
    Gortler et al., "The Lumigraph", 1996). nearest: the colour of the seen cell that is nearest on the sphere. nothing:
    0. A picture that nobody sees stays 0. Raises ValueError for another way, or a mask of another size.
    """
    if how not in FILLINGS:
        raise ValueError(f"holes '{how}' is unknown; use one of {', '.join(FILLINGS)}")
    if seen.shape != picture.shape[:2]:
        raise ValueError(f"a mask {tuple(seen.shape)} does not fit a picture {tuple(picture.shape)}")
    known = torch.where(seen[..., None], picture, 0.0)
    if how == "nothing" or bool(seen.all()) or not bool(seen.any()):
        return known
    if how == "nearest":
        rows, columns = seen.shape
        return known.reshape(rows * columns, -1)[nearest_seen(seen)]
    return _pull_push(known, seen.to(picture.dtype))


def _pull_push(picture: Tensor, share: Tensor) -> Tensor:
    """``picture`` [H, W, C] is 0 where ``share`` [H, W] is 0; ``share`` 1 keeps a cell, less lets the fill shine in."""
    rows, columns = share.shape
    if bool((share >= 1).all()):
        return picture
    if min(rows, columns) < 2:
        # The top of the pyramid: what is known, averaged, for what is not.
        middle = (picture * share[..., None]).sum((0, 1)) / share.sum().clamp_min(1e-12)
        return picture * share[..., None] + middle * (1 - share[..., None])
    # Cells of a row cover less of the sphere towards the poles.
    area = torch.cos((0.5 - (torch.arange(rows) + 0.5) / rows) * math.pi).to(share)[:, None]
    weight = _halved((share * area)[..., None])
    total = _halved(area.expand(rows, columns)[..., None])
    mean = _halved(picture * (share * area)[..., None]) / weight.clamp_min(1e-12)
    filled = _pull_push(mean, (weight / total)[..., 0].mul(4).clamp(max=1) * (weight[..., 0] > _ENOUGH * total[..., 0]))
    wide = read_equirect(filled[None], equirect_directions(rows, columns))[0]
    return picture * share[..., None] + wide * (1 - share[..., None])


def _halved(values: Tensor) -> Tensor:
    """Means [H/2, W/2, C] of blocks of 2 x 2 cells, sizes rounded up."""
    planes = values.permute(2, 0, 1)[None]
    size = ((values.shape[0] + 1) // 2, (values.shape[1] + 1) // 2)
    return torch.nn.functional.adaptive_avg_pool2d(planes, size)[0].permute(1, 2, 0)


def nearest_seen(seen: Tensor) -> Tensor:
    """int64 [H, W]: for every cell the seen cell (flat index) that is nearest on the sphere, itself where it is seen.

    By jump flooding (Rong and Tan, "Jump flooding in GPU", 2006), where neighbours lie around the seam and over the
    poles: exact but for a few cells, which get one that is nearly as near. Some cell must be seen.
    """
    rows, columns = seen.shape
    directions = equirect_directions(rows, columns).reshape(-1, 3).float()
    row = torch.arange(rows)[:, None].expand(rows, columns)
    column = torch.arange(columns).expand(rows, columns)
    nearest = torch.where(seen.reshape(-1), torch.arange(rows * columns), -1)
    closeness = torch.where(seen.reshape(-1), 1.0, -2.0)
    jump = 2 ** max(0, math.ceil(math.log2(columns)) - 1)
    jumps = [jump]
    while jumps[-1] > 1:
        jumps.append(jumps[-1] // 2)
    for jump in (*jumps, 1):
        for down in (-jump, 0, jump):
            if abs(down) > rows:
                continue
            for right in (-jump, 0, jump):
                told = nearest[cell_across(row + down, column + right, rows, columns).reshape(-1)]
                near = (directions * directions[told]).sum(-1)
                better = (told >= 0) & (near > closeness)
                nearest = torch.where(better, told, nearest)
                closeness = torch.where(better, near, closeness)
    return nearest.reshape(rows, columns)
