"""Edits of a run: the stand-in for the model that answers with an edited source, and what both walks of edits need.

It sits below the synchroniser, which averages what views change of the source and knows nothing of edits, and above
guidance. The sampler's state is a clean picture that starts as the source (``sync_core/steering/edits.py``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ....sync_core.noise import view_noise
from ....sync_core.steering.edits import Edit, Look, compared, mixed
from ....sync_core.steering.features import ConvFeatures
from ... import host
from ...host.errors import check_finite
from ...host.objects import Wrapper
from ..noise import own_noise
from ..run import Memory, Run
from ..sampler_call import SamplerCall

# Added to the seed, so that the noise of an edit is none that the run starts with, and once more for every draw.
_EDIT, _DRAW = 0xED17, 0x9E3779B1

# Takes a noise sampler and draws nothing.
_QUIET = ("res_multistep",)


def check_edit_sampler(function: Callable[..., Any], options: dict[str, Any], edit: Edit) -> None:
    """Raise ValueError for a sampler that an edit's state, which has no noise, cannot go by."""
    if edit.walk == "random":  # (which goes by none)
        return
    name = host.sampler_name(function)
    draws = host.takes_noise_sampler(function, options) and name not in _QUIET
    if draws or "cfg_pp" in name:
        does = "draws noise at every step" if draws else "steps from the unconditional estimate"
        raise ValueError(f"{name} {does}, and an edit's state has none of either; use euler, heun or dpmpp_2m")


def source_of(run: Run, call: SamplerCall) -> Tensor:
    """The views [B*N, C, h, w] that are edited, on the model's scale. Raises ValueError where there are none, and for
    a run that does not end clean."""
    if (given := call.given) is None:
        raise ValueError("nothing to edit: connect canonical or views, the picture that is to change")
    if float(call.sigmas[-1]) > 0:
        raise ValueError(
            "an edit's state has no noise that another sampler could carry on from; sample to the end (last sigma 0)"
        )
    return run.packing.flat(given)


@dataclass(frozen=True)
class EditRun:
    """One edit. run: keeps the source's own details where it averages. call: with two branches. source: w0
    [B*N, C, h, w]. mask: of its shape or one that spreads to it, 1 where it may change; None: everywhere."""

    run: Run
    call: SamplerCall
    edit: Edit
    source: Tensor
    mask: Tensor | None
    look: Look

    @staticmethod
    def of(run: Run, call: SamplerCall, edit: Edit) -> EditRun:
        """Raises ValueError as `source_of`."""
        source = source_of(run, call)
        mask = call.extra_args.get("denoise_mask")
        mask = None if mask is None else run.packing.flat(mask).to(source)
        look = ConvFeatures.of(source.shape[1], source.device)
        return EditRun(replace(run, source=source, memory=Memory()), call, edit, source, mask, look)

    def noise(self, draw: int) -> Tensor:
        """The noise [B*N, C, h, w] of one draw after the other, the same for a seed on every device."""
        run, packing, views = self.run, self.run.packing, self.run.noise_views
        seed = (run.seed + _EDIT + draw * _DRAW) % 2**63
        like = self.source
        if self.edit.noise == "same":
            shape = packing.batch, packing.channels, views.height, views.width
            one = host.prepare_noise(torch.zeros(shape), seed, run.settings.batch_index)
            return one.repeat_interleave(views.count, 0).to(like)
        shared = host.prepare_noise(torch.zeros(run.noise_shape), seed, run.settings.batch_index).to(like)
        mode = "independent" if self.edit.noise == "independent" else "polar"
        return view_noise(views, mode, shared, lambda: own_noise(packing.views_shape, seed, like))

    def noised(self, clean: Tensor, level: float, noise: Tensor) -> Tensor:
        """Clean views at a noise level, as the model counts it."""
        sigma = torch.full((clean.shape[0], 1, 1, 1), level, device=clean.device, dtype=clean.dtype)
        return host.model_sampling(self.call.model).noise_scaling(sigma, noise, clean)

    def painted(self, clean: Tensor, level: float) -> Tensor:
        """Clean views with the backgrounds of a level's step."""
        return self.run.backgrounds.paint(clean, level)

    def difference(
        self, change: Tensor, level: float, noise: Tensor, scale: float = 1.0, told: dict[str, Any] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(E, the noisy views that the target's branch saw), for views that differ from the source by ``change``.

        scale: of the change in the noisy views. told: what the sampler tells the model; None: what the call says.
        Backgrounds are the same in both branches, and E is 0 where the mask is.
        """
        told = {**(self.call.extra_args if told is None else told), "denoise_mask": None}
        if self.run.backgrounds.given is not None and not self.run.views.fully_covered:
            change = change - self.run.views.background_of(change)
        base = self.painted(self.source, level)
        plain = self.noised(base, level, noise)
        target = plain + scale * change
        wanted = self._estimate(self.call.model, target, level, told, "the target's prompt")
        if self.call.source is None:
            shown = base
        else:
            shown = self._estimate(self.call.source, plain, level, told, "the source's prompt")
        found = wanted - shown
        return found if self.mask is None else found * self.mask, target

    def _estimate(self, model: Wrapper, views: Tensor, level: float, told: dict[str, Any], whose: str) -> Tensor:
        sigma = torch.full((views.shape[0],), level, device=views.device, dtype=self.call.sigmas.dtype)
        clean = self.run.packing.flat(model(self.run.packing.framed(views), sigma, **told))
        check_finite(clean, level, whose)
        return clean

    def kernel(self, clean: Tensor, noisy: Tensor, views: int) -> Tensor | None:
        """How alike views are [B, N, N], by what the edit goes by; None where nothing is mixed. clean: w0 + E."""
        kind = self.edit.kernel
        if kind == "off" or views == 1:
            return None
        values = noisy if kind == "noisy" else clean
        return compared(values, views, self.look if kind == "features" else None)

    def kept(self, views: Tensor) -> Tensor:
        """The source to the last bit where the mask says so."""
        return views if self.mask is None else torch.where(self.mask > 0, views, self.source)


class EditDenoiser(host.KSamplerX0Inpaint):
    """Stands in for the model: asked at the clean state w, it answers with D' = w0 + sum_j K_ij E_j."""

    def __init__(self, edit: EditRun) -> None:
        self.__dict__.update(edit.call.model.__dict__)
        self._edit = edit

    def __call__(self, x: Tensor, sigma: Tensor, *args: Any, **told: Any) -> Tensor:
        edit, level = self._edit, float(sigma.reshape(-1)[0])
        packing, averages = edit.run.packing, edit.edit.averages
        change = packing.flat(x) - edit.source
        step = edit.run.trajectory.step_of(level)
        total = torch.zeros_like(change)
        noisy = change
        for turn in range(averages):
            found, noisy = edit.difference(change, level, edit.noise(step * averages + turn), told=told)
            total = total + found
        found = total / averages
        kernel = edit.kernel(edit.source + found, noisy, edit.run.views.count)
        if kernel is not None:
            found = mixed(found, kernel)
            found = found if edit.mask is None else found * edit.mask
        return packing.framed(edit.source + found)


def with_noise(model: Wrapper, noise: Tensor) -> Wrapper:
    """A copy of the host's model wrapper that fills what a mask keeps with this noise."""
    model = copy.copy(model)
    model.noise = noise
    return model
