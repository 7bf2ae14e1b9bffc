"""Noise that the views of a run share: at the start, at every step of a stochastic sampler, around a mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...sync_core.noise import canonical_noise_sampler, view_noise
from ...sync_core.walked import Views
from .. import host
from .run import Packing, Run, SyncSettings

# Added to the seed for noise that only one view has, so that it never repeats the shared noise.
OWN_NOISE = 0x5EED


def own_noise(shape: tuple[int, ...], seed: int, like: Tensor) -> Tensor:
    """White noise that views do not share, on the CPU generator so that it is the same on every device."""
    generator = torch.Generator().manual_seed((seed + OWN_NOISE) % 2**64)
    return torch.randn(shape, generator=generator).to(like)


def starting_noise(settings: SyncSettings, views: Views, like: Tensor, seed: int) -> Tensor:
    """The noise of a view batch shaped like ``like`` [B*N, C, (1,) h, w], by the plan's mode, on the CPU.

    The canonical noise is the host's own for that seed in canonical shape, so one view that is the whole picture starts
    as a plain KSampler would.
    """
    batch = like.shape[0] // views.count
    template = torch.zeros(batch, *like.shape[1:-2], *views.canonical, dtype=like.dtype)
    shared = host.prepare_noise(template, seed, settings.batch_index)
    flat = shared.reshape(batch, like.shape[1], *views.canonical)
    shape = (like.shape[0], like.shape[1], *like.shape[-2:])
    noise = view_noise(views.to("cpu"), settings.plan.noise, flat, lambda: own_noise(shape, seed, flat))
    return noise.reshape(like.shape)


def share_inpaint_noise(model: Any, run: Run, extra_args: dict[str, Any]) -> None:
    """Samplers that redraw the noise of masked-out regions ("ddim") draw it per view: share it instead."""
    if extra_args.get("denoise_mask") is None or model.latent_image is None:
        return
    noise = run.flat(model.noise)
    consistent, _ = run.sync.sync(noise)
    if torch.allclose(consistent, noise, atol=1e-4):
        return
    seed = int(extra_args.get("seed") or 0) + 1
    batch = noise.shape[0] // run.views.count
    shared = host.prepare_noise(torch.zeros(batch, noise.shape[1], *run.views.canonical), seed).to(noise)
    model.noise = run.framed(view_noise(run.views, "polar", shared, lambda: own_noise(tuple(noise.shape), seed, noise)))


def starting_state(
    model: Any, x: Tensor, sigmas: Tensor, packing: Packing, seed: int, settings: SyncSettings
) -> Tensor:
    """The sampler's first state. A canonical state is drawn anew: the mean of noisy views has too little noise."""
    if packing.state == "instance":
        return x
    run, guider = packing.run, model.inner_model
    latent = run.flat(model.latent_image) if model.latent_image is not None else torch.zeros_like(run.flat(x))
    clean = run.sync.maps.aggregator(latent)
    if float(sigmas[-1]) > 0:
        raise ValueError(
            f"process {run.sync.plan.process} keeps a canonical state, which leftover noise cannot carry on from; "
            "sample to the end (last sigma 0), or use process 2"
        )
    noise = host.prepare_noise(torch.zeros(clean.shape, dtype=clean.dtype), seed, settings.batch_index).to(clean)
    full = host.max_denoise(guider, sigmas)
    z = guider.inner_model.model_sampling.noise_scaling(sigmas[0], noise, clean, full)
    return packing.join(run.flat(x), z)


def step_noise(
    function: Callable[..., Any], start: Tensor, sigmas: Tensor, seed: int | None, packing: Packing
) -> Callable[[Tensor, Tensor], Tensor]:
    """The host's noise for this sampler, drawn once in canonical shape and seen by every view."""
    run, views = packing.run, packing.run.views
    z_like = torch.zeros(packing.batch, packing.channels, *views.canonical, dtype=start.dtype, device=start.device)
    w_like = z_like.new_zeros(packing.batch * views.count, packing.channels, views.height, views.width)
    # A 5-D latent draws in 5-D, as the host does for a single view.
    shared = host.noise_sampler(function, run.framed(z_like), sigmas, seed)
    made: list[Callable[..., Tensor]] = []

    def own(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        if not made:  # Most views need none, and a Brownian path over all of them is not free.
            own_seed = None if seed is None else (seed + OWN_NOISE) % 2**63
            made.append(host.noise_sampler(function, w_like, sigmas, own_seed))
        return made[0](sigma, sigma_next)

    def canonical(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        return run.flat(shared(sigma, sigma_next))

    if packing.state == "instance":
        views_noise = canonical_noise_sampler(views, canonical, own)
        return lambda sigma, sigma_next: run.framed(views_noise(sigma, sigma_next))

    def both(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        z = canonical(sigma, sigma_next)
        return packing.join(view_noise(views, "polar", z, lambda: own(sigma, sigma_next)), z)

    return both
