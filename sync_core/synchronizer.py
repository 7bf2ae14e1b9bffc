"""SyncPlan: one frozen value that wholly determines how a run is synchronised; Synchronizer: the plan on a view set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal

import torch
from torch import Tensor

from .aggregate import METHODS, HitShares, Method
from .noise import NOISE_MODES, NoiseMode
from .process_steps import Denoise, SyncMaps, blend, run_process
from .processes import Process, process
from .schedule import ALWAYS, Schedule, Trajectory
from .steering.predecessors import Predecessors, reached
from .steering.readings import REDUCTIONS, Reduction, reduction_of
from .stochastic import Stochastic
from .time_travel import STAY, TimeTravel
from .variance import VarianceCorrection
from .views import ViewSet
from .visits.mean import Visited, VisitedMean
from .visits.policy import ALL, Visits, averages
from .walked import Views
from .walked_mean import average_of
from .walked_variance import WalkedVariance, correction_of

Aggregation = Method | Reduction
AGGREGATIONS: tuple[Aggregation, ...] = (*METHODS, *REDUCTIONS)
StepNoise = Literal["canonical", "independent"]
STEP_NOISES: tuple[StepNoise, ...] = ("canonical", "independent")
# Processes that average clean estimates, so that one of them can stand for a cell until it is seen again.
HOLDING = (2, 5)


@dataclass(frozen=True)
class SyncPlan:
    """How views are kept together.

    process: case number 0..59 (2 = SyncTweedies). aggregation: how views become one signal (aggregate.py; those of
    steering/readings.py change from step to step, and a run ends with the plain mean). noise: how the starting
    noise is shared. step_noise: how a stochastic sampler's noise is shared. final_sync: end with one
    aggregate-and-project, so that the views agree exactly. stochastic: walk with fresh noise instead
    of averaging (stochastic.py); the process is then 2, whose state are views. variance_correction: 0 (off) to 1, how
    far contrast that averaging takes is given back (process 2 only, see variance.py). travel: steps done more than once
    (time_travel.py). coupling: 0 (off), or SyncSDE's 1/lambda, how strongly each view leans on the one before it
    (steering/predecessors.py); the process is then 0, and nothing is averaged before the end. visits: which views the
    model is asked about at which step (visits/policy.py).
    """

    process: int = 2
    schedule: Schedule = ALWAYS
    aggregation: Aggregation = "mean"
    noise: NoiseMode = "polar"
    step_noise: StepNoise = "canonical"
    final_sync: bool = True
    stochastic: Stochastic | None = None
    variance_correction: float = 0.0
    travel: TimeTravel = STAY
    coupling: float = 0.0
    visits: Visits = ALL

    def __post_init__(self) -> None:
        rule = process(self.process)
        if self.stochastic is not None and (rule.number != 2 or not self.schedule.is_constant):
            raise ValueError(
                "StochSync replaces what its views see at every step; leave sync_start 0, sync_end 1, sync_every 1 and "
                "sync_strength 1"
            )
        if self.stochastic is not None and self.travel.times > 1:
            raise ValueError(
                "StochSync draws fresh noise at every step as it is; leave travel_times 1, or use process 2"
            )
        for name, value, known in (
            ("aggregation", self.aggregation, AGGREGATIONS),
            ("noise", self.noise, NOISE_MODES),
            ("step_noise", self.step_noise, STEP_NOISES),
        ):
            if value not in known:
                raise ValueError(f"{name} '{value}' is unknown; use one of {', '.join(known)}")
        if rule.state != "instance" and not replace(self.schedule, end=1.0).is_constant:
            raise ValueError(
                f"process {self.process} keeps a canonical state, so it synchronises every step until sync_end in "
                "full; leave sync_start 0, sync_every 1, sync_strength 1, or use process 2"
            )
        if not 0 <= self.variance_correction <= 1:
            raise ValueError(f"variance_correction {self.variance_correction:g}: use a value from 0 (off) to 1")
        if self.variance_correction and self.process != 2:
            raise ValueError(
                f"variance_correction {self.variance_correction:g} restores the averaged clean estimate, which process "
                f"{self.process} does not make; use 0, or process 2"
            )
        if self.variance_correction and self.aggregation in REDUCTIONS:
            raise ValueError(
                f"variance_correction {self.variance_correction:g} goes by fixed weights, which aggregation "
                f"{self.aggregation} changes; use 0, or aggregation mean"
            )
        if not (math.isfinite(self.coupling) and self.coupling >= 0):
            raise ValueError(f"lean {self.coupling}: use 0 (each view alone) or more; 5 as published")
        if self.coupling and self.process != 0:
            raise ValueError(f"SyncSDE averages nothing, and process {self.process} does; use process 0")
        if not self.visits.everywhere:
            self._check_visits()

    def _check_visits(self) -> None:
        """Raise ValueError where a view that is not asked would be missed."""
        named = f"visits {self.visits.policy} leave views out, and "
        if self.stochastic is not None:
            if self.visits.policy == "turning":
                return  # (its turns are drawn anew)
            raise ValueError(
                f"visits {self.visits.policy} are no turns, and StochSync's views take turns; set visits to turning "
                "(drawn anew at each step), or to all (the same again and again)"
            )
        if not averages(self.rule):
            what = "SyncSDE" if self.coupling else f"process {self.process}"
            raise ValueError(f"{named}{what} needs what the model says of each; set visits to all, or use process 2")
        if self.visits.holds and not self.keeps_estimates:
            raise ValueError(
                f"visits {self.visits.policy} keep clean estimates from step to step, which process {self.process}, "
                f"travel_times {self.travel.times} or a sync_start, sync_end or sync_every does not; use process 2 or "
                "5, travel_times 1 and all steps synchronised, or visits turning"
            )
        strength, correction = self.schedule.strength, self.variance_correction
        for name, off, value in (("sync_strength", 1.0, strength), ("variance_correction", 0.0, correction)):
            if value != off:
                raise ValueError(
                    f"{named}{name} {value:g} needs what the model says of each; use {off:g}, or set visits to all"
                )
        if self.aggregation in REDUCTIONS:
            raise ValueError(f"{named}aggregation {self.aggregation} weighs all; use mean, or set visits to all")

    @property
    def rule(self) -> Process:
        return process(self.process)

    @property
    def method(self) -> Method:
        """How views become one signal where no step is special."""
        return "least_squares" if self.aggregation == "least_squares" else "mean"

    def hand_over(self, steps: int) -> int:
        """The step of ``steps`` at which a canonical state is given up for the views that it shows (as SyncMVD does
        at 0.8); ``steps`` where that never happens, states of views included."""
        return steps if self.rule.state == "instance" else self.schedule.last(steps)

    @property
    def keeps_estimates(self) -> bool:
        """Whether a cell that no asked view sees can keep its clean estimate: every step makes one, once."""
        return self.process in HOLDING and self.travel.times == 1 and self.schedule == ALWAYS

    @property
    def alone(self) -> SyncPlan:
        """The plan after that step: every view goes on by itself, and they are made to agree once it is done."""
        return replace(self, process=2, schedule=Schedule(strength=0.0), visits=ALL)


@dataclass(frozen=True)
class SyncState:
    """What a run carries from step to step: the last canonical clean estimate (warm start of least squares)."""

    canonical: Tensor | None = None


NO_STATE = SyncState()

Average = Callable[[Tensor, SyncState], tuple[Tensor, SyncState]]
"""Views [B*N, C, h, w] -> consistent views, with the state before and after: what `Synchronizer.sync` is."""


def _beside(base: Tensor, change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """What a change of the average does to what was added to a base [B, C, *canonical]."""
    return lambda added: change(base + added) - base


@dataclass(frozen=True)
class Synchronizer:
    """A plan on a view set. Holds no run state: that goes in and out of `step`. Raises ValueError for views that do not
    go with the plan."""

    plan: SyncPlan
    views: Views
    given_shares: HitShares | None = None
    visited: Visited | None = None

    def __post_init__(self) -> None:
        if not self.plan.visits.everywhere and self.views.combine is not None:
            raise ValueError(
                f"visits {self.plan.visits.policy} leave views out, and these only make a picture together (parts or "
                "planes); set visits to all"
            )
        if self.plan.coupling and self.views.combine is not None:
            raise ValueError(
                "SyncSDE looks at what one view says of the picture, and these views only make one together (parts or "
                "planes); use process 2"
            )
        if self.plan.aggregation in REDUCTIONS and self.views.combine is not None:
            raise ValueError(
                f"aggregation {self.plan.aggregation} weighs views, and these only make a picture together (parts or "
                "planes); use aggregation mean"
            )

    @cached_property
    def maps(self) -> SyncMaps:
        return SyncMaps(average_of(self.views, self.plan.method, self.given_shares))

    def maps_of(self, step: int | None) -> SyncMaps:
        """The maps at a step of the run, counted from 0; None: at none, as the rig weighs views."""
        wish = self.plan.aggregation
        if self.visited is not None and step is not None:
            asked = average_of(self.views.only(self.visited.rows), self.plan.method, self.given_shares)
            return replace(self.maps, reduction=VisitedMean(asked, self.visited.held, self.visited.best))
        if step is None or wish == "mean" or wish == "least_squares":
            return self.maps
        return replace(self.maps, reduction=reduction_of(self.maps.aggregator, wish, step))

    @cached_property
    def predecessors(self) -> Predecessors:
        return Predecessors(self.maps.aggregator)

    @cached_property
    def shares(self) -> HitShares | None:
        """Of stored views."""
        return HitShares.of(self.views) if isinstance(self.views, ViewSet) else None

    def at(self, progress: float) -> Synchronizer:
        """The same with the weights that views have at a fraction of the run (``ViewSet.at``)."""
        if self.views.ramp is None:
            return self
        return replace(self, views=self.views.at(progress), given_shares=self.shares)

    def asking(self, rows: tuple[int, ...] | None, state: SyncState, soft: bool = False) -> Synchronizer:
        """The same where the model is asked about some views alone (None: all). soft: edges give way to held ones."""
        if rows is None:
            return self
        # (weighing pixels anew takes less than finding what they show)
        shares = self.given_shares or self.shares
        held = state.canonical if self.plan.process in HOLDING else None
        best = self.maps.aggregator.best if soft and held is not None and self.views.ramp is None else None
        return replace(self, given_shares=shares, visited=Visited(rows, held, best))

    def changes(self, before: SyncState, after: SyncState) -> Tensor:
        """float [N]: by how much what each view shows of the canonical estimate moved, in units of the estimate's own
        root mean square, in the picture where it moved most; inf where there is none before."""
        count, new = self.views.count, after.canonical
        if before.canonical is None or new is None:
            return torch.full((count,), math.inf)
        moved = self.views.project(new - before.canonical).square().mean((1, 2, 3)).reshape(-1, count)
        own = new.square().reshape(len(new), -1).mean(1, keepdim=True)
        return (moved / own.clamp_min(1e-20)).amax(0).sqrt()

    def to(self, device: torch.device | str) -> Synchronizer:
        return Synchronizer(self.plan, self.views.to(device))

    @cached_property
    def correction(self) -> VarianceCorrection | WalkedVariance:
        return correction_of(self.maps.aggregator, self.plan.variance_correction)

    def sync(
        self,
        views: Tensor,
        state: SyncState = NO_STATE,
        finished: bool = False,
        change: Callable[[Tensor], Tensor] | None = None,
        source: Tensor | None = None,
        step: int | None = None,
    ) -> tuple[Tensor, SyncState]:
        """F: views [B*N, C, h, w] -> consistent views, and their average (before any variance correction).

        finished: the views are results, no longer estimates at some noise level (variance.py). change: of the average,
        before it is projected (steering/operators.py). source: views [B*N, C, h, w] that keep their own details, since
        only what differs from them is averaged (and is what the state then holds). step: of the run, as for `maps_of`.
        """
        if source is not None:
            beside = None if change is None else _beside(self.maps_of(step).average(source, None), change)
            new, state = self.sync(views - source, state, finished, beside, step=step)
            return source + new, state
        owner = self.maps.aggregator.views
        cells = self.maps_of(step).average(views, state.canonical)
        shown = self.correction(views, cells, finished)
        consistent = owner.project(shown if change is None else change(shown))
        if not owner.fully_covered:
            consistent = consistent + owner.background_of(views)
        return consistent, SyncState(cells)

    def step(
        self,
        denoise: Denoise,
        sigma: float,
        trajectory: Trajectory,
        state: SyncState,
        w: Tensor | None = None,
        z: Tensor | None = None,
        average: Average | None = None,
    ) -> tuple[Tensor | None, Tensor | None, SyncState]:
        """The clean estimates (of w, of z) a sampler should use at ``sigma``, and the state after it.

        denoise: view batch -> clean estimate at this sigma. w, z: the sampler's state, whichever the process has.
        average: makes clean estimates consistent in another domain than `sync` does; only process 2 can use it.
        denoise is called once (twice by joint processes, whose two states both need it), whatever the strength.
        """
        rule = self.plan.rule
        # (a canonical state is synchronised for as long as it lasts, whatever level a sampler asks for in between)
        strength = self.plan.schedule.at(trajectory, sigma) if z is None else 1.0
        ratio = trajectory.next_after(sigma) / sigma if rule.moves_state else None
        if rule.number == 2 and w is not None:
            # The default process, spelled out: it alone profits from a warm start, and it needs no interpreter.
            plain = denoise(w)
            if strength == 0:
                return plain, None, state
            own = partial(self.at(trajectory.ramp(sigma)).sync, step=trajectory.step_of(sigma))
            synced, state = (average or own)(plain, state)
            return blend(plain, synced, strength), None, state
        if strength == 0:
            assert w is not None
            return denoise(w), None, state
        if self.plan.coupling and w is not None:
            shown, share = self.at(trajectory.ramp(sigma)).predecessors(w)
            kappa = reached(self.plan.coupling * trajectory.left(sigma), trajectory.next_after(sigma) / sigma)
            return denoise(w) - strength * kappa * share * (w - shown), None, state
        maps = self.at(trajectory.ramp(sigma)).maps_of(trajectory.step_of(sigma))
        result = run_process(rule, maps, denoise, sigma, ratio, w, z, strength)
        if rule.number in HOLDING and not self.plan.visits.everywhere:
            state = SyncState(result.z)
        if strength == 1 or result.w is None or result.own is None:
            return result.w, result.z, state
        return blend(result.own, result.w, strength), result.z, state
