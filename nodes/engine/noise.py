"""Noise that the views of a run share: at the start, at every step of a stochastic sampler, around a mask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ...renderers.pictures import along_time, flat
from ...sync_core.noise import canonical_noise_sampler, view_noise
from .. import host
from .run import Run, SyncSettings
from .sampler_call import SamplerCall

NoiseSampler = Callable[[Tensor, Tensor], Tensor]
"""(this noise level, the next one) -> noise: what the host's stochastic samplers ask at every step."""

# Added to the seed for noise that only one view has, so that it never repeats the shared noise.
OWN_NOISE = 0x5EED

# Added to the seed for noise around regions, so that it is not the start's.
_REGIONS = 0xB007


def own_noise(shape: tuple[int, ...], seed: int, like: Tensor) -> Tensor:
    """White noise that views do not share, on the CPU generator so that it is the same on every device."""
    generator = torch.Generator().manual_seed((seed + OWN_NOISE) % 2**64)
    return torch.randn(shape, generator=generator).to(like)


def starting_noise(settings: SyncSettings, like: Tensor, seed: int) -> Tensor:
    """The noise of a view batch shaped like ``like`` [B*N, C, (t,) h, w], by the plan's mode, on the CPU.

    The canonical noise is the host's own for that seed in canonical shape, so one view that is the whole picture starts
    as a plain KSampler would. Raises ValueError when the batch does not match the rig.
    """
    scene, shape = settings.scene, tuple(like.shape)
    scene.views_of_batch(shape)
    views = scene.noise_views(scene.cell_of_views(shape))
    batch = like.shape[0] // views.count
    template = torch.zeros(batch, like.shape[1], *views.canonical, dtype=like.dtype)
    if like.ndim == 5:
        template = along_time(template, scene.geometry.clip.whole)
    shared = host.prepare_noise(template, seed, settings.batch_index)
    z, shape = shared.reshape(batch, like.shape[1], *views.canonical), tuple(flat(like).shape)
    noise = view_noise(views.to("cpu"), settings.plan.noise, z, lambda: own_noise(shape, seed, z))
    return noise.reshape(like.shape)


def share_inpaint_noise(run: Run, call: SamplerCall) -> None:
    """Samplers that redraw the noise of masked-out regions ("ddim") draw it per view: share it instead, on the call's
    own copy of the model wrapper."""
    model, packing = call.model, run.packing
    if call.extra_args.get("denoise_mask") is None or model.latent_image is None:
        return
    noise = packing.flat(model.noise)
    consistent, _ = run.sync.sync(noise)
    if torch.allclose(consistent, noise, atol=1e-4):
        return
    seed = run.seed + 1
    shared = host.prepare_noise(torch.zeros(run.noise_shape), seed).to(noise)
    own = partial(own_noise, tuple(noise.shape), seed, noise)
    model.noise = packing.framed(view_noise(run.noise_views, "polar", shared, own))


def region_noise(run: Run) -> Tensor:
    """float [B*N, C, h, w], white and shared: what lies around prompts that begin alone, another for every seed."""
    packing, seed = run.packing, run.seed + _REGIONS
    z = torch.randn(run.noise_shape, generator=torch.Generator().manual_seed(seed % 2**63))
    return view_noise(run.noise_views.to("cpu"), "polar", z, lambda: own_noise(packing.views_shape, seed, z))


def starting_state(run: Run, call: SamplerCall, x: Tensor) -> Tensor:
    """The sampler's first state, from the views x. A canonical state is drawn anew: the mean of noisy views has too
    little noise. Raises ValueError for a run that such a state cannot end before it is clean."""
    model, packing, sigmas = call.model, run.packing, call.sigmas
    if packing.holds == "instance":
        return x
    guider = model.inner_model
    latent = packing.flat(model.latent_image) if model.latent_image is not None else torch.zeros_like(packing.flat(x))
    clean = run.sync.maps.aggregator(latent)
    if float(sigmas[-1]) > 0 and run.ending is run:
        raise ValueError(
            f"process {run.plan.process} keeps a canonical state, which leftover noise cannot carry on from; "
            "sample to the end (last sigma 0), set sync_end below 1, or use process 2"
        )
    noise = torch.zeros(clean.shape, dtype=clean.dtype)
    noise = host.prepare_noise(noise, run.seed, run.settings.batch_index).to(clean)
    full = host.max_denoise(guider, sigmas)
    z = guider.inner_model.model_sampling.noise_scaling(sigmas[0], noise, clean, full)
    return packing.join(packing.flat(x), z)


def step_noise(run: Run, call: SamplerCall, like: Tensor, apart: bool = False) -> NoiseSampler:
    """The host's noise for this sampler, drawn once in canonical shape and seen by every view. ``like``: the sampler's
    state, for its type and device. apart: see ``host.noise_sampler``."""
    packing, views, seed = run.packing, run.noise_views, call.seed
    z_like = torch.zeros(run.noise_shape, dtype=like.dtype, device=like.device)
    w_like = z_like.new_zeros(packing.views_shape)
    # A 5-D latent draws in 5-D, as the host does for a single view.
    shared = host.noise_sampler(call.function, packing.framed_canvas(z_like), call.sigmas, seed, apart)
    made: list[NoiseSampler] = []

    def own(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        if not made:  # Most views need none, and a Brownian path over all of them is not free.
            own_seed = None if seed is None else (seed + OWN_NOISE) % 2**63
            made.append(host.noise_sampler(call.function, w_like, call.sigmas, own_seed, apart))
        return made[0](sigma, sigma_next)

    def canonical(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        return packing.flat(shared(sigma, sigma_next))

    if packing.holds == "instance":
        views_noise = canonical_noise_sampler(views, canonical, own)
        return lambda sigma, sigma_next: packing.framed(views_noise(sigma, sigma_next))

    def both(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        z = canonical(sigma, sigma_next)
        return packing.join(view_noise(views, "polar", z, lambda: own(sigma, sigma_next)), z)

    return both


def journey_noise(run: Run, like: Tensor, seed: int) -> Tensor:
    """White noise for a sampler's state, shared between views as the plan's step noise is."""
    packing, views = run.packing, run.noise_views
    z = torch.randn(run.noise_shape, generator=torch.Generator().manual_seed(seed % 2**63)).to(like)
    if packing.holds == "canonical":
        return z
    mode = "polar" if run.plan.step_noise == "canonical" else "independent"
    return packing.join(view_noise(views, mode, z, lambda: own_noise(packing.views_shape, seed, z)), z)
