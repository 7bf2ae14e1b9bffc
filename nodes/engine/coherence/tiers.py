"""The features that views are compared by, made of what a user has: nothing is ever downloaded."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ....sync_core.steering.features import BandFeatures, ConvFeatures, Features, Through, TokenFeatures, rgb_of
from ... import host
from ...host.objects import VAE, Network

Tier = Literal["latent", "bands", "rgb", "vae", "clip", "taesd", "lpips", "model", "full"]
TIERS: tuple[Tier, ...] = ("latent", "bands", "rgb", "vae", "clip", "taesd", "lpips", "model", "full")

WITHOUT_NETWORKS: tuple[Tier, ...] = ("latent", "bands", "rgb")
"""Which need little memory."""

Picture = Callable[[Tensor], Tensor]
"""Latents on the model's own scale [N, C, h, w] -> pictures [N, 3, H, W], about -1..1."""

# Latents of fewer cells are decoded whole, others at half their size: what things are made of is still seen.
_HALVED_FROM = 32
_VGG = "vgg16-397923af.pth"


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

    def filters(self, channels: int = 3) -> ConvFeatures:
        return ConvFeatures.of(channels, self.device, self.seed)


def features_of(tier: Tier, sources: Sources) -> Features:
    """Raises ValueError for a tier that is unknown, and for one whose weights are missing."""
    if tier not in _MAKERS:
        raise ValueError(f"features '{tier}' are unknown; use one of {', '.join(TIERS)}")
    return _MAKERS[tier](sources)


def _latent(sources: Sources) -> Features:
    return sources.filters(sources.channels)


def _bands(sources: Sources) -> Features:
    return BandFeatures()


def _rgb(sources: Sources) -> Features:
    factors = host.rgb_factors(sources.network, sources.channels)
    if factors is None:
        raise ValueError("nobody knows how this model's latents look (no factors of previews); use features latent")
    return Through(rgb_of(factors.to(sources.device)), sources.filters())


def _vae(sources: Sources) -> Features:
    if sources.vae is None:
        raise ValueError("features vae need the VAE of this model; connect vae, or use features latent")
    return Through(_decoded(sources), sources.filters())


def _clip(sources: Sources) -> Features:
    if sources.clip_vision is None:
        raise ValueError("features clip need a CLIP vision model; connect clip_vision, or use features latent")
    tokens, picture = host.clip_tokens(sources.clip_vision, sources.device), _picture(sources)
    return TokenFeatures(lambda clean: tokens(picture(clean)), sources.seed)


def _taesd(sources: Sources) -> Features:
    return Through(host.taesd_decoder(sources.network.latent_format, sources.device), sources.filters())


def _lpips(sources: Sources) -> Features:
    return Through(_picture(sources), perceptual(sources.device))


def perceptual(device: torch.device) -> Features:
    """LPIPS of pictures [N, 3, H, W] in -1..1. Raises ValueError where the package or VGG's weights are missing."""
    if importlib.util.find_spec("lpips") is None:
        raise ValueError("lpips needs the python package lpips; install it, or use features latent")
    weights = os.path.join(torch.hub.get_dir(), "checkpoints", _VGG)
    if not os.path.isfile(weights):
        raise ValueError(f"lpips needs VGG's weights in the file {weights}; put it there, or use features latent")
    return Perceptual.loaded(device)


def _model(sources: Sources) -> Features:
    """Of tokens [N, T, C], whoever brings them."""
    return TokenFeatures(lambda tokens: tokens, sources.seed)


def _full(sources: Sources) -> Features:
    """What is read of the estimate, whose gradient then goes on through the model: the best of what there is."""
    for maker in (_lpips, _vae):
        try:
            return maker(sources)
        except ValueError:
            continue
    return _latent(sources)


_MAKERS: dict[str, Callable[[Sources], Features]] = {
    "latent": _latent,
    "bands": _bands,
    "rgb": _rgb,
    "vae": _vae,
    "clip": _clip,
    "taesd": _taesd,
    "lpips": _lpips,
    "model": _model,
    "full": _full,
}


def _picture(sources: Sources) -> Picture:
    """By the VAE where there is one, else by the factors of previews."""
    if sources.vae is not None:
        return _decoded(sources)
    factors = host.rgb_factors(sources.network, sources.channels)
    if factors is None:
        raise ValueError("these features read pictures, and nobody knows how this model's latents look; connect vae")
    return rgb_of(factors.to(sources.device))


def _decoded(sources: Sources) -> Picture:
    decode = host.differentiable_decoder(sources.vae, sources.device)
    cell = getattr(sources.vae, "downscale_ratio", 8)

    def picture(clean: Tensor) -> Tensor:
        large = min(clean.shape[-2:]) >= _HALVED_FROM and cell != 1
        network = sources.network
        latent = rescaled(network, network.process_latent_out, F.avg_pool2d(clean, 2) if large else clean)
        return decode(latent)[:, :3]

    return picture


def rescaled(network: Network, scale: Callable[[Tensor], Tensor], latents: Tensor) -> Tensor:
    """Latents [N, C, h, w] on another scale, by a function of the network, which may know films only."""
    if getattr(network.latent_format, "latent_dimensions", 2) == 3:
        return scale(latents.unsqueeze(2)).squeeze(2)
    return scale(latents)


@dataclass(frozen=True)
class Perceptual(Features):
    """Features whose distance is LPIPS (Zhang et al., CVPR 2018) with VGG: unit channels, weighted, place by place."""

    network: Any

    @staticmethod
    def loaded(device: torch.device) -> Perceptual:
        """By the package lpips, whose weights are on disk."""
        package: Any = importlib.import_module("lpips")
        with torch.inference_mode(False):
            return Perceptual(package.LPIPS(net="vgg", verbose=False).eval().to(device))

    def __call__(self, clean: Tensor) -> Tensor:
        layers = self.network.net(self.network.scaling_layer(clean))
        found: list[Tensor] = []
        for layer, linear in zip(layers, self.network.lins, strict=False):
            unit = layer / (layer.square().sum(1, keepdim=True) + 1e-10).sqrt()
            weight = linear.model[-1].weight.clamp_min(0).sqrt()
            found.append((unit * weight / (layer.shape[2] * layer.shape[3]) ** 0.5).flatten(1))
        return torch.cat(found, 1)
