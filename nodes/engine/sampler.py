"""The decorated sampler function: the host's own sampler, fed with synchronised clean estimates.

A sampler calls ``model(x, sigma)`` and gets the clean estimate; every sampler is a function of those calls. So the
decorator stands in for ``model``, outside guidance, the inpaint blend and noise scaling, and any SAMPLER with any
GUIDER works. `doors.py` says how users reach it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...sync_core.process_steps import blend
from ...sync_core.schedule import Trajectory
from ...sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan
from .. import host
from ..host.errors import check_finite
from .backgrounds import ViewBackgrounds
from .chunks import ViewBatches
from .conds import check_concat
from .noise import own_noise, share_inpaint_noise, starting_state, step_noise
from .notes import warn_of_noise
from .patch_needs import check_patches, guidance_in_chunks, guidance_keeps_state
from .preview import LiveView
from .rgb_domain import RgbSync
from .run import Packing, Run, SyncSettings
from .tagged_conds import has_tags
from .travelling import check_travel, sample_travelling
from .walks import sample_stochastic

ACTIVE = "synctweedies_active"

# A process that moves the state is one explicit step; only these samplers are that step and nothing else.
FIRST_ORDER = ("euler",)

# Where the host keeps functions that see the guided estimate; CFG++ samplers add one to learn the unconditional.
POST_CFG = "sampler_post_cfg_function"


class SyncDenoiser(host.KSamplerX0Inpaint):
    """Stands in for the host's model wrapper; ``inner`` is the real one. ``known``: how many functions stood behind
    guidance before the sampler added its own."""

    def __init__(self, inner: Any, run: Run, packing: Packing, known: int = 0) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner = inner
        self._run = run
        self._packing = packing
        self._known = known
        self._noise: Tensor | None = None

    def __call__(self, x: Tensor, sigma: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        run, level = self._run, float(sigma.reshape(-1)[0])
        host.check_interrupt()

        def denoise(views: Tensor) -> Tensor:
            views = self._with_background(views, sigma)
            levels = sigma.reshape(-1)[:1].expand(views.shape[0])
            with self._own_estimates(kwargs, level, views.shape[0]) as options:
                clean = run.flat(self._inner(run.framed(views), levels, *args, **options))
            check_finite(clean, level)
            return clean

        w, z = self._packing.split(x)
        average = partial(run.average, sigma=level)
        w, z, run.state = run.sync.step(denoise, level, run.trajectory, run.state, w, z, average)
        return self._packing.join(w, z)

    def _with_background(self, views: Tensor, sigma: Tensor) -> Tensor:
        """Projections of a canonical state, which has no background, get one that is as noisy as they are."""
        run = self._run
        if self._packing.state != "canonical" or run.backgrounds is None or run.views.fully_covered:
            return views
        if self._noise is None:
            self._noise = own_noise(tuple(views.shape), run.backgrounds.seed, views)
        return run.backgrounds.noisy(views, sigma.reshape(-1)[:1].reshape(1, 1, 1, 1), self._noise)

    @contextmanager
    def _own_estimates(self, kwargs: dict[str, Any], level: float, rows: int) -> Iterator[dict[str, Any]]:
        """The model's arguments for one call. CFG++ samplers keep the unconditional estimate for themselves, before any
        synchronisation of ours: afterwards they are shown it again, synchronised exactly as the guided one is."""
        options = kwargs.get("model_options", {})
        functions = options.get(POST_CFG, [])
        own, run = functions[self._known :], self._run
        if not own or run.sync.plan.process == 0:
            yield kwargs
            return
        if run.sync.plan.process != 2:
            raise ValueError(_UNCONDITIONAL.format("this sampler"))
        seen: list[dict[str, Any]] = []

        def watch(args: dict[str, Any]) -> Tensor:
            seen.append(args)
            return args["denoised"]

        yield {**kwargs, "model_options": {**options, POST_CFG: [*functions, watch]}}
        strength = run.sync.plan.schedule.at(run.trajectory, level)
        if not seen or seen[-1]["uncond_denoised"] is None:
            return
        # (hosts of 2024 guide chunk by chunk; a guider that guides twice means its last estimate)
        plain = run.flat(torch.cat([args["uncond_denoised"] for args in seen])[-rows:])
        synced = plain if strength == 0 else blend(plain, run.average(plain, NO_STATE, level)[0], strength)
        synced = run.framed(synced)
        for function in own:
            function({**seen[-1], "uncond_denoised": synced})


_UNCONDITIONAL = "{} steps from the unconditional estimate, which only process 2 synchronises; use process 2"


def check_sampler(function: Callable[..., Any], plan: SyncPlan, options: dict[str, Any]) -> None:
    """Refuse what would be silently wrong, with a reason and something that works."""
    name, rule = host.sampler_name(function), plan.rule
    if rule.moves_state and name not in FIRST_ORDER:
        raise ValueError(
            f"process {rule.number} moves the noisy state, which only a first-order sampler does exactly; "
            f"use euler or ddim instead of {name}, or process 2"
        )
    if "cfg_pp" in name and rule.number not in (0, 2):
        raise ValueError(_UNCONDITIONAL.format(name))
    if name == "lcm_upscale":
        raise ValueError("lcm_upscale changes the size of the views while it samples; use lcm, and upscale the result")
    check_travel(name, plan)
    if options.get("s_churn"):
        raise ValueError("s_churn draws noise for each view alone; set s_churn to 0, or use euler_ancestral")


def decorate(function: Callable[..., Any], settings: SyncSettings) -> Callable[..., Tensor]:
    """A k-diffusion sampler function that synchronises the views of ``settings`` and otherwise is ``function``."""

    def synchronised(
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: dict[str, Any] | None = None,
        callback: Callable[[dict[str, Any]], None] | None = None,
        disable: bool | None = None,
        **options: Any,
    ) -> Tensor:
        extra_args = dict(extra_args or {})
        model_options = extra_args.get("model_options", {})
        if model_options.get("transformer_options", {}).get(ACTIVE):
            # Another door already synchronises this run.
            return function(model, x, sigmas, extra_args=extra_args, callback=callback, disable=disable, **options)
        check_sampler(function, settings.plan, options)
        check_patches(model_options, x, model.inner_model)
        views = settings.scene.views_of_batch(tuple(x.shape)).to(x.device)
        warn_of_noise(settings, views)
        check_concat(getattr(model.inner_model, "original_conds", {}).values(), views, x.shape[0])
        run = Run(Synchronizer(settings.plan, views), Trajectory.of(sigmas.tolist()), x.ndim == 5)
        packing = Packing(run, x.shape[0] // views.count, x.shape[1])
        seed = extra_args.get("seed")
        live = LiveView(getattr(model.inner_model, "model_patcher", None), settings.scene, run.trajectory.steps)
        batches = ViewBatches(views.count, settings.views_per_batch, live.chunk)
        base = model.inner_model.inner_model
        if settings.rgb is not None:
            run.rgb = RgbSync(settings.rgb, settings.scene, settings.plan, base, lambda: batches.views_per_batch)
        background = getattr(settings.scene.rig, "background", None)
        run.backgrounds = ViewBackgrounds(background, views, run.trajectory, base, int(seed or 0))
        model, extra_args["model_options"] = _prepare(model, model_options, function, batches)
        share_inpaint_noise(model, run, extra_args)

        def shown(info: dict[str, Any]) -> None:
            clean = packing.shown(info["denoised"])
            if callback is not None:
                callback({**info, "x": packing.shown(info["x"]), "denoised": clean})
            # After the host's own preview, which shows the first view alone.
            live.step(int(info["i"]), clean)

        walk = settings.plan.stochastic
        if walk is not None:
            return sample_stochastic(function, model, x, sigmas, extra_args, shown, walk, run, batches, options)
        start = starting_state(model, x, sigmas, packing, int(seed or 0), settings)
        if (
            settings.plan.step_noise == "canonical"
            and host.takes_noise_sampler(function, options)
            and packing.state != "canonical"
        ):
            options.setdefault("noise_sampler", step_noise(function, start, sigmas, seed, packing))
        denoiser = SyncDenoiser(model, run, packing, len(model_options.get(POST_CFG, [])))
        if settings.plan.travel.times > 1:
            sampling = host.model_sampling(model)
            plan, own_seed = settings.plan, int(seed or 0)
            end = sample_travelling(
                function, denoiser, start, sigmas, extra_args, shown, sampling, packing, plan, own_seed, options
            )
        else:
            end = function(denoiser, start, sigmas, extra_args=extra_args, callback=shown, disable=disable, **options)
        result = packing.shown(end)
        # Views still noisy (a split schedule) are left as they are: averaging their noise would weaken it.
        if (
            settings.plan.final_sync
            and settings.plan.rule.result == "w"
            and settings.plan.process
            and float(sigmas[-1]) == 0
        ):
            result = run.framed(run.average(run.flat(result), run.state, finished=True)[0])
        return result

    synchronised.__name__ = function.__name__
    return synchronised


def _prepare(
    model: Any, model_options: dict[str, Any], function: Callable[..., Any], batches: ViewBatches
) -> tuple[Any, dict[str, Any]]:
    """A copy of the host's model wrapper and of its options, set up for chunks of views."""
    model = copy.copy(model)
    if host.HAS_WRAPPERS and not guidance_in_chunks(model_options):
        model_options = host.with_wrapper(model_options, "CALC_COND_BATCH", batches.calc_cond_batch)
    else:
        together = ""
        if guidance_keeps_state(model_options):
            together = "a guidance patch of this model remembers all views from step to step"
        model.inner_model = _ChunkedGuider(model.inner_model, batches, together)
        model_options = {**model_options, "transformer_options": dict(model_options.get("transformer_options", {}))}
    model_options["transformer_options"][ACTIVE] = True
    return model, model_options


class _ChunkedGuider:
    """The guider, called in chunks of views: on hosts without wrappers, and for guidance that needs it. Everything
    else is the guider's own. ``together``: why it must not be called with some of the views, if so."""

    def __init__(self, guider: Any, batches: ViewBatches, together: str) -> None:
        self._guider = guider
        self._batches = batches
        self._together = together

    def __call__(self, x: Tensor, timestep: Tensor, **options: Any) -> Tensor:
        if self._together:
            if any(has_tags(entries) for entries in self._guider.conds.values()):
                raise ValueError(f"{self._together}, so prompts for some views only cannot be used with it")
            if self._batches.size(self._guider.inner_model, x) < x.shape[0]:
                raise ValueError(f"{self._together}; set views_per_batch to {x.shape[0]}, or leave one of them out")
        return self._batches.guide(self._guider, x, timestep, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guider, name)
