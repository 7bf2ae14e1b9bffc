"""Three doors to one engine: a SAMPLER around a SAMPLER, a MODEL that synchronises in any sampler node, a NOISE."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from ...sync_core.steering.readings import REDUCTIONS
from ...sync_core.synchronizer import NO_STATE
from .. import host
from ..host.errors import SyncError, check_finite, named
from ..host.objects import Guider, Model
from .chunks.fitting import views_at_once
from .conds import bootstrapped
from .noise import starting_noise
from .run import Run, SyncSettings
from .sampler import ACTIVE, decorate
from .tagged_conds import has_tags


class SyncSampler(host.KSAMPLER):
    """A SAMPLER that is another SAMPLER, synchronised. ``node`` names the door in error messages."""

    def __init__(self, sampler: Any, settings: SyncSettings, node: str) -> None:
        if not hasattr(sampler, "sampler_function"):
            raise SyncError(
                f"{node}: the SAMPLER '{type(sampler).__name__}' has no sampler function to synchronise; "
                "connect KSamplerSelect or another k-diffusion sampler"
            )
        self.__dict__.update(sampler.__dict__)
        self.sampler_function = decorate(sampler.sampler_function, settings)
        self._node = node

    def sample(self, *args: Any, **kwargs: Any) -> Tensor:
        with named(self._node):
            return cast(Any, super()).sample(*args, **kwargs)


class SyncNoise:
    """A NOISE whose views share their noise. ``seed`` is what the host's samplers read."""

    def __init__(self, seed: int, settings: SyncSettings) -> None:
        self.seed = seed
        self._settings = settings

    def generate_noise(self, input_latent: dict[str, Any]) -> Tensor:
        """Noise shaped like the latent's samples [B*N, C, (1,) h, w], on the CPU."""
        with named("SyncTweediesNoise"):
            samples = input_latent["samples"]
            return starting_noise(self._settings, samples.cpu(), self.seed)


def patch_model(model: Model, settings: SyncSettings, node: str) -> Model:
    """A clone of a MODEL that synchronises whatever samples it; the MODEL itself is left untouched."""
    patched = model.clone()
    if host.HAS_WRAPPERS:
        host.add_wrapper(patched, "SAMPLER_SAMPLE", _sampler_wrapper(settings, node))
        return host.with_memory_estimate(patched, lambda shape: views_at_once(model, settings.views_per_batch, shape))
    plan = settings.plan
    if plan.process != 2 or plan.stochastic is not None or plan.travel.times > 1 or not plan.schedule.is_constant:
        raise SyncError(
            f"{node}: this ComfyUI (2024) can patch a MODEL only for process 2 on every step; "
            "use SyncTweediesSampler or SyncTweediesSamplerWrap, or a newer ComfyUI"
        )
    if settings.scene.geometry.background is not None:
        raise SyncError(
            f"{node}: a MODEL of this ComfyUI (2024) does not know its step, which backgrounds change with; use "
            "SyncTweediesSampler or SyncTweediesSamplerWrap, or set ViewBackground's policy to own"
        )
    if settings.rgb is not None and settings.rgb.every > 1:
        raise SyncError(
            f"{node}: a MODEL of this ComfyUI (2024) does not know its step, which rgb_every {settings.rgb.every} "
            "counts; use rgb_every 1, SyncTweediesSampler or SyncTweediesSamplerWrap, or a newer ComfyUI"
        )
    if plan.aggregation in REDUCTIONS:
        raise SyncError(
            f"{node}: a MODEL of this ComfyUI (2024) does not know its step, which aggregation {plan.aggregation} goes "
            "by; use SyncTweediesSampler or SyncTweediesSamplerWrap, or aggregation mean"
        )
    if not plan.visits.everywhere:
        raise SyncError(
            f"{node}: a MODEL of this ComfyUI (2024) is always asked about all views, and visits {plan.visits.policy} "
            "leave some out; use SyncTweediesSampler or SyncTweediesSamplerWrap, or a newer ComfyUI"
        )
    if settings.operator is not None:
        raise SyncError(
            f"{node}: a MODEL of this ComfyUI (2024) does not know its step, nor what it starts from, which an "
            "operator goes by; use SyncTweediesSampler or SyncTweediesSamplerWrap, or a newer ComfyUI"
        )
    if settings.coherence is not None:
        raise SyncError(
            f"{node}: a MODEL of this ComfyUI (2024) only sees clean estimates, and coherence moves what is noisy; use "
            "SyncTweediesSampler or SyncTweediesSamplerWrap, or a newer ComfyUI"
        )
    if settings.save_every:
        raise SyncError(
            f"{node}: a MODEL of this ComfyUI (2024) does not know its step, which save_every {settings.save_every} "
            "counts; use 0, SyncTweediesSampler or SyncTweediesSamplerWrap, or a newer ComfyUI"
        )
    patched.set_model_sampler_post_cfg_function(_post_cfg(settings, node))
    return patched


def _sampler_wrapper(settings: SyncSettings, node: str) -> Any:
    def wrapper(
        executor: Any,
        guider: Guider,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: Any,
        noise: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        sampler = executor.class_obj
        if isinstance(sampler, SyncSampler):
            return executor(guider, sigmas, extra_args, callback, noise, *args, **kwargs)
        original = getattr(sampler, "sampler_function", None)
        if original is None:
            raise SyncError(f"{node}: '{type(sampler).__name__}' has no sampler function to synchronise; use KSampler")
        with named(node):
            settings.scene.views_of_batch(tuple(noise.shape))
            # A run that continues another one brings no noise of its own.
            if bool(noise.count_nonzero()) and extra_args.get("seed") is not None:
                noise = starting_noise(settings, noise.cpu(), extra_args["seed"]).to(noise)
            sampler.sampler_function = decorate(original, settings)
            try:
                return executor(guider, sigmas, extra_args, callback, noise, *args, **kwargs)
            finally:
                sampler.sampler_function = original

    return wrapper


def _post_cfg(settings: SyncSettings, node: str) -> Any:
    """The 2024 fallback: the guided estimate of every call, synchronised."""
    # The guider calls the model with all views at once, and does not say at which step.
    whole = replace(settings, views_per_batch=0)
    # The maps are built at the first call, not at each: a batch on a device has one run.
    runs: dict[tuple[torch.device, tuple[int, ...]], Run] = {}

    def synchronise(args: dict[str, Any]) -> Tensor:
        denoised = args["denoised"]
        if args["model_options"].get("transformer_options", {}).get(ACTIVE):
            return denoised
        host.check_interrupt()
        if any(has_tags(args.get(side)) for side in ("cond", "uncond")):
            raise SyncError(
                f"{node}: this ComfyUI (2024) cannot give a patched MODEL a prompt per view; use SyncTweediesSampler"
            )
        if any(bootstrapped(args.get(side)) for side in ("cond", "uncond")):
            raise SyncError(
                f"{node}: this ComfyUI (2024) cannot show a patched MODEL other things for a prompt that begins alone; "
                "use SyncTweediesSampler, or set CanonicalPrompt's alone to 0"
            )
        with named(node):
            key = (denoised.device, tuple(denoised.shape))
            if key not in runs:
                runs[key] = Run.start(whole, args["model"], denoised)
            check_finite(denoised, float(args["sigma"].reshape(-1)[0]))
            run = runs[key]
            return run.packing.framed(run.average(run.packing.flat(denoised), NO_STATE)[0])

    return synchronise
