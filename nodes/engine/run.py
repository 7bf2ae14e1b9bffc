"""What one sampling run is: the settings of its door, the host's call of a sampler, and the run itself.

A run is complete once `Run.start` has made it, for every door and every walk; only its ``memory`` changes from step to
step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...renderers.scene import Scene
from ...sync_core.processes import Process
from ...sync_core.schedule import Trajectory
from ...sync_core.steering.operators import CanonicalOperator, Change, OperatorRun, changed
from ...sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan, SyncState
from ...sync_core.walked import Views
from .. import host
from ..host.objects import Model, Network, Wrapper
from .backgrounds import ViewBackgrounds
from .chunks import ViewBatches
from .coherence import Coherence, PullRun
from .latents import view_latents
from .preview import LiveView
from .rgb_domain import RgbDomain, RgbSync


@dataclass(frozen=True)
class SyncSettings:
    """What a door hands to the engine: where, how, and how many views at once (0 = from free memory)."""

    scene: Scene
    plan: SyncPlan
    views_per_batch: int = 0
    batch_index: tuple[int, ...] | None = None
    """Which pictures of a larger batch these are: each keeps its own noise, as in the host's nodes."""
    rgb: RgbDomain | None = None
    """Where averaging is done on pictures; None: on latents."""
    operators: tuple[CanonicalOperator, ...] = ()
    """What changes the canonical estimate at every synchronised step, one after the other."""
    coherence: Coherence | None = None
    """What makes views look alike, between steps."""

    def __post_init__(self) -> None:
        if self.rgb is not None:
            self.rgb.check(self.plan)
        if self.operators and (self.plan.process != 2 or self.plan.stochastic is not None):
            named = "StochSync" if self.plan.stochastic is not None else f"process {self.plan.process}"
            raise ValueError(
                f"an operator changes the average of clean estimates, which {named} does not make; disconnect it, or "
                "use process 2"
            )
        if self.coherence is not None:
            self.coherence.check(self.plan)

    def __deepcopy__(self, memo: dict[int, Any]) -> SyncSettings:
        # The host deep-copies a model's options at every clone; the settings are immutable.
        return self


@dataclass(frozen=True)
class SamplerCall:
    """The host's call of a sampler function, all but the state x: calling this is that call.

    model: the wrapper that the sampler calls as ``model(x, sigma, **extra_args)``. ``callback`` is told of every step,
    ``options`` are the sampler's own (eta, s_noise, noise_sampler ...).
    """

    function: Callable[..., Tensor]
    model: Wrapper
    sigmas: Tensor
    extra_args: dict[str, Any]
    callback: Callable[[dict[str, Any]], None] | None
    disable: bool | None
    options: dict[str, Any]

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(
            self.model,
            x,
            self.sigmas,
            extra_args=self.extra_args,
            callback=self.callback,
            disable=self.disable,
            **self.options,
        )

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def seed(self) -> int | None:
        return self.extra_args.get("seed")

    @property
    def model_options(self) -> dict[str, Any]:
        return self.extra_args.get("model_options", {})

    def tell(self, step: int, info: dict[str, Any]) -> None:
        """What the sampler says after a step, passed on as of ``step``."""
        if self.callback is not None:
            self.callback({**info, "i": step})


@dataclass(frozen=True)
class Packing:
    """How the sampler's one tensor holds the process's state: views, canonical signal, or both end to end.

    batch: canonical pictures. frames: whether latents have an axis of one frame.
    """

    rule: Process
    views: Views
    batch: int
    channels: int
    frames: bool

    @property
    def holds(self) -> str:
        """instance (views), canonical, or joint (both)."""
        return self.rule.state

    @property
    def views_shape(self) -> tuple[int, int, int, int]:
        return self.batch * self.views.count, self.channels, self.views.height, self.views.width

    @property
    def canonical_shape(self) -> tuple[int, ...]:
        return self.batch, self.channels, *self.views.canonical

    def flat(self, x: Tensor) -> Tensor:
        """Drop the single frame of a 5-D latent."""
        return x.squeeze(2) if self.frames else x

    def framed(self, x: Tensor) -> Tensor:
        return x.unsqueeze(2) if self.frames else x

    def split(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """x -> (w [B*N, C, h, w], z [B, C, *canonical])."""
        if self.holds == "instance":
            return self.flat(x), None
        if self.holds == "canonical":
            return None, x
        views = self.views
        pixels = views.count * views.height * views.width
        flat = x.reshape(self.batch, self.channels, -1)
        w = flat[..., :pixels].reshape(self.batch, self.channels, views.count, views.height, views.width)
        w = w.transpose(1, 2).reshape(self.views_shape)
        return w, flat[..., pixels:].reshape(self.canonical_shape)

    def join(self, w: Tensor | None, z: Tensor | None) -> Tensor:
        """The inverse of `split`."""
        if self.holds == "instance":
            assert w is not None
            return self.framed(w)
        assert z is not None
        if self.holds == "canonical":
            return z
        assert w is not None
        stacked = w.reshape(self.batch, self.views.count, self.channels, -1).transpose(1, 2)
        flat = [stacked.reshape(self.batch, self.channels, -1), z.reshape(self.batch, self.channels, -1)]
        return torch.cat(flat, -1)[:, :, None]

    def shown(self, x: Tensor) -> Tensor:
        """The views that a state (or a clean estimate of it) shows, in the host's shape."""
        w, z = self.split(x)
        if self.rule.result == "w":
            assert w is not None
            return self.framed(w)
        assert z is not None
        return self.framed(self.views.project(z))


@dataclass
class Memory:
    """What a run carries from step to step. seen: the model's last clean estimates of the views [B*N, C, h, w], before
    any average, where the run moves views by them; dropped: moves left out because their gradient was no number."""

    last: SyncState = NO_STATE
    seen: Tensor | None = None
    dropped: int = 0


@dataclass(frozen=True)
class Run:
    """One sampling run: the plan on this device and everything that its steps need.

    ``batches`` and ``rgb`` learn on the way how many views fit the device, ``live`` how many calls a step takes; what
    decides pictures is fixed but for ``memory``.
    """

    settings: SyncSettings
    sync: Synchronizer
    trajectory: Trajectory
    packing: Packing
    batches: ViewBatches
    backgrounds: ViewBackgrounds
    rgb: RgbSync | None
    live: LiveView
    seed: int
    operated: OperatorRun | None
    changes: tuple[Change, ...]
    pull: PullRun | None = None
    memory: Memory = field(default_factory=Memory)

    @staticmethod
    def start(
        settings: SyncSettings,
        model: Network,
        x: Tensor,
        sigmas: Sequence[float] = (),
        seed: int = 0,
        previewed: Model | None = None,
        given: Tensor | None = None,
    ) -> Run:
        """A run on the views x [B*N, C, (1,) h, w] and their device.

        model: the network, for its latent scale. sigmas: the noise levels, falling; empty where nobody knows
        them. previewed: the MODEL, which knows how its latents look; None shows no picture. given: view latents that
        the run starts from, as x, on the model's scale. Raises ValueError when x is no batch of the scene's views, or
        an operator's values do not fit it.
        """
        scene, plan = settings.scene, settings.plan
        views = scene.views_of_batch(tuple(x.shape)).to(x.device)
        trajectory = Trajectory.of(sigmas)
        live = LiveView(previewed, scene, trajectory.steps)
        batches = ViewBatches(views.count, settings.views_per_batch, live.chunk)
        rgb = None
        if settings.rgb is not None:
            rgb = RgbSync(settings.rgb, scene, plan, model, lambda: batches.views_per_batch)
        packing = Packing(plan.rule, views, x.shape[0] // views.count, x.shape[1], x.ndim == 5)
        sync = Synchronizer(plan, views)
        operated = None
        if settings.operators:
            operated = OperatorRun(
                sync.maps.aggregator,
                lambda latents: packing.flat(model.process_latent_in(view_latents(scene, latents, views))).to(x.device),
                host.luminance(model, x.shape[1]),
                packing.flat(given) if given is not None and bool(given.count_nonzero()) else None,
            )
        pull = None
        if settings.coherence is not None:
            pull = settings.coherence.begin(scene, views, model, x.shape[1], trajectory.steps)
        return Run(
            settings=settings,
            sync=sync,
            trajectory=trajectory,
            packing=packing,
            batches=batches,
            backgrounds=ViewBackgrounds(scene.geometry.background, views, trajectory, model, seed),
            rgb=rgb,
            live=live,
            seed=seed,
            operated=operated,
            changes=() if operated is None else tuple(operator.begin(operated) for operator in settings.operators),
            pull=pull,
        )

    @property
    def plan(self) -> SyncPlan:
        return self.sync.plan

    @property
    def views(self) -> Views:
        return self.sync.views

    def average(
        self, clean: Tensor, state: SyncState, sigma: float | None = None, finished: bool = False
    ) -> tuple[Tensor, SyncState]:
        """Make clean estimates consistent, in the domain of the step at ``sigma`` (None: of no particular step).

        finished: they are results, no longer estimates.
        """
        progress = self.trajectory.ramp(sigma)
        if self.rgb is None or not (sigma is None or self.rgb.is_due(self.trajectory, sigma)):
            clean, state = self.sync.at(progress).sync(clean, state, finished)
        else:
            clean = self.rgb(clean, self.packing.frames, progress)
        if self.operated is not None:
            clean = changed(clean, self.operated, self.changes, self.trajectory.passed(sigma))
        return self.backgrounds.paint(clean, sigma), state

    def step(self, denoise: Callable[[Tensor], Tensor], x: Tensor, sigma: float) -> Tensor:
        """The synchronised clean estimate of the sampler's state ``x``. denoise: views [B*N, C, h, w] -> clean ones."""
        w, z = self.packing.split(x)
        average = partial(self.average, sigma=sigma)
        w, z, self.memory.last = self.sync.step(denoise, sigma, self.trajectory, self.memory.last, w, z, average)
        return self.packing.join(w, z)

    def result(self, x: Tensor, is_clean: bool) -> Tensor:
        """The views that a run's last state shows, in the host's shape, made to agree where the plan wants it.

        is_clean: the state is at noise level 0. Views still noisy (a split schedule) are left as they are: averaging
        their noise would weaken it.
        """
        views, plan = self.packing.shown(x), self.plan
        # (a stochastic walk ends in agreement, canonical states are projected, process 0 leaves views alone)
        averages = plan.process != 0 and plan.stochastic is None and plan.rule.result == "w"
        if not (plan.final_sync and averages and is_clean):
            return views
        return self.packing.framed(self.average(self.packing.flat(views), self.memory.last, finished=True)[0])
