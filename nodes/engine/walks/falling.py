"""An edit from noise level to noise level: the sampler walks a clean picture, then plainly denoises the last steps."""

from __future__ import annotations

import logging

from torch import Tensor

from ... import host
from ..denoiser import synchronised
from ..edits.denoiser import EditDenoiser, EditRun, with_noise
from ..run import Run
from ..sampler_call import SamplerCall
from .stepwise import WHOLE


def walk_falling(run: Run, call: SamplerCall, x: Tensor) -> Tensor:
    """The edited views. Of x nothing is read: the state begins as ``model.latent_image``, the source.

    Raises ValueError without a source, for a run that does not end clean, and for a sampler that plans all its steps
    at once where the last ones are plain.
    """
    assert run.settings.edit is not None
    call = run.watched(call)
    edit, packing, steps = EditRun.of(run, call, run.settings.edit.edit), run.packing, call.steps
    finishing = edit.edit.finishing(steps)
    turn = steps - finishing
    if 0 < turn < steps and (name := host.sampler_name(call.function)) in WHOLE:
        raise ValueError(
            f"{name} plans all its steps at once, and finish {edit.edit.finish:g} parts them; use finish 0, or euler"
        )
    _warn_of_start(edit)
    state, last = packing.framed(edit.source), edit.run
    if turn:
        state = synchronised(edit.run, call, EditDenoiser(edit)).part(0, turn)(state)
    if finishing:
        level, last = float(call.sigmas[turn]), run
        noise = edit.noise(turn * edit.edit.averages)
        clean = edit.painted(edit.kept(packing.flat(state)), level)
        state = packing.framed(edit.noised(clean, level, noise))
        plain = with_noise(call.model, packing.framed(noise))
        state = synchronised(run, call, plain).part(turn, steps)(state)
    views = packing.flat(state)
    if run.plan.final_sync and run.plan.process != 0:
        views = last.average(views, last.memory.last, finished=True)[0]
    return packing.framed(edit.kept(views))


def _warn_of_start(edit: EditRun) -> None:
    call = edit.call
    if edit.edit.finishing(call.steps) < call.steps and host.max_denoise(call.model.inner_model, call.sigmas):
        logging.warning(
            "SyncTweedies: the edit begins at the highest noise level (denoise 1), where the two prompts see next to "
            "nothing of the picture; denoise 0.6 to 0.8 keeps more of it"
        )
