"""Patch banks of the exemplar prior: every patch of the exemplars at one level, in a PCA basis, sorted into clusters.

A *level* is a scale s (pixels are averaged over s x s boxes) and a patch of k x k such averages. The bank of a level
holds for each class the patches at all origins (every ``stride`` pixels), rotated into the principal axes of all of
them together. The rotation is complete, so distances are exact; it only puts the telling numbers first. Per class the
patches are grouped by k-means so that the search can leave out whole groups (see ``exemplar_search``).
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


def kmeans(points: Tensor, clusters: int, rounds: int, seed: int) -> Tensor:
    """Cluster number of each row of ``points [J,d]`` (Lloyd, started from distinct rows drawn with ``seed``)."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(points), generator=generator)
    # The centres need no more than a sample; only the last assignment sees every row.
    sample = points[order[: 64 * clusters]]
    centres = points[order[:clusters]].clone()
    for _ in range(rounds):
        label = _nearest(sample, centres)
        count = torch.bincount(label, minlength=clusters).clamp(min=1)[:, None]
        total = torch.zeros_like(centres).index_add_(0, label, sample)
        moved = total / count
        empty = torch.bincount(label, minlength=clusters) == 0
        centres = torch.where(empty[:, None], centres, moved)
    return _nearest(points, centres)


def pieces(rows: Tensor, sizes: int | list[int]) -> tuple[Tensor, ...]:
    """``rows`` cut along its first axis (typed: the stub of ``split`` is not)."""
    return cast(tuple[Tensor, ...], rows.split(sizes))  # pyright: ignore[reportUnknownMemberType]


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    half = (centres * centres).sum(1) / 2
    return torch.cat([torch.addmm(-half, rows, centres.T).argmax(1) for rows in pieces(points, 16384)])


class ClassBank(torch.nn.Module):
    """The J patches of one class at one level, sorted by cluster. Coefficients are in the level's principal axes.

    Buffers: ``coef [J,1+D]`` (first -|coef|^2 / 2: a score is one product with [1, query]), ``value [J,1+D]`` (ones,
    then the patches themselves), ``core_value`` (the same, only the patch's middle), ``centre [M,D]``, ``spread [M,D]``
    (variance along each axis), ``radius [M]`` (largest squared distance), ``half_centre [M]`` (mean |coef|^2 / 2).
    ``sizes``: patches per cluster.
    """

    coef: Tensor
    value: Tensor
    core_value: Tensor
    centre: Tensor
    spread: Tensor
    half_centre: Tensor
    radius: Tensor

    def __init__(
        self, patches: Tensor, mean: Tensor, basis: Tensor, core: Tensor, cluster_size: int, seed: int
    ) -> None:
        super().__init__()
        coef = (patches - mean) @ basis
        clusters = max(1, round(len(coef) / cluster_size))
        label = kmeans(coef[:, :48].contiguous(), clusters, rounds=8, seed=seed)
        order = torch.argsort(label, stable=True)
        counts = torch.bincount(label, minlength=clusters)
        counts = counts[counts > 0]
        self.sizes: list[int] = [int(n) for n in counts]
        coef = coef[order].contiguous()
        rank = torch.repeat_interleave(torch.arange(len(counts)), counts)
        centre = torch.zeros(len(counts), coef.shape[1]).index_add_(0, rank, coef) / counts[:, None]
        offset = coef - centre[rank]
        spread = torch.zeros_like(centre).index_add_(0, rank, offset * offset) / counts[:, None]
        half_norm = (coef * coef).sum(1) / 2
        # Mean of |coef|^2/2 over the cluster: what the cluster's average score subtracts.
        half_centre = torch.zeros(len(counts)).index_add_(0, rank, half_norm) / counts
        value = torch.cat([torch.ones(len(coef), 1), patches[order]], 1)
        radius = torch.zeros(len(counts)).scatter_reduce_(0, rank, (offset * offset).sum(1), "amax")
        for name, tensor in (
            ("coef", torch.cat([-half_norm[:, None], coef], 1)),
            ("value", value),
            ("core_value", value[:, torch.cat([torch.zeros(1, dtype=torch.long), core + 1])].contiguous()),
            ("centre", centre),
            ("spread", spread),
            ("half_centre", half_centre),
            ("radius", radius),
        ):
            self.register_buffer(name, tensor, persistent=True)

    @property
    def patches(self) -> int:
        """J."""
        return self.coef.shape[0]


class LevelBank(torch.nn.Module):
    """Bank of one level: shared mean and principal axes, one ``ClassBank`` per exemplar.

    Buffers: ``mean [D]``, ``basis [D,D]``, ``window [k*k]`` (how much each patch pixel counts when patches overlap),
    ``core [Vc]`` (columns of the patch's middle, all channels).
    """

    mean: Tensor
    basis: Tensor
    window: Tensor
    core: Tensor
    core_cell: Tensor

    def __init__(
        self, images: Sequence[Tensor], level: Level, periodic: bool, window: float, max_patches: int, cluster_size: int
    ) -> None:
        super().__init__()
        self.level = level
        patches = [thin(exemplar_patches(image, level, periodic), max_patches) for image in images]
        mean, basis = principal_axes(torch.cat(patches))
        self.register_buffer("mean", mean)
        self.register_buffer("basis", basis)
        weight, core = merge_window(level.patch, window)
        self.register_buffer("window", weight)
        channels = images[0].shape[0]
        columns = torch.arange(channels)[:, None] * level.patch**2 + core
        self.register_buffer("core", columns.reshape(-1))
        self.register_buffer("core_cell", core)
        # Variance that is lost when only the first d axes are used, for d = 0 .. D.
        energy = ((torch.cat(patches) - mean) @ basis).square().mean(0).double()
        lost = energy.flip(0).cumsum(0).flip(0)
        self.tail: list[float] = [*(float(v) for v in lost), 0.0]
        self.classes: list[ClassBank] = []
        for number, rows in enumerate(patches):
            bank = ClassBank(rows, mean, basis, columns.reshape(-1), cluster_size, seed=number)
            self.add_module(f"class_{number}", bank)
            self.classes.append(bank)

    def axes_for(self, noise: float, temperature: float, slack: float) -> int:
        """Least number of axes (of 8) whose missing rest moves the logits by no more than ``slack`` nats rms."""
        limit = (slack * temperature / max(noise, 1e-6)) ** 2
        count = next(d for d, lost in enumerate(self.tail) if lost <= limit)
        return min(-(-max(count, 1) // 8) * 8, len(self.tail) - 1)


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
