"""Editing a clean signal by words: two prompts look at the same noise, and what they make of it differently is added.

w0 is the source, w what it has become so far, both clean. At a noise level both are given one noise n,

    src = noised(w0, n),        tar = src + (w - w0),        E = D_tar - D_src,        D' = w0 + sum_j K_ij E_j

with guided clean estimates D of the two prompts. Handed to a sampler as the clean estimate of the state w, D' makes its
steps those of FlowEdit for flow models (Kulikov et al., "FlowEdit: Inversion-Free Text-Based Editing Using Pre-Trained
Flow Models", 2024: (w - D') / s is v_tar - v_src) and those of Delta Denoising Score (Hertz et al. 2023) for models of
noise: one plain step from sigma to sigma' is a descent by (sigma - sigma') along eps_tar - eps_src.

The other walk is that of Collaborative Score Distillation (Kim et al., "Collaborative Score Distillation for Consistent
Visual Editing", NeurIPS 2023): a few views at a time, noise levels drawn at random, gradient descent. Its kernel K
mixes what is found in views that look alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Walk = Literal["falling", "random"]
WALKS: tuple[Walk, ...] = ("falling", "random")
Baseline = Literal["source", "image", "none"]
BASELINES: tuple[Baseline, ...] = ("source", "image", "none")
Kernel = Literal["off", "noisy", "clean", "features"]
KERNELS: tuple[Kernel, ...] = ("off", "noisy", "clean", "features")
EditNoise = Literal["shared", "same", "independent"]
EDIT_NOISES: tuple[EditNoise, ...] = ("shared", "same", "independent")

Look = Callable[[Tensor], Tensor]
"""Clean views [N, C, h, w] -> what they are compared by [N, F]."""

# The published rate, with the kernel, which divides by the number of views drawn (four), and without.
_RATES = {"off": 0.5}
_WITH_KERNEL = 2.0
# The rate falls by this factor every so many iterations.
_DECAY, _DECAY_EVERY = 0.9, 20


@dataclass(frozen=True)
class Descent:
    """How the random walk goes: so many iterations on ``batch`` views drawn without repetition, at a fraction of the
    training's timesteps drawn from ``earliest`` (little noise) to ``latest``. rate: of the descent, 0 = as published.
    hold: how strongly it is drawn back to the source in each iteration (the data term of RED-Diff, Mardani et al.
    2024, with the source as what was measured).

    Raises ValueError for values that are none.
    """

    iterations: int = 200
    rate: float = 0.0
    batch: int = 4
    earliest: float = 0.02
    latest: float = 0.5
    hold: float = 0.0

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.batch < 1:
            raise ValueError(f"iterations {self.iterations} and batch {self.batch}: use 1 or more, 200 and 4 published")
        if not (math.isfinite(self.rate) and self.rate >= 0):
            raise ValueError(f"rate {self.rate:g}: use 0 (as published) or more")
        if not 0 <= self.earliest < self.latest <= 1:
            raise ValueError(
                f"t_min {self.earliest:g} and t_max {self.latest:g}: use fractions with 0 <= t_min < t_max <= 1, "
                "0.02 and 0.5 as published"
            )
        if not 0 <= self.hold <= 1:
            raise ValueError(f"hold {self.hold:g}: use 0 (off) to 1")

    def rate_at(self, iteration: int, kernel: Kernel) -> float:
        """The rate of an iteration, counted from 0."""
        return (self.rate or _RATES.get(kernel, _WITH_KERNEL)) * _DECAY ** (iteration // _DECAY_EVERY)


@dataclass(frozen=True)
class Edit:
    """What an edit is.

    walk: ``falling``, from noise level to noise level with the sampler, or ``random``. baseline: what D_src is:
    ``source``, an estimate by the source's prompt; ``image``, of a model that reads the source beside the noise, by
    that picture alone (InstructPix2Pix); ``none``, the source itself (score distillation, random only). noise:
    ``shared``, one canonical noise that every view sees its part of; ``same``, one for all views; ``independent``.
    averages: over so many noises at every step. finish: the fraction of the steps that are left to the target's prompt
    alone, plainly denoised. kernel: across which views E is mixed: by the distance of the noisy views, of their
    clean estimates, or of the features of these.

    Raises ValueError for values that are none.
    """

    walk: Walk = "falling"
    baseline: Baseline = "source"
    noise: EditNoise = "shared"
    averages: int = 1
    finish: float = 0.15
    kernel: Kernel = "off"
    descent: Descent = Descent()

    def __post_init__(self) -> None:
        for name, value, known in (
            ("walk", self.walk, WALKS),
            ("baseline", self.baseline, BASELINES),
            ("noise", self.noise, EDIT_NOISES),
            ("kernel", self.kernel, KERNELS),
        ):
            if value not in known:
                raise ValueError(f"{name} '{value}' is unknown; use one of {', '.join(known)}")
        if self.averages < 1:
            raise ValueError(f"averages {self.averages}: use 1 or more")
        if not 0 <= self.finish <= 1:
            raise ValueError(f"finish {self.finish:g} is no part of a run; use 0 to 1")
        if self.baseline == "none" and self.walk != "random":
            raise ValueError(
                "baseline none compares with the source itself, which only the random walk descends by; "
                "set walk to random, or baseline to source"
            )

    def finishing(self, steps: int) -> int:
        """How many of the last steps belong to the target's prompt alone."""
        return min(steps, math.floor(self.finish * steps + 0.5))


def alike(distances: Tensor) -> Tensor:
    """K [.., N, N] from squared distances [.., N, N]: exp(-gamma d^2), gamma = log(N + 1) over the median of the
    distances between different views (lower median; the published one counts the zeros of the diagonal and is 0 for two
    views)."""
    count = distances.shape[-1]
    if count < 2:
        return torch.ones_like(distances)
    others = ~torch.eye(count, dtype=torch.bool, device=distances.device)
    median = distances[..., others].median(-1).values[..., None, None]
    return torch.exp(-gamma_of(count, median) * distances)


def gamma_of(count: int, median: Tensor) -> Tensor:
    """The width of the kernel of so many views; pictures that are all one picture are alike at any width."""
    return math.log(count + 1) / median.clamp_min(torch.finfo(median.dtype).tiny)


def squared_distances(values: Tensor) -> Tensor:
    """[.., N, F] -> float64 [.., N, N]"""
    wide = values.double()
    return (wide[..., :, None, :] - wide[..., None, :, :]).square().sum(-1) if wide.shape[-2] <= 4 else _gram(wide)


def _gram(wide: Tensor) -> Tensor:
    centred = wide - wide.mean(-2, keepdim=True)
    power = centred.square().sum(-1)
    apart = power[..., :, None] + power[..., None, :] - 2 * centred @ centred.transpose(-1, -2)
    apart = apart.clamp_min(0)
    return apart - torch.diag_embed(apart.diagonal(dim1=-2, dim2=-1))


def mixed(changes: Tensor, kernel: Tensor) -> Tensor:
    """sum_j K_ij E_j over views, rows of K normalised to 1. changes: [B*N, C, h, w], kernel: [B, N, N]."""
    return _over_views(changes, kernel / kernel.sum(-1, keepdim=True))


def _over_views(values: Tensor, kernel: Tensor) -> Tensor:
    batch, count = kernel.shape[:2]
    rows = values.reshape(batch, count, -1)
    return (kernel.to(rows) @ rows).reshape(values.shape)


def compared(values: Tensor, count: int, look: Look | None = None) -> Tensor:
    """The kernel [B, N, N] of view batches [B*N, C, h, w] of ``count`` views, by their values or by how they look."""
    rows = values.flatten(1) if look is None else look(values)
    return alike(squared_distances(rows.reshape(-1, count, rows.shape[-1])))


def collaborative(gradients: Tensor, kernel: Tensor, noisy: Tensor | None) -> Tensor:
    """The published update: (1/N) [sum_j K_ij G_j + sum_j d K_ij / d x_i].

    gradients [B*N, C, h, w], kernel [B, N, N] of N views. noisy: the views x that the kernel was made of; None where it
    was made of something else, and views do not drive each other apart. The sign is that of the published code, which
    drives views apart when it is descended (the printed one draws them together).
    """
    count = kernel.shape[-1]
    total = _over_views(gradients, kernel)
    if noisy is not None and count > 1:
        distances = squared_distances(noisy.reshape(-1, count, noisy[0].numel()))
        others = ~torch.eye(count, dtype=torch.bool, device=distances.device)
        gamma = gamma_of(count, distances[..., others].median(-1).values[..., None, None])
        strength = -2 * gamma * kernel
        own = strength.sum(-1).reshape(-1, 1, 1, 1).to(noisy)
        total = total + noisy * own - _over_views(noisy, strength)
    return total / count
