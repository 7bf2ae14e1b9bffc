"""The decorated sampler function: the host's own sampler, fed with synchronised clean estimates.

A sampler calls ``model(x, sigma)`` and gets the clean estimate; every sampler is a function of those calls. So a
stand-in for ``model`` (`denoiser.py`), outside guidance, the inpaint blend and noise scaling, is all that is needed,
and any SAMPLER with any GUIDER works. `doors.py` says how users reach it.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor

from ...sync_core.synchronizer import SyncPlan
from .. import host
from ..host.objects import Guider, Wrapper
from .chunks import SHOWN, ViewBatches
from .clips import check_conds
from .conds import Bootstrap, bootstrapped, check_concat, mixing
from .denoiser import UNCONDITIONAL
from .edits.denoiser import check_edit_sampler
from .edits.guider import EditJob, check_guider
from .forecast import forecast
from .noise import region_noise, share_inpaint_noise
from .notes import warn_of_noise
from .patch_needs import check_patches, check_visits, guidance_in_chunks, guidance_keeps_state
from .run import Run, SyncSettings
from .sampler_call import SamplerCall
from .tagged_conds import has_tags
from .walks import walk_of

ACTIVE = "synctweedies_active"

# The host's name for what is called in place of the model.
_AROUND_MODEL = "model_function_wrapper"

# A process that moves the state is one explicit step; only these samplers are that step and nothing else.
FIRST_ORDER = ("euler",)

# Deterministic samplers of which a step knows nothing of the step before, nor of the one after.
SINGLE_STEP = ("euler", "heun", "dpm_2")


def check_sampler(function: Callable[..., Any], plan: SyncPlan, options: dict[str, Any]) -> None:
    """Refuse what would be silently wrong, with a reason and something that works."""
    name, rule = host.sampler_name(function), plan.rule
    if rule.moves_state and name not in FIRST_ORDER:
        raise ValueError(
            f"process {rule.number} moves the noisy state, which only a first-order sampler does exactly; "
            f"use euler or ddim instead of {name}, or process 2"
        )
    if "cfg_pp" in name and (rule.number not in (0, 2) or plan.coupling):
        raise ValueError(UNCONDITIONAL.format(name))
    if name == "lcm_upscale":
        raise ValueError("lcm_upscale changes the size of the views while it samples; use lcm, and upscale the result")
    if plan.travel.times > 1 and name not in SINGLE_STEP:
        raise ValueError(
            f"travel_times {plan.travel.times} repeats single steps, and {name} uses what it knows of other steps, or "
            f"noise of its own; use {', '.join(SINGLE_STEP)} or ddim, or travel_times 1"
        )
    if plan.visits.holds and name not in FIRST_ORDER:
        raise ValueError(
            f"visits {plan.visits.policy} keep estimates from step to step, which {name} would take for new ones; use "
            "euler or ddim, or visits turning"
        )
    if options.get("s_churn"):
        raise ValueError("s_churn draws noise for each view alone; set s_churn to 0, or use euler_ancestral")


def _whole_steps(settings: SyncSettings, function: Callable[..., Any]) -> SyncSettings:
    """The settings for a sampler: one that would take old estimates for new ones leaves no cell out."""
    plan = settings.plan
    if plan.visits.everywhere or (plan.keeps_estimates and host.sampler_name(function) in FIRST_ORDER):
        return settings
    return replace(settings, plan=replace(plan, visits=replace(plan.visits, leave=0.0)))


def decorate(function: Callable[..., Any], settings: SyncSettings) -> Callable[..., Tensor]:
    """A k-diffusion sampler function that synchronises the views of ``settings`` and otherwise is ``function``."""

    # (the parameters are the host's)
    def synchronised(
        model: Wrapper,
        x: Tensor,
        sigmas: Tensor,
        extra_args: dict[str, Any] | None = None,
        callback: Callable[[dict[str, Any]], None] | None = None,
        disable: bool | None = None,
        **options: Any,
    ) -> Tensor:
        call = SamplerCall(function, model, sigmas, dict(extra_args or {}), callback, disable, options)
        if call.model_options.get("transformer_options", {}).get(ACTIVE):
            # Another door already synchronises this run.
            return call(x)
        guider = model.inner_model
        check_sampler(function, settings.plan, options)
        if settings.edit is not None:
            check_guider(guider, settings.edit, call.model_options)
            check_edit_sampler(function, options, settings.edit.edit)
        check_patches(call.model_options, x, guider)
        check_visits(call.model_options, settings.plan.visits)
        previewed = getattr(guider, "model_patcher", None)
        levels = [float(s) for s in sigmas.cpu()]
        mask = call.extra_args.get("denoise_mask")
        run = Run.start(
            _whole_steps(settings, function),
            guider.inner_model,
            x,
            levels,
            int(call.seed or 0),
            previewed,
            call.given,
            mask,
        )
        warn_of_noise(settings, run.views)
        given = getattr(guider, "original_conds", {}).values()
        check_concat(given, run.views, x.shape[0])
        check_conds(given, settings.scene.geometry.clip)
        call = replace(call, callback=forecast(run.told_visits, run.views.count, run.plan.travel, call.callback))
        end = walk_of(settings)(run, _prepared(run, call), x)
        if told := run.memory.answers.words():
            logging.info("SyncTweedies visits: %s", told)
        # (as the run began: uni_pc raises its last level a little, and writes that into the levels it was given)
        return run.ending.result(end, is_clean=run.trajectory.sigmas[-1] == 0)

    synchronised.__name__ = function.__name__
    return synchronised


def _prepared(run: Run, call: SamplerCall) -> SamplerCall:
    """The host's call on copies of its model wrapper and options: chunks of views, prompts that begin alone, and shared
    noise around a mask."""
    target, source = (call.model, None) if run.settings.edit is None else _branches(call.model, run.settings.edit)
    model, model_options = _in_chunks(target, call.model_options, run.batches)
    if source is not None:
        source, _ = _in_chunks(source, call.model_options, run.batches)
    if not run.views.fully_covered:
        model_options["transformer_options"][SHOWN] = run.views.covered
    guider = call.model.inner_model
    if any(bootstrapped(entries) for entries in getattr(guider, "conds", {}).values()):
        noise = region_noise(run)
        run.batches.bootstrap = Bootstrap(guider.inner_model, run.trajectory, noise, run.packing.batch, run.seed)
        model_options = {**model_options, _AROUND_MODEL: mixing(model_options.get(_AROUND_MODEL))}
    extra_args = {**call.extra_args, "model_options": model_options}
    prepared = replace(call, model=model, source=source, extra_args=extra_args)
    share_inpaint_noise(run, prepared)
    return prepared


def _branches(model: Wrapper, job: EditJob) -> tuple[Wrapper, Wrapper | None]:
    """The host's model wrapper for the two pairs of prompts of an edit."""
    if job.edit.baseline == "none":
        return model, None
    target, source = copy.copy(model), copy.copy(model)
    target.inner_model, source.inner_model = model.inner_model.branches(job.edit.baseline == "image")
    return target, source


def _in_chunks(model: Wrapper, model_options: dict[str, Any], batches: ViewBatches) -> tuple[Wrapper, dict[str, Any]]:
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

    def __init__(self, guider: Guider, batches: ViewBatches, together: str) -> None:
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
