"""Time travel around a sampler of the host: see ``sync_core/time_travel.py`` for what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...sync_core.noise import view_noise
from ...sync_core.synchronizer import SyncPlan
from ...sync_core.time_travel import renoised
from .. import host
from .noise import own_noise
from .run import Packing

# Deterministic samplers of which a step knows nothing of the step before, nor of the one after.
SINGLE_STEP = ("euler", "heun", "dpm_2")

# Added to the seed, so that the noise of a journey is none that the run has had.
_TRAVEL = 0x7EA7


def check_travel(name: str, plan: SyncPlan) -> None:
    """Raise ValueError for a sampler whose steps cannot be repeated one by one."""
    if plan.travel.times > 1 and name not in SINGLE_STEP:
        raise ValueError(
            f"travel_times {plan.travel.times} repeats single steps, and {name} uses what it knows of other steps, or "
            f"noise of its own; use {', '.join(SINGLE_STEP)} or ddim, or travel_times 1"
        )


def sample_travelling(
    function: Callable[..., Tensor],
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any],
    callback: Callable[[dict[str, Any]], None],
    sampling: Any,
    packing: Packing,
    plan: SyncPlan,
    seed: int,
    options: dict[str, Any],
) -> Tensor:
    """``function`` step by step, going back where the plan says so. ``sampling``: the host's model sampling, which
    knows what a noise level means."""
    steps = len(sigmas) - 1
    journeys = 0
    for step in range(steps):
        times = plan.travel.at(step, steps)

        def shown(info: dict[str, Any], step: int = step) -> None:
            callback({**info, "i": step})

        for turn in range(times):
            host.check_interrupt()
            end = function(
                model, x, sigmas[step : step + 2], extra_args=extra_args, callback=shown, disable=True, **options
            )
            if turn + 1 < times:
                journeys += 1
                noise = _noise(packing, plan, end, seed + _TRAVEL * journeys)
                levels = [_level(sampling, float(s)) for s in sigmas[step : step + 2]]
                end = renoised(end, noise, levels[1], levels[0])
            x = end
    return x


def _level(sampling: Any, sigma: float) -> tuple[float, float]:
    """(how much of the picture, how much noise) a state of this model holds at ``sigma``."""
    one, nothing = torch.ones(1, 1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    level = torch.full((1, 1, 1, 1), sigma, dtype=torch.float64)
    picture, noise = (sampling.noise_scaling(level, n, p) for n, p in ((nothing, one), (one, nothing)))
    return float(picture), float(noise)


def _noise(packing: Packing, plan: SyncPlan, like: Tensor, seed: int) -> Tensor:
    """White noise for a sampler's state, shared between views as the plan's step noise is."""
    views = packing.run.views
    z = torch.randn(
        packing.batch, packing.channels, *views.canonical, generator=torch.Generator().manual_seed(seed % 2**63)
    ).to(like)
    if packing.state == "canonical":
        return z
    shape = (packing.batch * views.count, packing.channels, views.height, views.width)
    mode = "polar" if plan.step_noise == "canonical" else "independent"
    return packing.join(view_noise(views, mode, z, lambda: own_noise(shape, seed, z)), z)
