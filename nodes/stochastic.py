"""The stochastic mode around a sampler of the host: see ``sync_core/stochastic.py`` for what it does and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..sync_core.disjoint import disjoint_sets
from ..sync_core.stochastic import Stochastic, inner_levels
from ..sync_core.walked import Views
from ..sync_core.walked_mean import Averager, average_of
from . import host
from .errors import check_finite
from .run_state import Run
from .view_batches import ViewBatches


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
    """Stands in for the model during the last steps: a view keeps ``content`` at its border until the end is near."""

    def __init__(self, inner: Any, content: Tensor, ramp: Tensor, levels: list[float]) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner, self._content, self._ramp, self._levels = inner, content, ramp, levels

    def __call__(self, x: Tensor, sigma: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        clean = self._inner(x, sigma, *args, **kwargs)
        level = float(sigma.reshape(-1)[0])
        passed = sum(1 for value in self._levels[:-1] if value > level + 1e-9)
        return torch.where(self._ramp >= 1 - passed / max(len(self._levels) - 2, 1), clean, self._content)


def sample_stochastic(
    function: Callable[..., Tensor],
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any],
    callback: Callable[[dict[str, Any]], None],
    walk: Stochastic,
    run: Run,
    batches: ViewBatches,
    options: dict[str, Any],
) -> Tensor:
    """As many walk steps as ``sigmas`` has; every one runs ``function`` from its noise level to 0 on one set of views.

    x: the view batch in the host's shape; only its shape is read, and ``model.latent_image`` when the run starts from a
    picture. Returns the consistent clean views.
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
    sets, levels = turns(views), [float(s) for s in sigmas]
    ramp = run.framed(ramps(views).repeat(batch, 1, 1, 1))
    top = float(sampling.percent_to_sigma(0.0))
    for step in range(steps):
        host.check_interrupt()
        level = min(float(sampling.percent_to_sigma(walk.fraction(step, steps))), levels[0])
        blank = walk.is_blank(step, steps) and not began
        if blank:
            level = min(top, levels[0])
        turn = sets[step % len(sets)]
        content = _painted(run, views.project(z), step, steps)
        noise = torch.randn(content.shape, generator=generator).to(x)
        shown = torch.zeros_like(content) if blank else content
        sigma = torch.full((content.shape[0],), level, device=x.device, dtype=x.dtype)
        start = sampling.noise_scaling(sigma.reshape(-1, 1, 1, 1), noise, shown)
        inner = inner_levels(levels, level, walk.inner_steps)
        denoiser = model
        if walk.is_soft(step, steps):
            denoiser = _SoftBorder(model, run.framed(content), ramp, inner)
        batches.rows = tuple(b * views.count + i for b in range(batch) for i in turn.members)
        try:
            clean = function(
                denoiser,
                run.framed(start),
                torch.tensor(inner, device=x.device, dtype=sigmas.dtype),
                # Samplers with noise of their own must not draw the same at every step.
                extra_args={**extra_args, "seed": seed + step},
                callback=None,
                disable=True,
                **options,
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
