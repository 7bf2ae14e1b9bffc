"""A walk with fresh noise at every step (StochSync): every step runs the sampler to the end on one set of views.

``call``: the host's call of a sampler function, prepared for chunks of views. x: the view batch in the host's shape,
noised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ....sync_core.stochastic import NOISE, Stochastic, Timetable, disjoint_sets, drawn_sets, released
from ....sync_core.walked import Views
from ....sync_core.walked_mean import Averager, average_of
from ... import host
from ...host.errors import check_finite
from ...host.objects import Sampling, Wrapper
from ..run import Run
from ..sampler_call import SamplerCall
from .unfinished import Unfinished


@dataclass(frozen=True)
class Turn:
    """Views that are evaluated together, and the mean of what they alone show."""

    members: tuple[int, ...]
    mean: Averager


def turns(views: Views) -> tuple[Turn, ...]:
    """The sets of views of a rig that take turns. Raises ValueError for views that make up the picture together."""
    _check(views)
    return tuple(Turn(members, average_of(views.only(members))) for members in disjoint_sets(views))


def _check(views: Views) -> None:
    if views.combine is not None:
        raise ValueError(
            "StochSync replaces what a view sees, and these views only make a picture together (parts or planes); "
            "use process 2"
        )


@dataclass(frozen=True)
class Turns:
    """Whose turn it is at each step. blank: how many steps it takes until all that views see was seen."""

    sets: tuple[Turn, ...]
    blank: int

    @staticmethod
    def of(run: Run, steps: int) -> Turns:
        """The rig's sets one after the other; others at each step where visits are turning."""
        if run.plan.visits.everywhere:
            fixed = turns(run.views)
            return Turns(tuple(fixed[step % len(fixed)] for step in range(steps)), len(fixed))
        _check(run.views)
        made: dict[tuple[int, ...], Turn] = {}
        missed, blank, sets = average_of(run.views).seen.clone(), 0, list[Turn]()
        for members in drawn_sets(run.views, steps, run.seed):
            if members not in made:
                made[members] = Turn(members, average_of(run.views.only(members)))
            sets.append(made[members])
            blank += bool(missed.any())
            missed &= ~sets[-1].mean.seen
        return Turns(tuple(sets), blank + bool(missed.any()))


def ramps(views: Views) -> Tensor:
    """float [N, 1, h, w] in 0..1: 1 in the middle of a view, falling towards its border."""
    weights = views.weight_pictures
    return weights / weights.amax((2, 3), keepdim=True).clamp_min(1e-12)


class _SoftBorder(host.KSamplerX0Inpaint):
    """Stands in for the model during the last steps: a view keeps ``content`` at its border until the end is near.

    With a plain step (euler) that is the published mask: outside of it, what the sampler holds is ``content``, noised
    to the next level. (There a horizontal ramp decides, here the fade of the view's weights towards all its borders;
    and the noise is the step's own, there it is drawn once more.)
    """

    def __init__(self, inner: Wrapper, content: Tensor, ramp: Tensor, levels: list[float]) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner, self._content, self._ramp, self._levels = inner, content, ramp, levels

    def __call__(self, x: Tensor, sigma: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        clean = self._inner(x, sigma, *args, **kwargs)
        level = float(sigma.reshape(-1)[0])
        passed = sum(1 for value in self._levels if value > level + 1e-9)
        return torch.where(self._ramp >= released(passed, len(self._levels)), clean, self._content)


def inner_levels(sampling: Sampling, times: list[int], highest: float) -> list[float]:
    """The noise levels of timesteps (0 to 999), ending with 0. None is above ``highest``, where a run begins."""
    levels = [float(sampling.percent_to_sigma(1 - time / NOISE)) for time in times]
    first = min(levels[0], highest)
    return [first, *(level for level in levels[1:] if level < first * (1 - 1e-6)), 0.0]


def walk_stochastic(run: Run, call: SamplerCall, x: Tensor) -> Tensor:
    """As many steps as the call has; every one runs the sampler from its noise level to 0 on one set of views
    (``sync_core/stochastic.py`` says why).

    Of x only the shape is read, and ``model.latent_image`` when the run starts from a picture. Of the noise levels the
    count and the first, which no level exceeds. Returns the consistent clean views. Raises ValueError when there are
    fewer steps than sets of views, which would leave parts of the picture empty.
    """
    assert run.plan.stochastic is not None
    call, views, steps, packing = run.watched(call), run.views, call.steps, run.packing
    began, z = _beginning(run, call, x)
    turning = Turns.of(run, steps)
    if steps < turning.blank and not began:
        raise ValueError(
            f"StochSync paints the {views.count} views in {turning.blank} turns, and {steps} steps leave some of them "
            f"out; use {turning.blank + run.plan.stochastic.soft_steps} steps or more, 25 as published"
        )
    rounds = _Rounds.of(run, call, run.plan.stochastic, turning.blank, began)
    kept = Unfinished.of(run, call, x)
    begun = kept.read(z) if kept else {}
    if begun:
        z = begun["z"]
        rounds.generator.set_state(begun["generator"])
    for step in range(int(begun.get("step", 0)), steps):
        host.check_interrupt()
        turn = turning.sets[step]
        content = run.backgrounds.paint_step(views.project(z), step, steps)
        clean, level = rounds.estimate(step, turn, content)
        check_finite(clean, level)
        seen = turn.mean.seen.reshape(views.canonical)
        z = torch.where(seen, turn.mean(packing.flat(clean)), z)
        shown = packing.framed(run.backgrounds.paint_step(views.project(z), step, steps))
        call.tell(step, {"x": shown, "denoised": shown, "sigma": level, "sigma_hat": level})
        if kept and step + 1 < steps and (step + 1) % kept.every == 0:
            kept.write(step + 1, {"z": z, "generator": rounds.generator.get_state()})
    if kept:
        kept.done()
    return packing.framed(run.backgrounds.paint_step(views.project(z), steps - 1, steps))


def _beginning(run: Run, call: SamplerCall, x: Tensor) -> tuple[bool, Tensor]:
    """(whether there is a picture to begin from, the canonical picture [B, C, *canonical], empty without one)."""
    if (given := call.given) is None:
        return False, x.new_zeros(run.packing.canonical_shape)
    return True, average_of(run.views)(run.packing.flat(given).to(x))


@dataclass(frozen=True)
class _Rounds:
    """The inner runs of a stochastic walk: each noises what is there and estimates it anew.

    full: the host scales the starting noise as for a full run. ramp: [B*N, 1, (1,) h, w], see `ramps`. ``generator``
    draws the noise of one step after the other.
    """

    run: Run
    call: SamplerCall
    timetable: Timetable
    began: bool
    full: bool
    ramp: Tensor
    generator: torch.Generator

    @staticmethod
    def of(run: Run, call: SamplerCall, rule: Stochastic, blank: int, began: bool) -> _Rounds:
        return _Rounds(
            run,
            call,
            rule.of(call.steps, blank, blank=not began),
            began,
            host.max_denoise(call.model.inner_model, call.sigmas),
            run.packing.framed(ramps(run.views).repeat(run.packing.batch, 1, 1, 1)),
            torch.Generator().manual_seed(run.seed),
        )

    def estimate(self, step: int, turn: Turn, content: Tensor) -> tuple[Tensor, float]:
        """(clean views in the host's shape, 0 for views whose turn it is not; the noise level they began at), from
        what the canonical picture shows, content [B*N, C, h, w]."""
        run, call, packing = self.run, self.call, self.run.packing
        sampling = host.model_sampling(call.model)
        levels = inner_levels(sampling, self.timetable.times(step), float(call.sigmas[0]))
        noise = torch.randn(content.shape, generator=self.generator).to(content)
        # At the highest timestep of all nothing is left of a picture; a run that begins later keeps it.
        nothing = self.timetable.time(step) == NOISE and not self.began
        sigma = torch.full((content.shape[0], 1, 1, 1), levels[0], device=content.device, dtype=content.dtype)
        shown = torch.zeros_like(content) if nothing else content
        start = sampling.noise_scaling(sigma, noise, shown, nothing and self.full)
        inner = replace(
            call,
            sigmas=torch.tensor(levels, device=content.device, dtype=call.sigmas.dtype),
            # Samplers with noise of their own must not draw the same at every step.
            extra_args={**call.extra_args, "seed": run.seed + step},
            callback=None,
            disable=True,
        )
        if self.timetable.is_soft(step):
            # (plain steps: others would mix in what a pixel held before it was let go)
            euler = host.sampler_object("euler").sampler_function
            held = _SoftBorder(call.model, packing.framed(content), self.ramp, levels)
            inner = replace(inner, function=euler, model=held, options={})
        with run.batches.only(b * run.views.count + i for b in range(packing.batch) for i in turn.members):
            return inner(packing.framed(start)), levels[0]
