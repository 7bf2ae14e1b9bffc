"""What views are compared by: features of clean estimates that tell a material, not where its parts lie.

A tier is a ``Features``. The ones here need no weights and read latents of any model: filters drawn from a seed, whose
Gram matrices tell textures apart nearly as well as trained ones (Ustyuzhaninov et al., "What does it take to generate
natural textures?", ICLR 2017), or the covariances of channels in bands, whose gradient is known in closed form.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from .islands import gradient, ordinary

# So that flat pictures have finite gradients; far below any contrast.
_TINY = 1e-8
_NONE = 1e-24


class Features(Protocol):
    """Clean estimates [N, C, h, w], on the model's own scale -> features [N, F], each row of its own view.

    Features are as the picture: twice the contrast doubles them.
    """

    @abstractmethod
    def __call__(self, clean: Tensor) -> Tensor: ...

    def toward(self, clean: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """(d [N] = |phi(D) - phi_a|, its gradient by D [N, C, h, w]) for wanted features [N, F]."""
        target = ordinary(wanted)
        return gradient(lambda v: length(self(v) - target.to(v)), clean)


def length(features: Tensor) -> Tensor:
    """Norms [N] of features [N, F], whose gradient is 0 where they are."""
    return (features.square().sum(1) + _NONE).sqrt()


@dataclass(frozen=True)
class ConvFeatures(Features):
    """Seeded filters, a bank [filters, C, 3, 3] of each scale (each next one at half the size), both half-waves: their
    Gram matrix over the roots of its trace and of their number, their means; and mean and deviation of the coarse
    picture."""

    banks: tuple[Tensor, ...]

    @staticmethod
    def of(channels: int, device: torch.device | None = None, seed: int = 0, filters: int = 32) -> ConvFeatures:
        """Three banks of zero mean and norm 1, the same for a seed on every device."""
        with torch.inference_mode(False):
            generator = torch.Generator().manual_seed(seed)
            banks = [torch.randn(filters, channels, 3, 3, generator=generator) for _ in range(3)]
            banks = [bank - bank.mean((2, 3), keepdim=True) for bank in banks]
            return ConvFeatures(
                tuple((bank / bank.square().sum((1, 2, 3), keepdim=True).sqrt()).to(device or "cpu") for bank in banks)
            )

    def __call__(self, clean: Tensor) -> Tensor:
        found: list[Tensor] = []
        picture = clean
        for scale, bank in enumerate(self.banks):
            picture = F.avg_pool2d(picture, 2) if scale else picture
            if min(picture.shape[-2:]) < 3:
                break
            maps = F.conv2d(picture, bank.to(picture))
            waves = torch.cat([maps.relu(), (-maps).relu()], 1).flatten(2)
            found += [_gram(waves) / waves.shape[1] ** 0.5, waves.mean(2)]
        return torch.cat([*found, *_low(clean)], 1)


def _gram(waves: Tensor) -> Tensor:
    """[N, K, P] -> the Gram matrices over the roots of their traces [N, K * K]."""
    gram = waves @ waves.transpose(1, 2) / waves.shape[2]
    trace = gram.diagonal(dim1=1, dim2=2).sum(1)
    return gram.flatten(1) / (trace + _TINY).sqrt()[:, None]


def _low(clean: Tensor) -> list[Tensor]:
    """Twice the mean of each channel, and the deviation of its coarse part: [N, C] each."""
    cells = clean.shape[-2] * clean.shape[-1]
    coarse = F.avg_pool2d(clean, 4) if min(clean.shape[-2:]) >= 8 else clean
    mean = clean.flatten(2).sum(2) / cells
    spread = (coarse - coarse.mean((2, 3), keepdim=True)).square().mean((2, 3))
    return [2 * mean, (spread + _TINY).sqrt()]


@dataclass(frozen=True)
class BandFeatures(Features):
    """Covariances of the channels in four Laplacian bands over the roots of their traces, and means; the gradient needs
    no automatic differentiation. Cheaper than filters, and blind to the form of a texture's parts."""

    bands: int = 4

    def __call__(self, clean: Tensor) -> Tensor:
        found = [_gram(band.flatten(2)) for band, _ in self._bands(clean)]
        return torch.cat([*found, 2 * clean.mean((2, 3))], 1)

    def toward(self, clean: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        missing = self(clean) - wanted
        distance = missing.square().sum(1).sqrt()
        by_feature = missing / distance.clamp_min(1e-30)[:, None]
        channels, cells = clean.shape[1], clean.shape[2] * clean.shape[3]
        slope = (2 / cells) * by_feature[:, -channels:, None, None].expand_as(clean).clone()
        start = 0
        for band, transposed in self._bands(clean):
            by_gram = by_feature[:, start : start + channels**2].reshape(-1, channels, channels)
            start += channels**2
            flat = band.flatten(2)
            gram = flat @ flat.transpose(1, 2) / flat.shape[2]
            trace = gram.diagonal(dim1=1, dim2=2).sum(1)[:, None, None] + _TINY
            # y = G / sqrt(t): dL/dG = L' / sqrt(t) - <L', G> / (2 t^1.5) I, and dG/dband = 2/P (G' band), G' symmetric.
            along = (by_gram * gram).sum((1, 2), keepdim=True)
            eye = torch.eye(channels).to(clean)
            by = (by_gram + by_gram.transpose(1, 2)) / 2 / trace.sqrt() - along / (2 * trace**1.5) * eye
            slope = slope + transposed((2 / flat.shape[2] * (by @ flat)).reshape(band.shape))
        return distance, slope

    def _bands(self, clean: Tensor) -> list[tuple[Tensor, Callable[[Tensor], Tensor]]]:
        """Each band with the transpose of its filter: differences of means over 1, 2, 4, 8 ... blocks."""
        found: list[tuple[Tensor, Callable[[Tensor], Tensor]]] = []
        finer, sides = clean, [2**n for n in range(1, self.bands + 1) if 2**n <= min(clean.shape[-2:])]
        previous = 1
        for side in sides:
            coarse = _blocked(clean, side)
            # Block means are projections, symmetric as matrices: so is their difference.
            found.append((finer - coarse, lambda g, a=previous, b=side: _blocked(g, a) - _blocked(g, b)))
            finer, previous = coarse, side
        return found


def _blocked(picture: Tensor, side: int) -> Tensor:
    """Means over blocks of side x side cells, at the picture's size; cells that fill no block stay 0."""
    if side == 1:
        return picture
    height, width = picture.shape[-2:]
    means = F.avg_pool2d(picture, side)
    large = means.repeat_interleave(side, -2).repeat_interleave(side, -1)
    return F.pad(large, (0, width - large.shape[-1], 0, height - large.shape[-2]))


@dataclass(frozen=True)
class Seen(Features):
    """Features of what views see of an object alone: mu + m (D - mu), with mu the mean of each channel where m
    [N, h, w] (1 seen, 0 not) is 1. ``inner`` reads that."""

    inner: Features
    mask: Tensor

    def __call__(self, clean: Tensor) -> Tensor:
        return self.inner(self._masked(clean))

    def toward(self, clean: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        distance, slope = self.inner.toward(self._masked(clean), wanted)
        mask, seen = self._of(clean)
        back = ((1 - mask) * slope).sum((2, 3), keepdim=True) / seen
        return distance, mask * (slope + back)

    def _masked(self, clean: Tensor) -> Tensor:
        mask, seen = self._of(clean)
        mean = (mask * clean).sum((2, 3), keepdim=True) / seen
        return mean + mask * (clean - mean)

    def _of(self, clean: Tensor) -> tuple[Tensor, Tensor]:
        mask = self.mask[:, None].to(clean)
        return mask, mask.sum((2, 3), keepdim=True).clamp_min(1)


@dataclass(frozen=True)
class Through(Features):
    """Features of a picture that is made of the clean estimate: ``inner(picture(D))``."""

    picture: Callable[[Tensor], Tensor]
    inner: Features

    def __call__(self, clean: Tensor) -> Tensor:
        return self.inner(self.picture(clean))


def rgb_of(factors: Tensor) -> Callable[[Tensor], Tensor]:
    """Latents [N, C, h, w] -> about the picture, one pixel a cell, by factors [C, 3] of the latent format."""
    matrix = ordinary(factors)
    return lambda clean: torch.einsum("nchw,cr->nrhw", clean, matrix.to(clean))


@dataclass(frozen=True)
class TokenFeatures(Features):
    """What a network says of a picture: ``tokens(D)`` [N, T, C], seen along seeded directions [C, K]; their Gram matrix
    over the root of its trace, and their means."""

    tokens: Callable[[Tensor], Tensor]
    seed: int = 0
    directions: int = 64

    def __call__(self, clean: Tensor) -> Tensor:
        tokens = self.tokens(clean)
        generator = torch.Generator().manual_seed(self.seed)
        along = torch.randn(tokens.shape[2], self.directions, generator=generator) / tokens.shape[2] ** 0.5
        waves = (tokens @ along.to(tokens)).transpose(1, 2)
        return torch.cat([_gram(waves), waves.mean(2)], 1)
