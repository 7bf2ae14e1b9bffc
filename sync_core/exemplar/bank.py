"""Patch banks of the exemplar prior: every patch of the exemplars at one level, in a PCA basis, in groups.

A *level* is a scale s (pixels are averaged over s x s boxes) and a patch of k x k such averages. The bank of a level
holds for each class the patches at all origins (every ``stride`` pixels), rotated into the principal axes of all of
them together. The rotation is complete, so distances are exact; it only puts the telling numbers first, which is what
the search looks at first (see ``exemplar_search``).

Shrinking and enlarging by any ratio as small dense matrices, one per axis: exact, differentiable, wrap-aware.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Level:
    """Where a patch size applies: noise at or above ``sigma_min`` (in units of the exemplars' standard deviation).

    ``scale``: box size s in pixels; ``patch``: k, cells of s pixels on a side, odd. The patch spans s * k pixels.
    ``step``: cells from one compared patch of x to the next, at most the width of a patch's merged middle; ``stride``:
    pixels from one patch of the bank to the next.
    """

    sigma_min: float
    scale: int
    patch: int
    step: int = 1
    stride: int = 1

    @property
    def span(self) -> int:
        """Side of the patch in pixels."""
        return self.scale * self.patch


def exemplar_patches(image: Tensor, level: Level, periodic: bool) -> Tensor:
    """All patches of ``image [C,H,W]`` at a level: [J, C*k*k], columns ordered channel, row, column."""
    x = image[None]
    s, k = level.scale, level.patch
    if periodic:
        # Repeat as often as the patch needs: it may be larger than the period is not allowed, so once is enough.
        x = F.pad(x, (0, level.span - 1, 0, level.span - 1), mode="circular")
    if s > 1:
        x = F.avg_pool2d(x, s, stride=1)
    return F.unfold(x, k, dilation=s, stride=level.stride)[0].T.contiguous()


def principal_axes(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [D] and complete orthonormal basis [D,D] (columns, falling variance) of rows [J,D]; float64 inside."""
    p = patches.double()
    mean = p.mean(0)
    p = p - mean
    pair = torch.linalg.eigh(p.T @ p)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    vectors = cast(Tensor, pair[1])
    return mean.float(), vectors.flip(1).float().contiguous()


def alike_order(coef: Tensor, group: int) -> Tensor:
    """Order of the rows [J] in which every ``group`` neighbours are alike: halved again and again at the middle of the
    leading axis along which they differ most."""
    lead = coef[:, :24]

    def halves(rows: Tensor) -> list[Tensor]:
        if len(rows) <= group:
            return [rows]
        axis = int(lead[rows].var(0, unbiased=False).argmax())
        rows = rows[torch.argsort(lead[rows, axis], stable=True)]
        cut = -(-len(rows) // (2 * group)) * group
        return halves(rows[:cut]) + halves(rows[cut:])

    return torch.cat(halves(torch.arange(len(coef))))


class LevelBank(torch.nn.Module):
    """Bank of one level: shared mean and principal axes, and the patches of all classes one after the other.

    Buffers: ``mean [D]``, ``basis [D,D]``, ``window [k*k]`` (how much each patch pixel counts when patches overlap),
    ``core_cell [m*m]`` (cells of the patch's middle), ``coef [J,1+D]`` (first -|y|^2 / 2: a score is one product with
    [1, query]; every class is filled up to whole tiles with patches that never score), ``screen [tiles,TILE,axes+2]``
    (the leading ``axes`` of y, -|y|^2 / 2 and the length of the rest of y; row ``m * GROUPS + g`` of a tile is member m
    of its group g, and that is row ``g * MEMBERS + m`` of the tile in ``coef``), ``owner [tiles]`` (class).
    ``counts``: patches of each class. ``longest_rest``: greatest length of the rest of a patch.
    """

    MEMBERS = 8
    GROUPS = 64
    TILE = 512

    mean: Tensor
    basis: Tensor
    window: Tensor
    core_cell: Tensor
    coef: Tensor
    screen: Tensor
    owner: Tensor

    def __init__(
        self, images: Sequence[Tensor], level: Level, periodic: bool, window: float, max_patches: int, rest: float
    ) -> None:
        super().__init__()
        self.level = level
        patches = [thin(exemplar_patches(image, level, periodic), max_patches) for image in images]
        self.counts = [len(rows) for rows in patches]
        mean, basis = principal_axes(torch.cat(patches))
        weight, core = merge_window(level.patch, window)
        classes = [self._tiles((rows - mean) @ basis) for rows in patches]
        coef = torch.cat(classes)
        # The screen sees all but the share ``rest`` of the variance.
        energy = coef[:, 1:].square().sum(0).double()
        self.axes = 1 + int((energy.cumsum(0) < (1 - rest) * energy.sum()).sum().clamp(max=len(energy) - 1))
        length = coef[:, 1 + self.axes :].square().sum(1, keepdim=True).sqrt()
        self.longest_rest = float(length.max())
        screen = torch.cat([coef[:, 1 : 1 + self.axes], coef[:, :1], length], 1)
        screen = screen.reshape(-1, self.GROUPS, self.MEMBERS, self.axes + 2).transpose(1, 2)
        sizes = torch.tensor([len(rows) // self.TILE for rows in classes])
        for name, tensor in (
            ("mean", mean),
            ("basis", basis),
            ("window", weight),
            ("core_cell", core),
            ("coef", coef),
            ("screen", screen.reshape(-1, self.TILE, self.axes + 2).contiguous()),
            ("owner", torch.repeat_interleave(torch.arange(len(sizes)), sizes)),
        ):
            self.register_buffer(name, tensor)

    def _tiles(self, coef: Tensor) -> Tensor:
        """One class's rows of ``coef``: in groups, with the first column, filled up."""
        coef = coef[alike_order(coef, self.MEMBERS)]
        coef = torch.cat([coef.square().sum(1, keepdim=True) / -2, coef], 1)
        fill = coef.new_zeros(-len(coef) % self.TILE, coef.shape[1])
        fill[:, 0] = -1e30
        return torch.cat([coef, fill])


def thin(patches: Tensor, limit: int) -> Tensor:
    """At most ``limit`` rows, an evenly shuffled choice that is always the same."""
    if len(patches) <= limit:
        return patches
    order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))
    return patches[order[:limit].sort().values].contiguous()


def merge_window(patch: int, width: float) -> tuple[Tensor, Tensor]:
    """Gaussian weights [k*k] of standard deviation ``width * k`` cells, and the cells [m*m] of the patch's middle.

    Only the middle of a patch is merged (m about half of k): the posterior knows the middle best, and averaging whole
    patches that disagree makes mush. Patches on an open border also give what no middle reaches.
    """
    t = (torch.arange(patch) - (patch - 1) / 2) / (patch * width)
    g = torch.exp(-0.5 * t * t)
    radius = int(patch * 0.24)
    middle = torch.arange(patch // 2 - radius, patch // 2 + radius + 1)
    return (g[:, None] * g).reshape(-1), (middle[:, None] * patch + middle).reshape(-1)


def area_matrix(size: int, cells: int, device: torch.device | str = "cpu") -> Tensor:
    """[cells, size]: each cell is the mean of the ``size / cells`` pixels below it, parts of pixels included."""
    edge = torch.arange(cells + 1, dtype=torch.float64) * size / cells
    pixel = torch.arange(size, dtype=torch.float64)
    overlap = torch.minimum(edge[1:, None], pixel + 1) - torch.maximum(edge[:-1, None], pixel)
    return (overlap.clamp(min=0) * cells / size).to(torch.float32).to(device)


def cubic_matrix(cells: int, size: int, wrap: bool, device: torch.device | str = "cpu") -> Tensor:
    """[size, cells]: Catmull-Rom interpolation between cell centres; beyond the ends it wraps or repeats the last."""
    at = (torch.arange(size, dtype=torch.float64) + 0.5) * cells / size - 0.5
    base = torch.floor(at)
    out = torch.zeros(size, cells, dtype=torch.float64)
    for tap in range(-1, 3):
        d = (at - base - tap).abs()
        near = (1.5 * d - 2.5) * d * d + 1
        far = ((-0.5 * d + 2.5) * d - 4) * d + 2
        index = base.long() + tap
        index = index % cells if wrap else index.clamp(0, cells - 1)
        out.scatter_add_(1, index[:, None], torch.where(d <= 1, near, far)[:, None])
    return out.to(torch.float32).to(device)
