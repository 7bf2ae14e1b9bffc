"""The sampler as it is, fed with synchronised estimates: in one go, or in stretches where something is done between.

A stretch is one call of the sampler with the levels of its steps. Multistep samplers begin their history anew in each,
so stretches are as long as what is done between them allows.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from ....sync_core.synchronizer import SyncState
from ....sync_core.time_travel import renoised
from ... import host
from ..coherence import Asked, PullRun
from ..denoiser import SyncDenoiser, synchronised
from ..noise import journey_noise, starting_state, step_noise
from ..run import Run
from ..sampler_call import SamplerCall
from .unfinished import Unfinished

# Added to the seed, so that the noise of a journey is none that the run has had.
_TRAVEL = 0x7EA7
# Added to the seed once a step, so that every stretch has noise of its own.
_STEP = 0x51EF

# Samplers that plan all their steps at once, or whose first step is none.
WHOLE = ("dpm_fast", "dpm_adaptive", "uni_pc", "uni_pc_bh2", "sa_solver", "sa_solver_pece")


def walk_stepwise(run: Run, call: SamplerCall, x: Tensor) -> Tensor:
    """The sampler's last state. Raises ValueError for a sampler that must not be stopped between steps, where the run
    asks for that."""
    x = starting_state(run, call, x)
    kept = Unfinished.of(run, call, x)
    begun = kept.read(x) if kept else {}
    if begun:
        x = begun["x"]
        run.memory.last = SyncState(begun.get("canonical"))
        run.memory.answers.last, run.memory.answers.due = begun.get("answers"), begun.get("due")
    done = int(begun.get("step", 0))
    if done > run.plan.hand_over(call.steps):
        run = run.alone
    plain, call = call, synchronised(run, run.watched(call), call.model)
    parts = [part for part in stretches(run, call.steps) if part[0] >= done]
    if len(parts) > 1 and (name := host.sampler_name(call.function)) in WHOLE:
        raise ValueError(
            f"{name} plans all its steps at once, and this run is stopped between steps; use euler, heun or dpmpp_2m"
        )
    for first, last in parts:
        host.check_interrupt()
        if first == run.plan.hand_over(call.steps):
            x = _let_go(run, call.model, x, call.sigmas[first])
            run = run.alone
            call = synchronised(run, run.watched(plain), plain.model)
        times = run.plan.travel.at(first, call.steps)
        for turn in range(times):
            x = _stretch(run, call, x, first, last)
            if turn + 1 < times:
                x = _back(run, call, x, first, turn)
        if run.pull is not None and last - 1 in run.pull.turns:
            x = _pulled(run, run.pull, call, x, last - 1)
        if kept and last < call.steps and last % kept.every == 0:
            kept.write(last, _state(run, x))
    if kept:
        kept.done()
    if run.memory.dropped:
        logging.warning(
            "SyncTweedies: coherence left out %d moves of views, whose features had no finite gradient",
            run.memory.dropped,
        )
    return x


def _state(run: Run, x: Tensor) -> dict[str, Tensor]:
    """What the next step needs to know."""
    answers = run.memory.answers
    known = {"canonical": run.memory.last.canonical, "answers": answers.last, "due": answers.due}
    return {"x": x, **{name: value for name, value in known.items() if value is not None}}


def stretches(run: Run, steps: int) -> list[tuple[int, int]]:
    """[(first step, step after the last)]: what the sampler does in one call each."""
    travel = run.plan.travel
    repeated = [step for step in range(steps) if travel.at(step, steps) > 1]
    saves = range(0, steps, run.settings.save_every or steps or 1)
    stops = {0, steps, *repeated, *(step + 1 for step in repeated), *saves, run.plan.hand_over(steps)}
    if run.pull is not None:
        stops |= {step + 1 for step in run.pull.turns}
    return list(pairwise(sorted(stops)))


def _let_go(run: Run, model: SyncDenoiser, x: Tensor, sigma: Tensor) -> Tensor:
    """The views of a state that is canonical until ``sigma``, in the host's shape: what ``model`` would have been
    shown next, backgrounds as noisy as the rest."""
    views, (w, _) = run.packing.flat(run.packing.shown(x)), run.packing.split(x)
    if w is not None and run.packing.rule.result == "z":
        views = views + run.views.background_of(w)
    return run.packing.framed(model.with_background(views, sigma))


def _stretch(run: Run, call: SamplerCall, x: Tensor, first: int, last: int) -> Tensor:
    """One call of the sampler, over some steps of the run."""
    whole = (first, last) == (0, call.steps)
    if first and call.seed is not None:
        call = replace(call, extra_args={**call.extra_args, "seed": (call.seed + _STEP * first) % 2**63})
    options = call.options
    if host.takes_noise_sampler(call.function, options) and "noise_sampler" not in options:
        shared = run.plan.step_noise == "canonical" and run.packing.holds != "canonical"
        # (noise is drawn for the levels of the whole run: those of one step may be too few to draw any)
        if shared:
            options = {"noise_sampler": step_noise(run, call, x, apart=first > 0), **options}
        elif not whole:
            own = host.noise_sampler(call.function, x, call.sigmas, call.seed, apart=first > 0)
            options = {"noise_sampler": own, **options}

    return replace(call, options=options).part(first, last)(x)


def _pulled(run: Run, pull: PullRun, call: SamplerCall, x: Tensor, step: int) -> Tensor:
    """The state after ``step``, its views moved towards the anchor of coherence; by moves that agree where views do."""
    clean = run.memory.seen
    assert clean is not None
    sampling, level = host.model_sampling(call.model), float(call.sigmas[step])
    (picture, noise), (_, after) = (host.mixture(sampling, float(s)) for s in call.sigmas[step : step + 2])
    if pull.through:
        moves = pull.moves_through(_asked(run, call), clean, step, (picture, noise))
    else:
        moves = pull.moves(clean, step, (picture, noise))
    run.memory.dropped += moves.dropped
    delta = (after / noise) * moves.delta.to(x)
    w, z = run.packing.split(x)
    cells = run.sync.maps.aggregator(delta)
    if run.plan.process != 0 and run.plan.schedule.at(run.trajectory, level) > 0:
        views = run.views
        delta = views.project(cells) + (0 if views.fully_covered else views.background_of(delta))
    return run.packing.join(None if w is None else w + delta, None if z is None else z + cells)


def _asked(run: Run, call: SamplerCall) -> Asked:
    """The model as it was asked last, for gradients."""
    assert run.memory.asked is not None
    views, denoise = run.memory.asked
    model = call.model.inner_model.inner_model
    if run.memory.twin is None:
        run.memory.twin = host.twin(model.diffusion_model, views.device)
    return Asked(views, denoise, run.batches, model, run.memory.twin)


def _back(run: Run, call: SamplerCall, x: Tensor, step: int, turn: int) -> Tensor:
    """The state after ``step``, carried back to where the step began."""
    journeys = turn + 1 + sum(run.plan.travel.at(earlier, call.steps) - 1 for earlier in range(step))
    noise = journey_noise(run, x, run.seed + _TRAVEL * journeys)
    sampling = host.model_sampling(call.model)
    high, low = (host.mixture(sampling, float(level)) for level in call.sigmas[step : step + 2])
    return renoised(x, noise, low, high)
