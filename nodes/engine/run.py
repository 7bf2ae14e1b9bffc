"""What one sampling run is: the settings of its door, and the run itself.

A run is complete once `Run.start` has made it, for every door and every walk; only its ``memory`` changes from step to
step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from torch import Tensor

from ...renderers.scene import Scene
from ...sync_core.schedule import Trajectory
from ...sync_core.steering.operators import CanonicalOperator, Operation, OperatorRun
from ...sync_core.synchronizer import NO_STATE, Synchronizer, SyncPlan, SyncState
from ...sync_core.visits.answers import Answers
from ...sync_core.visits.chooser import visiting
from ...sync_core.visits.policy import ALL, Visiting
from ...sync_core.walked import Views
from .. import host
from ..host.objects import Model, Network
from .backgrounds import ViewBackgrounds
from .chunks import ViewBatches
from .clips import check_options
from .coherence import Coherence, PullRun
from .edits.guider import EditJob
from .latents import view_latents
from .packing import Packing
from .preview import LiveView
from .rgb_domain import RgbDomain, RgbSync
from .sampler_call import SamplerCall


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
    operator: CanonicalOperator | None = None
    """What changes the canonical estimate at every synchronised step."""
    coherence: Coherence | None = None
    """What makes views look alike, between steps."""
    edit: EditJob | None = None
    """How the picture that the run starts from is changed by words; None: it is not."""
    save_every: int = 0
    """Save the run's state after every so many steps, and go on from there when it is started again; 0: never."""

    def __post_init__(self) -> None:
        if self.save_every < 0:
            raise ValueError(f"save_every {self.save_every}: use 0 (never) or the number of steps between two saves")
        read = {"rgb_vae": self.rgb, "operator": self.operator}
        check_options(self.scene, {**read, "coherence": self.coherence})
        if self.rgb is not None:
            self.rgb.check(self.plan)
        if self.operator is not None and (self.plan.process != 2 or self.plan.stochastic is not None):
            named = "StochSync" if self.plan.stochastic is not None else f"process {self.plan.process}"
            raise ValueError(
                f"an operator changes the average of clean estimates, which {named} does not make; disconnect it, or "
                "use process 2"
            )
        if self.coherence is not None:
            self.coherence.check(self.plan)
        if self.edit is not None:
            self.edit.check(self.plan, self.save_every, self.coherence, **read)
        self.plan.visits.check_beside(rgb_vae=self.rgb, edit=self.edit)

    def __deepcopy__(self, memo: dict[int, Any]) -> SyncSettings:
        # The host deep-copies a model's options at every clone; the settings are immutable.
        return self


@dataclass
class Memory:
    """What a run carries from step to step. seen: the model's last clean estimates of the views [B*N, C, h, w], before
    any average, where the run moves views by them; asked: the noisy views they are of, and the model as a function of
    these; twin: its network for gradients, once there was one; dropped: moves left out because their gradient was no
    number. answers: of the model, where it is not asked about all views."""

    last: SyncState = NO_STATE
    seen: Tensor | None = None
    asked: tuple[Tensor, Callable[[Tensor], Tensor]] | None = None
    twin: Any = None
    dropped: int = 0
    answers: Answers = field(default_factory=Answers)


@dataclass(frozen=True)
class Run:
    """One sampling run: the plan on this device and everything that its steps need.

    ``batches`` and ``rgb`` learn on the way how many views fit the device, ``live`` how many calls a step takes; what
    decides pictures is fixed but for ``memory``. source: views [B*N, C, h, w] of which only changes are averaged.
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
    operation: Operation | None
    pull: PullRun | None = None
    visiting: Visiting | None = None
    memory: Memory = field(default_factory=Memory)
    source: Tensor | None = None

    @staticmethod
    def start(
        settings: SyncSettings,
        model: Network,
        x: Tensor,
        sigmas: Sequence[float] = (),
        seed: int = 0,
        previewed: Model | None = None,
        given: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Run:
        """A run on the views x [B*N, C, (1,) h, w] and their device.

        model: the network, for its latent scale. sigmas: the noise levels, falling; empty where nobody knows
        them. previewed: the MODEL, which knows how its latents look; None shows no picture. given: view latents that
        the run starts from, as x, on the model's scale. mask [B*N, .., h, w]: how far they may change; None: all may.
        Raises ValueError when x is no batch of the scene's views, or an operator's values do not fit it.
        """
        scene, plan = settings.scene, settings.plan
        views = scene.views_of_batch(tuple(x.shape)).to(x.device)
        trajectory = Trajectory.of(sigmas, host.times_left(model, sigmas) if plan.coupling else ())
        live = LiveView(previewed, scene, trajectory.steps)
        batches = ViewBatches(views.count, settings.views_per_batch, live.chunk)
        rgb = None
        if settings.rgb is not None:
            rgb = RgbSync(settings.rgb, scene, plan, model, lambda: batches.views_per_batch)
        clip = scene.geometry.clip
        frames = (clip.latent, clip.whole) if x.ndim == 5 else None
        packing = Packing(plan.rule, views, x.shape[0] // views.count, x.shape[1], frames)
        sync = Synchronizer(plan, views)
        operation = None
        if settings.operator is not None:
            average = sync.maps.aggregator
            told = OperatorRun(
                average,
                lambda latents: packing.flat(model.process_latent_in(view_latents(scene, latents, views))).to(x.device),
                host.luminance(model, x.shape[1]),
                None if given is None else packing.flat(given),
                None if mask is None else average(packing.flat(mask)[:, :1].to(x)),
            )
            operation = Operation.begin(settings.operator, told)
        pull = None
        if settings.coherence is not None:
            pull = settings.coherence.begin(scene, plan, views, model, x.shape[1], trajectory.steps)
        complete = pull is not None or not views.fully_covered
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
            operation=operation,
            pull=pull,
            visiting=visiting(
                # (StochSync's views take turns of another kind, see its walk)
                plan.visits if plan.stochastic is None else ALL,
                partial(scene.geometry.tilings, views),
                views.count,
                trajectory.steps,
                seed,
                complete,
            ),
        )

    @property
    def plan(self) -> SyncPlan:
        return self.sync.plan

    @property
    def alone(self) -> Run:
        """The run after its canonical state was given up for the views that it shows."""
        plan = self.plan.alone
        return replace(self, sync=replace(self.sync, plan=plan), packing=replace(self.packing, rule=plan.rule))

    @property
    def ending(self) -> Run:
        """The run as its last step leaves it."""
        return self.alone if self.plan.hand_over(self.trajectory.steps) < self.trajectory.steps else self

    def watched(self, call: SamplerCall) -> SamplerCall:
        """The call with a callback that sees views, whatever the state is, and shows their picture."""

        def shown(info: dict[str, Any]) -> None:
            clean = self.packing.shown(info["denoised"])
            call.tell(int(info["i"]), {**info, "x": self.packing.shown(info["x"]), "denoised": clean})
            # After the host's own preview, which shows the first view alone.
            self.live.step(int(info["i"]), clean)

        return replace(call, callback=shown)

    @property
    def views(self) -> Views:
        return self.sync.views

    @cached_property
    def noise_views(self) -> Views:
        """The views that noise is drawn by. A canonical state sees its own noise, whatever the space would share."""
        if self.plan.rule.state != "instance":
            return self.views
        scene = self.settings.scene
        return scene.noise_views(scene.cell_of_views(self.packing.views_shape)).to(self.views.device)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """[B, C, ...] of the noise that ``noise_views`` share."""
        return self.packing.batch, self.packing.channels, *self.noise_views.canonical

    @property
    def told_visits(self) -> Visiting | None:
        """What the log says of visits: of a budget that pays for all views, too."""
        visits = self.settings.plan.visits
        if self.visiting is not None or visits.policy != "auto":
            return self.visiting
        return Visiting(visits, (None,) * self.trajectory.steps)

    def rows(self, sigma: float) -> tuple[int, ...] | None:
        """The views of a picture that the model is asked about at a noise level; None: all of them."""
        if self.visiting is None:
            return None
        if self.plan.rule.state == "instance" and self.plan.schedule.at(self.trajectory, sigma) == 0:
            return None
        return self.visiting.rows(self.trajectory.step_of(sigma), self.memory.answers)

    def _asking(self, sigma: float, state: SyncState) -> Synchronizer:
        """What averages the views that are asked at a noise level, after ``state``."""
        soft = self.visiting is not None and self.visiting.soft(self.trajectory.step_of(sigma))
        return self.sync.asking(self.rows(sigma), state, soft)

    def asking(self, sigma: float) -> AbstractContextManager[None]:
        """Within it the model is asked about the views of a noise level alone, what it says of the others is 0."""
        rows = self.rows(sigma)
        self.memory.answers.count(rows, self.views.count, self.packing.batch)
        return nullcontext() if rows is None else self.batches.asking(rows, self.packing.batch)

    def heard(self, clean: Tensor, sigma: float) -> Tensor:
        """The model's clean views [B*N, C, h, w], completed where more than their average is read."""
        complete = self.visiting is not None and self.visiting.complete
        return self.memory.answers.filled(clean, self.rows(sigma), self.views.count) if complete else clean

    def average(
        self, clean: Tensor, state: SyncState, sigma: float | None = None, finished: bool = False
    ) -> tuple[Tensor, SyncState]:
        """Make clean estimates consistent, in the domain of the step at ``sigma`` (None: of no particular step).

        finished: they are results, no longer estimates.
        """
        progress = self.trajectory.ramp(sigma)
        operation, passed = self.operation, self.trajectory.passed(sigma)
        if self.rgb is None or not (sigma is None or self.rgb.is_due(self.trajectory, sigma)):
            change = None if operation is None else partial(operation.cells, progress=passed)
            step = None if sigma is None else self.trajectory.step_of(sigma)
            sync = self.sync if sigma is None else self._asking(sigma, state)
            clean, state = sync.at(progress).sync(clean, state, finished, change, self.source, step)
        else:
            clean = self.rgb(clean, self.packing.frames is not None, progress, self.source)
            clean = clean if operation is None else operation.views(clean, passed)
        return self.backgrounds.paint(clean, sigma), state

    def step(self, denoise: Callable[[Tensor], Tensor], x: Tensor, sigma: float) -> Tensor:
        """The synchronised clean estimate of the sampler's state ``x``. denoise: views [B*N, C, h, w] -> clean ones."""
        w, z = self.packing.split(x)
        average = partial(self.average, sigma=sigma)
        sync = self._asking(sigma, self.memory.last)
        before = self.memory.last
        w, z, self.memory.last = sync.step(denoise, sigma, self.trajectory, before, w, z, average)
        if self.visiting is not None and self.visiting.waits:
            changes, step = self.sync.changes(before, self.memory.last), self.trajectory.step_of(sigma)
            self.memory.answers.moved(step, changes, self.visiting.visits)
        return self.packing.join(w, z)

    def result(self, x: Tensor, is_clean: bool) -> Tensor:
        """The views that a run's last state shows, in the host's shape, made to agree where the plan wants it.

        is_clean: the state is at noise level 0. Views still noisy (a split schedule) are left as they are: averaging
        their noise would weaken it.
        """
        views, plan = self.packing.shown(x), self.plan
        # (stochastic walks and edits end in agreement, canonical states are projected, process 0 leaves views alone)
        agreed = plan.stochastic is not None or self.settings.edit is not None
        averages = (plan.process != 0 or plan.coupling > 0) and not agreed and plan.rule.result == "w"
        if not (plan.final_sync and averages and is_clean):
            return views
        return self.packing.framed(self.average(self.packing.flat(views), self.memory.last, finished=True)[0])
