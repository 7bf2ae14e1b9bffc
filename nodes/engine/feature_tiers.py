"""The features that views are compared by, made of what a user has: nothing is ever downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from ...sync_core.steering.features import BandFeatures, ConvFeatures, Features, Through, rgb_of
from .. import host
from ..host.objects import VAE, Network

Tier = Literal["latent", "bands", "rgb"]
TIERS: tuple[Tier, ...] = ("latent", "bands", "rgb")


@dataclass(frozen=True)
class Sources:
    """What features may be made of. vae, clip_vision: as nodes pass them on, None where there is none. channels, of
    latents on ``device``. seed: of filters."""

    network: Network
    channels: int
    device: torch.device
    vae: VAE = None
    clip_vision: Any = None
    seed: int = 0


def features_of(tier: Tier, sources: Sources) -> Features:
    """Raises ValueError for a tier that is unknown, and for one whose weights are missing."""
    if tier not in TIERS:
        raise ValueError(f"features '{tier}' are unknown; use one of {', '.join(TIERS)}")
    if tier == "bands":
        return BandFeatures()
    if tier == "latent":
        return ConvFeatures.of(sources.channels, sources.device, sources.seed)
    factors = host.rgb_factors(sources.network, sources.channels)
    if factors is None:
        raise ValueError("nobody knows how this model's latents look (it has no factors of previews); use latent")
    return Through(rgb_of(factors.to(sources.device)), ConvFeatures.of(3, sources.device, sources.seed))
