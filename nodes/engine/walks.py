"""The stochastic mode around a sampler of the host: see ``sync_core/stochastic.py`` for what it does and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...sync_core.stochastic import NOISE, Stochastic, disjoint_sets, released
from ...sync_core.walked import Views
from ...sync_core.walked_mean import Averager, average_of
from .. import host
from ..host.errors import check_finite
from .chunks import ViewBatches
from .run import Run


@dataclass(frozen=True)
class Turn:
    """Views that are evaluated together, and the mean of what they alone show."""

    members: tuple[int, ...]
    mean: Averager


def turns(views: Views) -> tuple[Turn, ...]:
    """The sets of views of a rig that take turns. Raises ValueError for views that make up the picture together."""
    if views.combine is not None:
        raise ValueError(
            "StochSync replaces what a view sees, and these views only make a picture together (parts or planes); "
            "use process 2"
        )
    return tuple(Turn(members, average_of(views.only(members))) for members in disjoint_sets(views))


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

    def __init__(self, inner: Any, content: Tensor, ramp: Tensor, levels: list[float]) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner, self._content, self._ramp, self._levels = inner, content, ramp, levels

    def __call__(self, x: Tensor, sigma: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        clean = self._inner(x, sigma, *args, **kwargs)
        level = float(sigma.reshape(-1)[0])
        passed = sum(1 for value in self._levels if value > level + 1e-9)
        return torch.where(self._ramp >= released(passed, len(self._levels)), clean, self._content)


def inner_levels(sampling: Any, times: list[int], highest: float) -> list[float]:
    """The noise levels of timesteps (0 to 999), ending with 0. None is above ``highest``, where a run begins."""
    levels = [float(sampling.percent_to_sigma(1 - time / NOISE)) for time in times]
    first = min(levels[0], highest)
    return [first, *(level for level in levels[1:] if level < first * (1 - 1e-6)), 0.0]


def sample_stochastic(
    function: Callable[..., Tensor],
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any],
    callback: Callable[[dict[str, Any]], None],
    rule: Stochastic,
    run: Run,
    batches: ViewBatches,
    options: dict[str, Any],
) -> Tensor:
    """As many walk steps as ``sigmas`` has; every one runs ``function`` from its noise level to 0 on one set of views.

    x: the view batch in the host's shape; only its shape is read, and ``model.latent_image`` when the run starts from a
    picture. Of ``sigmas`` the count and the first, which no level exceeds. Returns the consistent clean views.
    Raises ValueError when there are fewer steps than sets of views, which would leave parts of the picture empty.
    """
    views, steps = run.views, len(sigmas) - 1
    sampling = host.model_sampling(model)
    seed = int(extra_args.get("seed") or 0)
    generator = torch.Generator().manual_seed(seed)
    given = getattr(model, "latent_image", None)
    began = given is not None and bool(given.count_nonzero())
    batch = x.shape[0] // views.count
    z = x.new_zeros(batch, x.shape[1], *views.canonical)
    if given is not None and began:
        z = average_of(views)(run.flat(given).to(x))
    sets, highest, full = turns(views), float(sigmas[0]), host.max_denoise(model.inner_model, sigmas)
    if steps < len(sets) and not began:
        raise ValueError(
            f"StochSync paints the {views.count} views in {len(sets)} turns, and {steps} steps leave some of them out; "
            f"use {len(sets) + rule.soft_steps} steps or more, 25 as published"
        )
    walk = rule.of(steps, len(sets), blank=not began)
    ramp = run.framed(ramps(views).repeat(batch, 1, 1, 1))
    for step in range(steps):
        host.check_interrupt()
        inner = inner_levels(sampling, walk.times(step), highest)
        level = inner[0]
        turn = sets[step % len(sets)]
        content = _painted(run, views.project(z), step, steps)
        noise = torch.randn(content.shape, generator=generator).to(x)
        # At the highest timestep of all nothing is left of a picture; a run that begins later keeps it.
        nothing = walk.time(step) == NOISE and not began
        sigma = torch.full((content.shape[0], 1, 1, 1), level, device=x.device, dtype=x.dtype)
        shown = torch.zeros_like(content) if nothing else content
        start = sampling.noise_scaling(sigma, noise, shown, nothing and full)
        walker, told, denoiser = function, options, model
        if walk.is_soft(step):
            # (plain steps: others would mix in what a pixel held before it was let go)
            walker, told = host.sampler_object("euler").sampler_function, {}
            denoiser = _SoftBorder(model, run.framed(content), ramp, inner)
        batches.rows = tuple(b * views.count + i for b in range(batch) for i in turn.members)
        try:
            clean = walker(
                denoiser,
                run.framed(start),
                torch.tensor(inner, device=x.device, dtype=sigmas.dtype),
                # Samplers with noise of their own must not draw the same at every step.
                extra_args={**extra_args, "seed": seed + step},
                callback=None,
                disable=True,
                **told,
            )
        finally:
            batches.rows = None
        check_finite(clean, level)
        seen = turn.mean.seen.reshape(views.canonical)
        z = torch.where(seen, turn.mean(run.flat(clean)), z)
        shown = run.framed(_painted(run, views.project(z), step, steps))
        callback({"i": step, "x": shown, "denoised": shown, "sigma": level, "sigma_hat": level})
    return run.framed(_painted(run, views.project(z), steps - 1, steps))


def _painted(run: Run, clean: Tensor, step: int, steps: int) -> Tensor:
    """Views of the canonical picture, which has no background, with the rig's of a step."""
    return clean if run.backgrounds is None else run.backgrounds.paint_step(clean, step, steps)
