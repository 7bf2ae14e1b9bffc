"""One scene over many views: between two steps the noisy state of every view is moved a little towards an anchor.

SyncDiffusion (Lee, Kim, Kim, Sung, NeurIPS 2023) moves each window of a panorama along the gradient of a perceptual
distance to one of them. With the features phi of the guided clean estimate D_i of view i, before averaging,

    d_i = |phi(D_i) - phi_a|    g_i = dd_i / dD_i
    Delta_i = -beta sigma_k gamma^k min(1, d_i / |phi_a|) g_i / rms(g_i)

and after step k, from level sigma_k to sigma_k+1, x_i <- x_i + (sigma_k+1 / sigma_k) Delta_i. Unlike the published form
the gradient stops at D, so that no network is differentiated and no call is added; the move is a share of the noise, so
that one beta fits every model and resolution; it is made after the step, with the estimate that the step has used (an
Euler step on the moved state with the same estimate is that, exactly); views that are alike stay; and where views
overlap, what moves them is averaged as their estimates are, so that they go on agreeing and all processes are moved
alike. For flow models,
whose states are (1 - s) x + s e, s stands for sigma.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ..variance import gaussian
from .features import Features, length

Shape = Literal["off", "blur", "wiener"]
SHAPES: tuple[Shape, ...] = ("off", "blur", "wiener")
STRONG = 0.5
"""A move of this share of the noise is itself noise that the model sees: sqrt(1 + beta^2)."""

# (torch's stubs leave these untyped)
_fft = cast("Any", torch.fft)

# Below this share of the anchor's features views are alike but for rounding.
_ALIKE = 1e-5
# A state with less of the picture than this is noise alone.
_NOTHING = 1e-2


@dataclass(frozen=True)
class Moves:
    """delta: [N, C, h, w]. dropped: how many of the views had a gradient that is no number, and stay."""

    delta: Tensor
    dropped: int


@dataclass(frozen=True)
class Pull:
    """strength: beta, the length of a move in units of the noise. decay: gamma, what is left of it at the next step.
    start, end: fractions of the steps between which views are moved, after every ``every``-th one. shape: what is done
    to the gradient, which stops at D where the full one goes on through the network: ``blur`` by 1.5 sigma cells,
    ``wiener`` filter by the spectrum of D (for models of latents about as strong as their noise at sigma 1).

    Raises ValueError for values that are none.
    """

    strength: float = 0.05
    decay: float = 0.95
    start: float = 0.0
    end: float = 0.5
    every: int = 1
    shape: Shape = "off"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise ValueError(f"strength {self.strength:g}: use 0 (off) or more, 0.05 as a rule")
        if not 0 < self.decay <= 1:
            raise ValueError(f"decay {self.decay:g}: use more than 0, up to 1 (none)")
        if not 0 <= self.start <= self.end <= 1:
            raise ValueError(f"start {self.start:g} and end {self.end:g}: use fractions with 0 <= start <= end <= 1")
        if self.every < 1:
            raise ValueError(f"every {self.every}: use 1 (after every step) or more")
        if self.shape not in SHAPES:
            raise ValueError(f"shape '{self.shape}' is unknown; use one of {', '.join(SHAPES)}")

    def turns(self, steps: int) -> tuple[int, ...]:
        """The steps of ``steps`` after which views are moved; never the last, after which nothing is noisy."""
        first, last = math.ceil(self.start * steps - 1e-9), round(self.end * steps)
        return tuple(range(first, min(last, steps - 1), self.every)) if self.strength else ()

    def moves(
        self, clean: Tensor, features: Features, wanted: Tensor, level: tuple[float, float], turn: int = 0
    ) -> Moves:
        """The moves Delta at a level (how much of the picture, how much noise a state holds: (1, sigma) where noise is
        added, (1 - s, s) for flow models), ``turn`` steps after the first: clean [N, C, h, w], wanted [N, F]."""
        noise = level[1]
        distance, slope = features.toward(clean, wanted)
        if self.shape != "off":
            sigma = noise / max(level[0], _NOTHING)
            slope = _blurred(slope, 1.5 * sigma) if self.shape == "blur" else wiener(slope, clean, sigma)
        norm = length(wanted).to(distance)
        share = (distance / norm.clamp_min(torch.finfo(distance.dtype).tiny)).clamp_max(1)
        # (a distance of nothing at all has no direction)
        share = torch.where(share <= _ALIKE, 0.0, share)
        rms = slope.square().mean((1, 2, 3)).sqrt()
        good = torch.isfinite(rms) & torch.isfinite(share)
        factor = torch.where(
            good & (rms > 0) & (share > 0), self.strength * noise * self.decay**turn * share / rms, 0.0
        )
        slope = torch.where(good[:, None, None, None], slope, 0.0)
        return Moves(-factor[:, None, None, None] * slope, int((~good).sum()))


def wiener(slope: Tensor, clean: Tensor, level: float) -> Tensor:
    """``slope`` through J(f) = S / (S + sigma^2), the network's own derivative where pictures are Gaussian with the
    spectrum S = (P + sqrt(P^2 + 4 P sigma^2)) / 2, for which the estimate has the power P(f), radially averaged."""
    height, width = clean.shape[-2:]
    power: Tensor = _fft.rfft2(clean.float(), norm="ortho").abs().square().mean(1)  # [N, h, w // 2 + 1]
    radius = torch.hypot(
        _fft.fftfreq(height, device=clean.device)[:, None] * height,
        _fft.rfftfreq(width, device=clean.device)[None] * width,
    )
    ring: Tensor = radius.round().long().flatten()
    count = torch.bincount(ring).clamp_min(1)
    sums = torch.zeros(len(clean), len(count), device=clean.device).index_add_(1, ring, power.flatten(1))
    spectrum = (sums / count)[:, ring].reshape(power.shape)
    full = (spectrum + (spectrum.square() + 4 * spectrum * level**2).sqrt()) / 2
    gain = full / (full + level**2).clamp_min(1e-30)
    shaped: Tensor = _fft.irfft2(_fft.rfft2(slope.float()) * gain[:, None], s=(height, width))
    return shaped.to(slope)


def _blurred(picture: Tensor, sigma: float) -> Tensor:
    """Blurred by a Gaussian of ``sigma`` cells, which goes on beyond the edges as they are."""
    sigma = min(sigma, max(picture.shape[-2:]) / 2)
    for axis in (-1, -2):
        reach = min(math.ceil(3 * sigma), picture.shape[axis] - 1)
        kernel = gaussian(sigma, reach=reach).to(picture).expand(picture.shape[1], 1, 1, -1)
        pad = (reach, reach, 0, 0) if axis == -1 else (0, 0, reach, reach)
        padded = F.pad(picture, pad, mode="replicate")
        picture = F.conv2d(padded, kernel if axis == -1 else kernel.transpose(2, 3), groups=picture.shape[1])
    return picture
