"""The decorated sampler function: the host's own sampler, fed with synchronised clean estimates.

A sampler calls ``model(x, sigma)`` and gets the clean estimate; every sampler is a function of those calls. So the
decorator stands in for ``model``, outside guidance, the inpaint blend and noise scaling, and any SAMPLER with any
GUIDER works. `doors.py` says how users reach it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..sync_core.schedule import Trajectory
from ..sync_core.synchronizer import Synchronizer, SyncPlan
from . import host
from .run_state import Packing, Run, SyncSettings
from .shared_noise import share_inpaint_noise, starting_state, step_noise
from .view_batches import ViewBatches

ACTIVE = "synctweedies_active"

# A process that moves the state is one explicit step; only these samplers are that step and nothing else.
FIRST_ORDER = ("euler",)


def check_finite(clean: Tensor, sigma: float) -> None:
    """Raise ValueError when an estimate of the model is not a number: averaging would spread it over all views."""
    if not bool(torch.isfinite(clean).all()):
        raise ValueError(
            f"the model returned NaN or infinity at sigma {sigma:.4g}; "
            "use another precision (--fp32-unet), a lower cfg, or check the LoRA and ControlNet strengths"
        )


class SyncDenoiser(host.KSamplerX0Inpaint):
    """Stands in for the host's model wrapper; ``inner`` is the real one."""

    def __init__(self, inner: Any, run: Run, packing: Packing) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner = inner
        self._run = run
        self._packing = packing

    def __call__(self, x: Tensor, sigma: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        run, level = self._run, float(sigma.reshape(-1)[0])
        host.check_interrupt()

        def denoise(views: Tensor) -> Tensor:
            levels = sigma.reshape(-1)[:1].expand(views.shape[0])
            clean = run.flat(self._inner(run.framed(views), levels, *args, **kwargs))
            check_finite(clean, level)
            return clean

        w, z = self._packing.split(x)
        w, z, run.state = run.sync.step(denoise, level, run.trajectory, run.state, w, z)
        return self._packing.join(w, z)


def check_sampler(function: Callable[..., Any], plan: SyncPlan, options: dict[str, Any]) -> None:
    """Refuse what would be silently wrong, with a reason and something that works."""
    name, rule = host.sampler_name(function), plan.rule
    if rule.moves_state and name not in FIRST_ORDER:
        raise ValueError(
            f"process {rule.number} moves the noisy state, which only a first-order sampler does exactly; "
            f"use euler or ddim instead of {name}, or process 2"
        )
    if "cfg_pp" in name and rule.number not in (0, 2):
        raise ValueError(
            f"{name} steps from the unconditional estimate, which only process 2 synchronises; use process 2"
        )
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
        views = settings.scene.views_of_batch(tuple(x.shape)).to(x.device)
        run = Run(Synchronizer(settings.plan, views), Trajectory.of(sigmas.tolist()), x.ndim == 5)
        packing = Packing(run, x.shape[0] // views.count, x.shape[1])
        seed = extra_args.get("seed")
        model, extra_args["model_options"] = _prepare(model, model_options, settings, run, function)
        share_inpaint_noise(model, run, extra_args)
        start = starting_state(model, x, sigmas, packing, int(seed or 0), settings)
        if (
            settings.plan.step_noise == "canonical"
            and host.takes_noise_sampler(function)
            and packing.state != "canonical"
        ):
            options.setdefault("noise_sampler", step_noise(function, start, sigmas, seed, packing))
        shown = None
        if callback is not None:
            shown = lambda info: callback(  # noqa: E731
                {**info, "x": packing.shown(info["x"]), "denoised": packing.shown(info["denoised"])}
            )
        denoiser = SyncDenoiser(model, run, packing)
        end = function(denoiser, start, sigmas, extra_args=extra_args, callback=shown, disable=disable, **options)
        result = packing.shown(end)
        # Views still noisy (a split schedule) are left as they are: averaging their noise would weaken it.
        if (
            settings.plan.final_sync
            and packing.state == "instance"
            and settings.plan.process
            and float(sigmas[-1]) == 0
        ):
            result = run.framed(run.sync.sync(run.flat(result), run.state)[0])
        return result

    synchronised.__name__ = function.__name__
    return synchronised


def _prepare(
    model: Any, model_options: dict[str, Any], settings: SyncSettings, run: Run, function: Callable[..., Any]
) -> tuple[Any, dict[str, Any]]:
    """A copy of the host's model wrapper and of its options, set up for chunks of views and for CFG++."""
    batches = ViewBatches(settings.views_per_batch, views=run.views.count)
    model = copy.copy(model)
    if host.HAS_WRAPPERS:
        model_options = host.with_wrapper(model_options, "CALC_COND_BATCH", batches.calc_cond_batch)
    else:
        model_options = {**model_options, "transformer_options": dict(model_options.get("transformer_options", {}))}
        model.inner_model = _ChunkedGuider(model.inner_model, batches)
    model_options["transformer_options"][ACTIVE] = True
    if "cfg_pp" in function.__name__ and settings.plan.process:

        def sync_both(args: dict[str, Any]) -> list[Tensor | None]:
            # These samplers keep the unconditional estimate for themselves, before our own synchronisation.
            strength = settings.plan.schedule.at(run.trajectory, float(args["sigma"].reshape(-1)[0]))
            if strength < 1:
                return args["conds_out"]
            return [None if v is None else run.framed(run.sync.sync(run.flat(v))[0]) for v in args["conds_out"]]

        model_options["sampler_pre_cfg_function"] = [*model_options.get("sampler_pre_cfg_function", []), sync_both]
    return model, model_options


class _ChunkedGuider:
    """On hosts without wrappers: the guider, called in chunks of views. Everything else is the guider's own."""

    def __init__(self, guider: Any, batches: ViewBatches) -> None:
        self._guider = guider
        self._batches = batches

    def __call__(self, x: Tensor, timestep: Tensor, **options: Any) -> Tensor:
        return self._batches.guide(self._guider, x, timestep, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guider, name)
