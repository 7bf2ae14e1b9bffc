"""An edit by gradient descent at noise levels drawn at random: Collaborative Score Distillation, and relatives.

    z <- z - lr .9^(k // 20) w_t A(G),      G_i = (1/N) (sum_j K_ij G_j + repulsion),      G_j = eps_tar - eps_src

over the few views that are drawn in an iteration, cells averaged over these alone (Kim et al., NeurIPS 2023, and the
published code). w_t = sigma^2 / (1 + sigma^2), what flow models call s^2 / ((1 - s)^2 + s^2): both walk alike.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from ....sync_core.steering.edits import collaborative
from ....sync_core.walked_mean import average_of
from ... import host
from ..edits.denoiser import EditRun
from ..run import Run
from ..sampler_call import SamplerCall

# Added to the seed, so that views and levels are drawn by other numbers than noise.
_DICE = 0xD1CE


@dataclass(frozen=True)
class Throw:
    """What an iteration drew: views, and a noise level."""

    members: tuple[int, ...]
    level: float


def walk_random(run: Run, call: SamplerCall, x: Tensor) -> Tensor:
    """The edited views. Of x nothing is read, and of the noise levels only that the last is 0: the edit says how many
    iterations there are, and which levels. Raises ValueError without a source, and for views that make up the picture
    together.
    """
    if run.views.combine is not None:
        raise ValueError(
            "the random walk of an edit draws a few views at a time, and these only make a picture together (parts or "
            "planes); use walk falling"
        )
    assert run.settings.edit is not None
    if run.settings.edit.edit.baseline == "none" and not run.settings.edit.edit.descent.hold:
        logging.warning(
            "SyncTweedies: an edit with baseline none is score distillation, which seeks what a prompt means most, in "
            "glaring colours; a hold above 0 draws it back to the picture"
        )
    edit, packing = EditRun.of(run, run.watched(call), run.settings.edit.edit), run.packing
    rule, views = edit.edit.descent, run.views
    dice = torch.Generator().manual_seed((run.seed + _DICE) % 2**63)
    state = edit.source.new_zeros(packing.canonical_shape)
    for iteration in range(rule.iterations):
        host.check_interrupt()
        throw = _throw(edit, dice)
        change = views.project(state)
        mean = average_of(views.only(throw.members))
        step = mean(_gradient(edit, change, throw, iteration))
        if rule.hold:
            step = step + rule.hold * state
        seen = mean.seen.reshape(views.canonical)
        state = torch.where(seen, state - rule.rate_at(iteration, edit.edit.kernel) * step, state)
        _tell(edit, change, throw.level, iteration)
    return packing.framed(edit.kept(edit.source + views.project(state)))


def _throw(edit: EditRun, dice: torch.Generator) -> Throw:
    rule, count = edit.edit.descent, edit.run.views.count
    members = torch.randperm(count, generator=dice)[: rule.batch].sort().values
    time = rule.earliest + (rule.latest - rule.earliest) * float(torch.rand((), generator=dice))
    sampling = host.model_sampling(edit.call.model)
    return Throw(tuple(int(m) for m in members), float(sampling.percent_to_sigma(1 - time)))


def _gradient(edit: EditRun, change: Tensor, throw: Throw, iteration: int) -> Tensor:
    """w_t G of all views [B*N, C, h, w], of those that were not drawn 0."""
    run, level = edit.run, throw.level
    rows = [b * run.views.count + i for b in range(run.packing.batch) for i in throw.members]
    picture, noise = host.mixture(host.model_sampling(edit.call.model), level)
    with run.batches.only(rows):
        found, noisy = edit.difference(change, level, edit.noise(iteration), scale=picture)
    drawn = (change[rows] - found[rows]) * (picture / noise)
    if edit.mask is not None:
        drawn = drawn * edit.mask[rows]
    drawn = _mixed(edit, drawn, (found + edit.source)[rows], noisy[rows], len(throw.members))
    weighted = drawn * (noise**2 / (picture**2 + noise**2))
    return torch.zeros_like(change).index_copy_(0, torch.tensor(rows, device=change.device), weighted)


def _mixed(edit: EditRun, drawn: Tensor, clean: Tensor, noisy: Tensor, views: int) -> Tensor:
    kernel = edit.kernel(clean, noisy, views)
    if kernel is None:
        return drawn
    return collaborative(drawn, kernel, noisy if edit.edit.kernel == "noisy" else None)


def _tell(edit: EditRun, change: Tensor, level: float, iteration: int) -> None:
    """The host, which counts the steps it asked for, of an iteration that ends one of these."""
    call, iterations = edit.call, edit.edit.descent.iterations
    before, after = (call.steps * k // iterations for k in (iteration, iteration + 1))
    if after > before:
        shown = edit.run.packing.framed(edit.source + change)
        call.tell(after - 1, {"x": shown, "denoised": shown, "sigma": level, "sigma_hat": level})
