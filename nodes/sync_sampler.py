"""The decorated sampler function: the host's own sampler, fed with synchronised clean estimates.

A sampler calls ``model(x, sigma)`` and gets the clean estimate; every sampler is a function of those calls. So the
decorator stands in for ``model``, outside guidance, the inpaint blend and noise scaling, and any SAMPLER with any
GUIDER works. `doors.py` says how users reach it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..sync_core.schedule import Trajectory
from ..sync_core.synchronizer import Synchronizer, SyncPlan
from . import host
from .concat_conds import check_concat
from .errors import check_finite
from .patch_needs import check_patches, guidance_in_chunks, guidance_keeps_state
from .preview import LiveView
from .run_state import Packing, Run, SyncSettings
from .shared_noise import share_inpaint_noise, starting_state, step_noise
from .stochastic import sample_stochastic
from .tagged_conds import has_tags
from .view_batches import ViewBatches

ACTIVE = "synctweedies_active"

# A process that moves the state is one explicit step; only these samplers are that step and nothing else.
FIRST_ORDER = ("euler",)


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
        check_patches(model_options, x)
        views = settings.scene.views_of_batch(tuple(x.shape)).to(x.device)
        check_concat(getattr(model.inner_model, "original_conds", {}).values(), views, x.shape[0])
        run = Run(Synchronizer(settings.plan, views), Trajectory.of(sigmas.tolist()), x.ndim == 5)
        packing = Packing(run, x.shape[0] // views.count, x.shape[1])
        seed = extra_args.get("seed")
        live = LiveView(getattr(model.inner_model, "model_patcher", None), settings.scene, run.trajectory.steps)
        batches = ViewBatches(views.count, settings.views_per_batch, live.chunk)
        model, extra_args["model_options"] = _prepare(model, model_options, settings, run, function, batches)
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
            and host.takes_noise_sampler(function)
            and packing.state != "canonical"
        ):
            options.setdefault("noise_sampler", step_noise(function, start, sigmas, seed, packing))

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
    model: Any,
    model_options: dict[str, Any],
    settings: SyncSettings,
    run: Run,
    function: Callable[..., Any],
    batches: ViewBatches,
) -> tuple[Any, dict[str, Any]]:
    """A copy of the host's model wrapper and of its options, set up for chunks of views and for CFG++."""
    model = copy.copy(model)
    if host.HAS_WRAPPERS and not guidance_in_chunks(model_options):
        model_options = host.with_wrapper(model_options, "CALC_COND_BATCH", batches.calc_cond_batch)
    else:
        together = ""
        if "cfg_pp" in function.__name__:
            together = f"{host.sampler_name(function)} steps by the guidance of all views"
        elif guidance_keeps_state(model_options):
            together = "a guidance patch of this model remembers all views from step to step"
        model.inner_model = _ChunkedGuider(model.inner_model, batches, together)
        model_options = {**model_options, "transformer_options": dict(model_options.get("transformer_options", {}))}
    model_options["transformer_options"][ACTIVE] = True
    if "cfg_pp" in function.__name__ and settings.plan.process and settings.plan.stochastic is None:

        def sync_both(args: dict[str, Any]) -> list[Tensor | None]:
            # These samplers keep the unconditional estimate for themselves, before our own synchronisation.
            strength = settings.plan.schedule.at(run.trajectory, float(args["sigma"].reshape(-1)[0]))
            if strength < 1:
                return args["conds_out"]
            return [None if v is None else run.framed(run.sync.sync(run.flat(v))[0]) for v in args["conds_out"]]

        model_options["sampler_pre_cfg_function"] = [*model_options.get("sampler_pre_cfg_function", []), sync_both]
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
