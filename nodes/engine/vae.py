"""A VAE of the host, called for views: encoding to the mean, how many at once, with or without an axis of frames.

VAEs of other packs have only `decode` and `encode`, so everything else is asked for carefully.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .. import host
from ..host.objects import VAE


def mean_encoding_vae(vae: VAE) -> VAE:
    """A VAE that encodes to the mean of its distribution; the host of 2024 draws a sample instead.

    A shallow copy: weights are shared, and the VAE itself stays as it is.
    """
    network: Any = getattr(vae, "first_stage_model", None)
    regularization: Any = getattr(network, "regularization", None)
    if network is None or not getattr(regularization, "sample", False):
        return vae
    mean = copy.copy(regularization)
    mean.sample = False
    vae, network = copy.copy(vae), copy.copy(network)
    network._modules = {**network._modules, "regularization": mean}
    vae.first_stage_model = network
    return vae


def vae_cells(vae: VAE) -> list[float]:
    """Image pixels per latent cell as a VAE states them, of its encoder and decoder; empty when it does not."""
    found: list[float] = []
    for ask, name in (
        ("spacial_compression_encode", "downscale_ratio"),
        ("spacial_compression_decode", "upscale_ratio"),
    ):
        value = getattr(vae, ask)() if hasattr(vae, ask) else getattr(vae, name, None)
        if isinstance(value, int | float):
            found.append(value)
    return found


def vae_views(vae: VAE, shape: tuple[int, ...], cell: int) -> int:
    """How many views of a latent batch of ``shape`` [n, C, h, w] one VAE call holds, by the VAE's own estimate."""
    if not hasattr(vae, "memory_used_decode"):
        return shape[0]
    frames = [1] if getattr(vae, "latent_dim", 2) == 3 else []
    latent = [1, shape[1], *frames, *shape[2:]]
    picture = [1, 3, *frames, shape[2] * cell, shape[3] * cell]
    needed = max(vae.memory_used_decode(latent, vae.vae_dtype), vae.memory_used_encode(picture, vae.vae_dtype))
    return max(1, int(host.free_memory(vae.device) / max(1, needed)))


def vae_decode(vae: VAE, latent: Tensor) -> Tensor:
    """Latents [n, C, (1,) h, w] -> images [n, H, W, channels] in [0, 1], where the VAE leaves them. Raises MemoryError
    when one view does not fit, the host's own error when several do not."""
    video = getattr(vae, "latent_dim", latent.ndim - 2) == 3
    flat = latent.squeeze(2) if latent.ndim == 5 else latent
    images = _kept_small(lambda: vae.decode(flat.unsqueeze(2) if video else flat), flat.shape[0], "decodes to")
    return (images[:, 0] if images.ndim == 5 else images).float()


def vae_decode_clip(vae: VAE, latent: Tensor) -> Tensor:
    """The latent of one clip [1, C, t, h, w] -> its frames [frames, H, W, channels]. Raises ValueError for a VAE of
    single pictures, and as `vae_decode` does."""
    if getattr(vae, "latent_dim", 3) != 3:
        raise ValueError(
            "this VAE decodes single pictures, and views are clips of a video; connect the video model's VAE"
        )
    return _kept_small(lambda: vae.decode(latent), 1, "decodes to").flatten(0, -4).float()


def decoded(vae: VAE, samples: Tensor) -> Iterator[Tensor]:
    """View latents [n, C, (t,) h, w], decoded one by one: images [H, W, channels] on the CPU, of clips every frame."""
    for view in samples:
        host.check_interrupt()
        if view.ndim == 4 and view.shape[1] > 1:
            yield from vae_decode_clip(vae, view[None]).cpu()
        else:
            yield vae_decode(vae, view[None])[0].cpu()


@dataclass(frozen=True)
class GivenViews:
    """Views as pictures, whichever way a node was given them: images [N, h, w, C], or latents with their VAE. frames:
    how many pictures a view of latents is."""

    views: dict[str, Any] | None = None
    vae: VAE = None
    images: Tensor | None = None
    frames: int = 1

    def pictures(self, what: str, decode: Callable[[VAE, Tensor], Iterator[Tensor]] = decoded) -> Iterator[Tensor]:
        """One after another; images go first. Raises ValueError, at once, when there is nothing to ``what``."""
        if self.images is not None:
            return iter(self.images)
        if self.views is None or self.vae is None:
            raise ValueError(f"nothing to {what}; connect views with a vae, or images")
        return decode(self.vae, self.views["samples"])

    @property
    def count(self) -> int:
        """How many pictures there are."""
        if self.images is not None:
            return self.images.shape[0]
        return 0 if self.views is None else self.views["samples"].shape[0] * self.frames


def vae_encode(vae: VAE, images: Tensor) -> Tensor:
    """Images [n, H, W, channels] in [0, 1] -> latents [n, C, h, w]. Raises as `vae_decode` does."""
    images = images.contiguous()  # Another memory layout changes the last bits of a convolution.
    if getattr(vae, "latent_dim", 2) == 3:
        # A video VAE would take the batch for the frames of one film.
        return torch.cat([_kept_small(lambda i=i: vae.encode(i[None]), 1, "encodes")[:, :, 0] for i in images])
    return _kept_small(lambda: vae.encode(images), images.shape[0], "encodes")


def _kept_small(call: Callable[[], Tensor], views: int, does: str) -> Tensor:
    """A call of the VAE; one view alone gets a second chance when memory runs out, more are for the caller to cut."""
    if views > 1:
        return call()
    return host.once_more(
        call, f"the picture of one view alone, which the VAE {does}, does not fit in the memory; use smaller views"
    )


def check_weights(vae: VAE, name: str = "vae") -> None:
    """Raise ValueError when a VAE, called ``name``, came without weights."""
    if getattr(vae, "first_stage_model", vae) is None:
        raise ValueError(f"{name} holds no weights (the checkpoint brought none); connect a VAE Loader")


def check_vae(vae: VAE, cell: int, channels: int, name: str = "rgb_vae") -> None:
    """Raise ValueError when a VAE, called ``name``, is not of latents with that many image pixels a cell and
    channels."""
    check_weights(vae, name)
    for ratio in vae_cells(vae):
        if ratio != cell:
            raise ValueError(
                f"{name} has {ratio:g} image pixels per latent cell, the views of this rig have {cell}; "
                "connect the VAE of this model"
            )
    found = getattr(vae, "latent_channels", channels)
    if found != channels:
        raise ValueError(
            f"{name} has latents of {found} channels, this model of {channels}; connect the VAE of this model"
        )
