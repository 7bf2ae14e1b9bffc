"""Small VAEs (the host's own with random weights, exact ones in closed form) and what RGB tests run them with."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from helpers.hosting import Plane, Scene, Windows, analytic, gaussian
from syncpack.nodes.engine.rgb_domain import RgbDomain, RgbSync
from syncpack.sync_core.synchronizer import SyncPlan
from torch import Tensor

SPACE, RIG, VIEWS = Plane(128, 64), Windows(64, 64, 32, 64), 3

NETWORK = dict(
    ddconfig=dict(
        double_z=True,
        z_channels=4,
        resolution=64,
        in_channels=3,
        out_ch=3,
        ch=32,
        ch_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        attn_resolutions=[],
        dropout=0.0,
    ),
    embed_dim=4,
)


def tiny_vae(seed: int = 0) -> Any:
    """The host's VAE around its own AutoencoderKL (8 pixels a cell, 4 channels) with random weights."""
    import comfy.sd
    from comfy.ldm.models.autoencoder import AutoencoderKL

    network = AutoencoderKL(**NETWORK)
    generator = torch.Generator().manual_seed(seed)
    for weight in network.parameters():
        weight.data.copy_(torch.randn(weight.shape, generator=generator) * (0.1 if weight.ndim > 1 else 0.02))
    return comfy.sd.VAE(sd=network.state_dict(), config={"params": NETWORK})


class PatchVae:
    """Exact both ways: a cell of 192 channels is a block of 8 x 8 pixels. Nothing is clamped."""

    latent_channels = 192
    downscale_ratio = upscale_ratio = 8

    def __init__(self) -> None:
        self.decoded: list[int] = []
        self.encoded: list[int] = []

    def decode(self, samples: Tensor) -> Tensor:
        self.decoded.append(samples.shape[0])
        return F.pixel_shuffle(samples, 8).movedim(1, -1)

    def encode(self, pixels: Tensor) -> Tensor:
        self.encoded.append(pixels.shape[0])
        return F.pixel_unshuffle(pixels.movedim(-1, 1), 8)


class BlockVae:
    """A cell becomes a block of 8 x 8 pixels of its own channels; a block becomes its mean. Nothing is clamped.

    ``video``: as the host's video VAEs it wants an axis of frames, and takes a batch of images for one film.
    """

    latent_channels = 4
    downscale_ratio = upscale_ratio = 8

    def __init__(self, video: bool = False) -> None:
        self.latent_dim = 3 if video else 2

    def decode(self, samples: Tensor) -> Tensor:
        assert samples.ndim == 2 + self.latent_dim
        return samples.repeat_interleave(8, -2).repeat_interleave(8, -1).movedim(1, -1)

    def encode(self, pixels: Tensor) -> Tensor:
        pooled = F.avg_pool2d(pixels.movedim(-1, 1), 8)
        return pooled.movedim(1, 0)[None] if self.latent_dim == 3 else pooled


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rgb_sync(vae: Any, rig: Windows = RIG, model: Any = None, at_once: int = 0) -> RgbSync:
    """The RGB domain of a run on SPACE; ``at_once``: views per call."""
    base = (model or gaussian()).model
    return RgbSync(RgbDomain(vae), Scene(SPACE, rig), SyncPlan(), base, lambda: at_once)


def bounded(channels: int = 4) -> Any:
    """A MODEL whose views disagree, and whose estimates are pictures in [-1, 1]."""

    def clean(x: Tensor, sigma: Tensor) -> Tensor:
        columns = torch.linspace(1.0, 0.2, x.shape[-1])
        return torch.tanh(x / (1.0 + sigma**2).sqrt() + columns)

    model = analytic(clean)
    model.model.latent_format = copy.copy(model.model.latent_format)
    model.model.latent_format.latent_channels = channels
    return model
