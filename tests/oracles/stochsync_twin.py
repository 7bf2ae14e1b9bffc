"""StochSync on windows of a strip, slowly and as its paper tells it: levels as alphas, one window at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

CLEAN = -1


def alphas() -> list[float]:
    """sqrt(alpha bar) of Stable Diffusion's 1000 timesteps."""
    product, found = 1.0, []
    for t in range(1000):
        beta = (math.sqrt(0.00085) + t / 999 * (math.sqrt(0.012) - math.sqrt(0.00085))) ** 2
        product *= 1 - beta
        found.append(math.sqrt(product))
    return found


def timesteps(start: int, rungs: int) -> list[int]:
    """From ``start`` down the part of an even ladder that lies below it, to the end."""
    ladder = [int(t) for t in torch.linspace(999, 0, rungs, dtype=torch.long)]
    return [start, *(t for t in ladder if 0 < t < start), CLEAN]


def stochsync(
    estimate: Callable[[Tensor, float], Tensor],
    noises: list[Tensor],
    width: int,
    starts: list[int],
    turns: list[list[int]],
    ramp: Tensor,
    rungs: int = 25,
    t_max: int = 900,
    t_min: int = 270,
    warm_up: int = 2,
    seams: int = 2,
) -> Tensor:
    """The strip [C, h, width]. estimate(x_t / alpha, sigma): the clean picture of one window; noises: of each step, one
    for every window [N, C, h, w]; turns: which windows each set has; ramp [h, w]: 0 at a window's border, 1 inside."""
    a = [*alphas(), 1.0]  # (the last entry is CLEAN)
    z = torch.zeros(*noises[0].shape[1:3], width)
    size, steps = noises[0].shape[-1], len(noises)
    for step, fresh in enumerate(noises):
        t = int(t_max + (t_min - t_max) * step / steps)
        seam = step >= steps - seams
        if seam:
            t = min(2 * t, 999)
        if step < warm_up:
            t = 999
        times = timesteps(t, 50 if seam else rungs)
        painted, count = torch.zeros_like(z), torch.zeros(width)
        for window in turns[step % len(turns)]:
            here = slice(starts[window], starts[window] + size)
            old, eps = z[..., here], fresh[window]
            x = eps if t == 999 else a[t] * old + math.sqrt(1 - a[t] ** 2) * eps
            for i, (now, then) in enumerate(itertools.pairwise(times)):
                s, s_then = math.sqrt(1 - a[now] ** 2), math.sqrt(1 - a[then] ** 2)
                clean = estimate(x / a[now], s / a[now])
                x = a[then] * clean + s_then * (x - a[now] * clean) / s
                if seam:
                    inside = ramp >= 1 - i / len(times)
                    x = torch.where(inside, x, a[then] * old + s_then * eps)
            painted[..., here] += x
            count[here] += 1
        z = torch.where(count > 0, painted / count.clamp_min(1), z)
    return z
