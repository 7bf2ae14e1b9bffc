"""What a KSampler does, for all views of a scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .. import host
from ..engine.chunks.fitting import views_at_once
from ..engine.clips import conds_of_views
from ..engine.doors import SyncSampler
from ..engine.edits.guider import EditGuider
from ..engine.edits.results import check_mask, edited
from ..engine.latents import as_held, keep_unmasked, starting_latents, to_canonical
from ..engine.noise import starting_noise
from ..engine.run import SyncSettings

Latent = dict[str, Any]


@dataclass(frozen=True)
class StepWishes:
    """What a KSampler asks for, by its own names."""

    seed: int
    steps: int
    cfg: float
    sampler_name: str
    scheduler: str
    denoise: float


def sampled(
    model: Any,
    settings: SyncSettings,
    texts: tuple[Any, Any],
    wishes: StepWishes,
    canonical: Latent | None,
    views: Latent | None,
    batch_size: int,
) -> tuple[Latent, Latent]:
    """(LATENT of all views, in rig order; LATENT of the canonical picture).

    texts: the positive and the negative CONDITIONING. canonical, views: LATENTs to start from, one of them or neither,
    for ``batch_size`` pictures made of noise. Raises ValueError as the engine does.
    """
    scene = settings.scene
    whole, latent = starting_latents(scene, model, canonical, views, wishes.denoise, batch_size)
    if whole.get("batch_index") is not None:
        settings = replace(settings, batch_index=tuple(whole["batch_index"]))
    samples = latent["samples"]
    view_set = scene.views_of_batch(tuple(samples.shape))
    noise = starting_noise(settings, samples.cpu(), wishes.seed)
    name = wishes.sampler_name
    sigmas = host.k_sampler_sigmas(model, wishes.steps, name, wishes.scheduler, wishes.denoise)
    sampler = SyncSampler(host.sampler_object(name), settings, "SyncTweediesSampler")
    sized = host.with_memory_estimate(model, lambda shape: views_at_once(model, settings.views_per_batch, shape))
    positive, negative = (conds_of_views(scene, text, tuple(samples.shape)) for text in texts)
    mask = latent.get("noise_mask")
    if settings.edit is not None:
        check_mask(whole.get("noise_mask", mask), whole.get("samples", samples))
        given = settings.edit.prompts(positive, negative, view_set.count, len(samples))
        prompts = given.each(lambda text: conds_of_views(scene, text, tuple(samples.shape)))
        guider = EditGuider(sized, prompts, wishes.cfg, settings.edit.source_cfg)
        result = host.sample_guided(guider, noise, sampler, sigmas, samples, mask, wishes.seed)
        result, joined = edited(scene, whole, latent, result)
        return {**latent, "samples": result}, {**whole, "samples": joined}
    result = host.sample(
        sized, noise, positive, negative, wishes.cfg, sampler, sigmas, samples, mask, None, wishes.seed
    )
    joined = to_canonical(scene, result)[0]
    joined = joined if views is not None else keep_unmasked(scene, whole, joined)
    return {**latent, "samples": result}, {**whole, "samples": as_held(scene, joined)}
