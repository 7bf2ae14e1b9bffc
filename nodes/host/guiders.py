"""The host's guiders: made, given conditionings of more than one pair, and run."""

from __future__ import annotations

import inspect
from typing import Any

import comfy.samplers
import comfy.utils
from torch import Tensor

from .memory import intermediate_device

CFGGuider: Any = comfy.samplers.CFGGuider


def prepared_conds(
    guider: Any, noise: Tensor, conds: dict[str, Any], latent: Tensor, mask: Tensor | None, seed: Any, more: Any
) -> dict[str, Any]:
    """Conditionings by name, made ready for the model of a guider that is about to sample, as the host makes its own.

    latent: the starting latent as the guider has it. more: what else the host tells its guider of the run.
    """
    model = guider.inner_model
    if latent is not None and bool(latent.count_nonzero()):
        latent = model.process_latent_in(latent)
    known = inspect.signature(comfy.samplers.process_conds).parameters
    told = {name: value for name, value in more.items() if name in known}
    return comfy.samplers.process_conds(model, noise, conds, noise.device, latent, mask, seed, **told)


def guided_by_picture(guider: Any, picture_cfg: float, x: Tensor, timestep: Tensor, options: dict[str, Any]) -> Tensor:
    """The clean estimate of a model that reads a picture beside the noise, guided by words and picture: by the picture
    from ``plain`` (neither) to ``negative`` (the picture alone) by picture_cfg, by words from there to ``positive`` by
    the guider's cfg (Brooks et al., "InstructPix2Pix", 2023, eq. 3)."""
    model, conds = guider.inner_model, guider.conds
    plain, negative, positive = conds["plain"], conds["negative"], conds["positive"]
    neither, picture, words = comfy.samplers.calc_cond_batch(model, [plain, negative, positive], x, timestep, options)
    seen = comfy.samplers.cfg_function(
        model, picture, neither, picture_cfg, x, timestep, model_options=options, cond=negative, uncond=plain
    )
    return seen + guider.cfg * (words - picture)


def sample_guided(
    guider: Any,
    noise: Tensor,
    sampler: Any,
    sigmas: Tensor,
    latent: Tensor,
    mask: Tensor | None,
    seed: int,
) -> Tensor:
    """Run the host's own sampling with a GUIDER and a SAMPLER object."""
    quiet = not getattr(comfy.utils, "PROGRESS_BAR_ENABLED", True)
    samples = guider.sample(noise, latent, sampler, sigmas, mask, None, quiet, seed)
    return samples.to(intermediate_device())
