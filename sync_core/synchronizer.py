"""SyncPlan: one frozen value that wholly determines how a run is synchronised; Synchronizer: the plan on a view set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from .aggregate import METHODS, HitShares, Method
from .noise import NOISE_MODES, NoiseMode
from .process_steps import Denoise, SyncMaps, blend, run_process
from .processes import Process, process
from .schedule import ALWAYS, Schedule, Trajectory
from .stochastic import Stochastic
from .time_travel import STAY, TimeTravel
from .variance import VarianceCorrection
from .views import ViewSet
from .walked import Views
from .walked_mean import average_of
from .walked_variance import WalkedVariance, correction_of

StepNoise = Literal["canonical", "independent"]
STEP_NOISES: tuple[StepNoise, ...] = ("canonical", "independent")


@dataclass(frozen=True)
class SyncPlan:
    """How views are kept together.

    process: case number 0..59 (2 = SyncTweedies). aggregation: how views become one signal. noise: how the starting
    noise is shared. step_noise: how a stochastic sampler's noise is shared. final_sync: end with one
    aggregate-and-project, so that the views agree exactly. stochastic: walk with fresh noise instead
    of averaging (stochastic.py); the process is then 2, whose state are views. variance_correction: 0 (off) to 1, how
    far contrast that averaging takes is given back (process 2 only, see variance.py). travel: steps done more than once
    (time_travel.py).
    """

    process: int = 2
    schedule: Schedule = ALWAYS
    aggregation: Method = "mean"
    noise: NoiseMode = "polar"
    step_noise: StepNoise = "canonical"
    final_sync: bool = True
    stochastic: Stochastic | None = None
    variance_correction: float = 0.0
    travel: TimeTravel = STAY

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
            ("aggregation", self.aggregation, METHODS),
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

    @property
    def rule(self) -> Process:
        return process(self.process)

    def hand_over(self, steps: int) -> int:
        """The step of ``steps`` at which a canonical state is given up for the views that it shows (as SyncMVD does
        at 0.8); ``steps`` where that never happens, states of views included."""
        return steps if self.rule.state == "instance" else self.schedule.last(steps)

    @property
    def alone(self) -> SyncPlan:
        """The plan after that step: every view goes on by itself, and they are made to agree once it is done."""
        return replace(self, process=2, schedule=Schedule(strength=0.0))


@dataclass(frozen=True)
class SyncState:
    """What a run carries from step to step: the last canonical clean estimate (warm start of least squares)."""

    canonical: Tensor | None = None


NO_STATE = SyncState()

Average = Callable[[Tensor, SyncState], tuple[Tensor, SyncState]]
"""Views [B*N, C, h, w] -> consistent views, with the state before and after: what `Synchronizer.sync` is."""


@dataclass(frozen=True)
class Synchronizer:
    """A plan on a view set. Holds no run state: that goes in and out of `step`."""

    plan: SyncPlan
    views: Views
    given_shares: HitShares | None = None

    @cached_property
    def maps(self) -> SyncMaps:
        return SyncMaps(average_of(self.views, self.plan.aggregation, self.given_shares))

    @cached_property
    def shares(self) -> HitShares:
        assert isinstance(self.views, ViewSet)
        return HitShares.of(self.views)

    def at(self, progress: float) -> Synchronizer:
        """The same with the weights that views have at a fraction of the run (``ViewSet.at``)."""
        if self.views.ramp is None:
            return self
        return replace(self, views=self.views.at(progress), given_shares=self.shares)

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
    ) -> tuple[Tensor, SyncState]:
        """F: views [B*N, C, h, w] -> consistent views, and their average (before any variance correction).

        finished: the views are results, no longer estimates at some noise level (variance.py). change: of the average,
        before it is projected (steering/operators.py). source: views [B*N, C, h, w] that keep their own details, since
        only what differs from them is averaged (and is what the state then holds).
        """
        if source is not None:
            base = self.maps.aggregator(source, None)
            beside = None if change is None else lambda cells: change(base + cells) - base
            new, state = self.sync(views - source, state, finished, beside)
            return source + new, state
        owner = self.maps.aggregator.views
        cells = self.maps.aggregator(views, state.canonical)
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
            synced, state = (average or self.at(trajectory.ramp(sigma)).sync)(plain, state)
            return blend(plain, synced, strength), None, state
        if strength == 0:
            assert w is not None
            return denoise(w), None, state
        maps = self.at(trajectory.ramp(sigma)).maps
        result = run_process(rule, maps, denoise, sigma, ratio, w, z, strength)
        if strength == 1 or result.w is None or result.own is None:
            return result.w, result.z, state
        return blend(result.own, result.w, strength), result.z, state
