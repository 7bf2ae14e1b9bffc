"""The decorated sampler function: the host's own sampler, fed with synchronised clean estimates.

A sampler calls ``model(x, sigma)`` and gets the clean estimate; every sampler is a function of those calls. So the
decorator stands in for ``model``, outside guidance, the inpaint blend and noise scaling, and any SAMPLER with any
GUIDER works. `doors.py` says how users reach it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..renderers.scene import Scene
from ..sync_core.noise import canonical_noise_sampler, view_noise
from ..sync_core.schedule import Trajectory
from ..sync_core.synchronizer import Synchronizer, SyncPlan, SyncState
from ..sync_core.views import ViewSet
from . import host
from .view_batches import ViewBatches

# Added to the seed for noise that only one view has, so that it never repeats the shared noise.
OWN_NOISE = 0x5EED

ACTIVE = "synctweedies_active"

# A process that moves the state is one explicit step; only these samplers are that step and nothing else.
FIRST_ORDER = ("euler",)


@dataclass(frozen=True)
class SyncSettings:
    """What a door hands to the engine: where, how, and how many views at once (0 = from free memory)."""

    scene: Scene
    plan: SyncPlan
    views_per_batch: int = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> SyncSettings:
        # The host deep-copies a model's options at every clone; the settings are immutable.
        return self


def own_noise(shape: tuple[int, ...], seed: int, like: Tensor) -> Tensor:
    """White noise that views do not share, on the CPU generator so that it is the same on every device."""
    generator = torch.Generator().manual_seed((seed + OWN_NOISE) % 2**64)
    return torch.randn(shape, generator=generator).to(like)


def starting_noise(settings: SyncSettings, views: ViewSet, like: Tensor, seed: int, batch_index: Any = None) -> Tensor:
    """The noise of a view batch shaped like ``like`` [B*N, C, (1,) h, w], by the plan's mode, on the CPU.

    The canonical noise is the host's own for that seed in canonical shape, so one view that is the whole picture starts
    as a plain KSampler would.
    """
    batch = like.shape[0] // views.count
    template = torch.zeros(batch, *like.shape[1:-2], *views.canonical, dtype=like.dtype)
    shared = host.prepare_noise(template, seed, batch_index)
    flat = shared.reshape(batch, like.shape[1], *views.canonical)
    shape = (like.shape[0], like.shape[1], *like.shape[-2:])
    noise = view_noise(views.to("cpu"), settings.plan.noise, flat, lambda: own_noise(shape, seed, flat))
    return noise.reshape(like.shape)


@dataclass
class _Run:
    """One sampling run: the plan on this device, and the state that goes from step to step."""

    sync: Synchronizer
    trajectory: Trajectory
    frames: bool
    state: SyncState = field(default_factory=SyncState)

    @property
    def views(self) -> ViewSet:
        return self.sync.views

    def flat(self, x: Tensor) -> Tensor:
        """Drop the single frame of a 5-D latent."""
        return x.squeeze(2) if self.frames else x

    def framed(self, x: Tensor) -> Tensor:
        return x.unsqueeze(2) if self.frames else x


def check_finite(clean: Tensor, sigma: float) -> None:
    """Raise ValueError when an estimate of the model is not a number: averaging would spread it over all views."""
    if not bool(torch.isfinite(clean).all()):
        raise ValueError(
            f"the model returned NaN or infinity at sigma {sigma:.4g}; "
            "use another precision (--fp32-unet), a lower cfg, or check the LoRA and ControlNet strengths"
        )


class SyncDenoiser(host.KSamplerX0Inpaint):
    """Stands in for the host's model wrapper; ``inner`` is the real one."""

    def __init__(self, inner: Any, run: _Run, packing: Packing) -> None:
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


@dataclass(frozen=True)
class Packing:
    """How the sampler's one tensor holds the process's state: views, canonical signal, or both end to end."""

    run: _Run
    batch: int
    channels: int

    @property
    def state(self) -> str:
        return self.run.sync.plan.rule.state

    def split(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """x -> (w [B*N, C, h, w], z [B, C, *canonical])."""
        views = self.run.views
        if self.state == "instance":
            return self.run.flat(x), None
        if self.state == "canonical":
            return None, x
        pixels = views.count * views.height * views.width
        flat = x.reshape(self.batch, self.channels, -1)
        w = flat[..., :pixels].reshape(self.batch, self.channels, views.count, views.height, views.width)
        w = w.transpose(1, 2).reshape(-1, self.channels, views.height, views.width)
        return w, flat[..., pixels:].reshape(self.batch, self.channels, *views.canonical)

    def join(self, w: Tensor | None, z: Tensor | None) -> Tensor:
        if self.state == "instance":
            assert w is not None
            return self.run.framed(w)
        assert z is not None
        if self.state == "canonical":
            return z
        assert w is not None
        views = self.run.views
        stacked = w.reshape(self.batch, views.count, self.channels, -1).transpose(1, 2)
        flat = [stacked.reshape(self.batch, self.channels, -1), z.reshape(self.batch, self.channels, -1)]
        return torch.cat(flat, -1)[:, :, None]

    def shown(self, x: Tensor) -> Tensor:
        """The views that a state (or a clean estimate of it) shows, in the host's shape."""
        w, z = self.split(x)
        if self.run.sync.plan.rule.result == "w":
            assert w is not None
            return self.run.framed(w)
        assert z is not None
        return self.run.framed(self.run.views.project(z))


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
        run = _Run(Synchronizer(settings.plan, views), Trajectory.of(sigmas.tolist()), x.ndim == 5)
        packing = Packing(run, x.shape[0] // views.count, x.shape[1])
        seed = extra_args.get("seed")
        model, extra_args["model_options"] = _prepare(model, model_options, settings, run, function)
        _share_inpaint_noise(model, run, extra_args)
        start = _starting_state(model, x, sigmas, packing, int(seed or 0))
        if (
            settings.plan.step_noise == "canonical"
            and host.takes_noise_sampler(function)
            and packing.state != "canonical"
        ):
            options.setdefault("noise_sampler", _step_noise(function, start, sigmas, seed, packing))
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
    model: Any, model_options: dict[str, Any], settings: SyncSettings, run: _Run, function: Callable[..., Any]
) -> tuple[Any, dict[str, Any]]:
    """A copy of the host's model wrapper and of its options, set up for chunks of views and for CFG++."""
    batches = ViewBatches(settings.views_per_batch)
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


def _share_inpaint_noise(model: Any, run: _Run, extra_args: dict[str, Any]) -> None:
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


def _starting_state(model: Any, x: Tensor, sigmas: Tensor, packing: Packing, seed: int) -> Tensor:
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
    noise = host.prepare_noise(torch.zeros(clean.shape, dtype=clean.dtype), seed).to(clean)
    full = host.max_denoise(guider, sigmas)
    z = guider.inner_model.model_sampling.noise_scaling(sigmas[0], noise, clean, full)
    return packing.join(run.flat(x), z)


def _step_noise(
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
