"""Whole runs of a process at the host's scale (VE or flow), for the checks against theory."""

import itertools
from collections.abc import Callable, Sequence

import torch
from oracles.parameterization import Level, ddim_levels
from oracles.twins import F64
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.linear_map import LinearMap
from syncpack.sync_core.process_steps import SyncMaps, run_process
from syncpack.sync_core.processes import process
from syncpack.sync_core.views import ViewSet
from torch import Tensor

STEPS = 50
SD: list[Level] = ddim_levels(STEPS)  # Stable Diffusion's own end: a little noise is left
CLEAN: list[Level] = ddim_levels(STEPS, final_alpha_bar=1.0)

Denoise = Callable[[Tensor, float], Tensor]
Watch = Callable[[int, Tensor], None]


def ve(levels: Sequence[Level]) -> list[float]:
    return [level.ve_sigma for level in levels]


def run(
    number: int,
    maps: ViewSet | Aggregator,
    denoise: Denoise,
    sigmas: Sequence[float],
    state: Tensor,
    watch: Watch | None = None,
) -> Tensor:
    """An Euler (DDIM) run of an instance or canonical process from a state at sigmas[0]; ``watch`` sees each state."""
    synced = SyncMaps(maps if isinstance(maps, Aggregator) else Aggregator(maps))
    rule = process(number)
    for step, (sigma, following) in enumerate(itertools.pairwise(sigmas)):
        ratio = following / sigma

        def evaluate(x: Tensor, at: float = sigma) -> Tensor:
            return denoise(x, at)

        given = {"w" if rule.w else "z": state}
        result = run_process(rule, synced, evaluate, sigma, ratio, **given)
        clean = result.w if rule.w else result.z
        assert clean is not None
        state = ratio * state + (1 - ratio) * clean
        if watch is not None:
            watch(step + 1, state)
    return state


def gaussian(std: float) -> Denoise:
    """The exact denoiser of N(0, std^2) for independent pixels at a VE level."""
    return lambda x, sigma: std**2 / (std**2 + sigma**2) * x


def gain_of(std: float, level: Level, following: Level) -> float:
    """rho: what one DDIM step does to a Gaussian direction, in VP scale."""
    a, s, b, t = level.alpha, level.sigma, following.alpha, following.sigma
    return (a * b * std**2 + s * t) / (a**2 * std**2 + s**2)


def product(values: Sequence[float]) -> float:
    result = 1.0
    for value in values:
        result *= value
    return result


def rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def same_views(count: int, pixels: int, weights: Tensor | None = None) -> ViewSet:
    """``count`` views that all show the whole canonical signal of ``pixels`` cells."""
    total = count * pixels
    cell = torch.arange(pixels).repeat(count)
    forward = LinearMap.from_entries(total, pixels, torch.arange(total), cell, torch.ones(total, dtype=F64))
    weights = torch.ones(count, dtype=F64) if weights is None else weights
    return ViewSet(forward, (pixels,), 1, pixels, weights.repeat_interleave(pixels))


def disagreement(views: Tensor, count: int) -> float:
    stacked = views.reshape(-1, count, *views.shape[1:])
    return rms(stacked - stacked.mean(1, keepdim=True))


STD = 0.5
RHO = [gain_of(STD, a, b) for a, b in itertools.pairwise(SD)]
GAIN = product(RHO)  # 0.476: a direction that is not averaged away, VP
TO_VP = SD[-1].alpha / SD[0].alpha  # 13.16: a unit VP start seen at the end, when nothing happens to it in VE
