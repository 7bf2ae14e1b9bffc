"""What stands in for the model while a sampler runs: it answers with synchronised clean estimates."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...sync_core.process_steps import blend
from ...sync_core.steering.islands import ordinary
from ...sync_core.synchronizer import NO_STATE
from .. import host
from ..host.errors import check_finite
from ..host.objects import Wrapper
from .noise import own_noise
from .run import Run
from .sampler_call import SamplerCall

# Where the host keeps functions that see the guided estimate; CFG++ samplers add one to learn the unconditional.
POST_CFG = "sampler_post_cfg_function"

UNCONDITIONAL = "{} steps from the unconditional estimate, which only process 2 synchronises; use process 2"


class SyncDenoiser(host.KSamplerX0Inpaint):
    """Stands in for the host's model wrapper; ``inner`` is the real one. ``known``: how many functions stood behind
    guidance before the sampler added its own."""

    def __init__(self, inner: Wrapper, run: Run, known: int = 0) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner = inner
        self._run = run
        self._known = known
        self._noise: Tensor | None = None

    def __call__(self, x: Tensor, sigma: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        run, level = self._run, float(sigma.reshape(-1)[0])
        host.check_interrupt()
        own: list[Tensor] = []

        def again(views: Tensor) -> Tensor:
            """The same estimate for gradients, which need tensors made outside of inference mode."""
            levels = ordinary(sigma).reshape(-1)[:1].expand(views.shape[0])
            return run.packing.flat(self._inner(run.packing.framed(views), levels, *args, **kwargs))

        def denoise(views: Tensor) -> Tensor:
            views = self.with_background(views, sigma)
            levels = sigma.reshape(-1)[:1].expand(views.shape[0])
            with run.asking(level), self._own_estimates(kwargs, level, views.shape[0]) as options:
                clean = run.packing.flat(self._inner(run.packing.framed(views), levels, *args, **options))
            check_finite(clean, level)
            clean = run.heard(clean, level)
            if run.plan.coupling:
                own.append(clean)
            if run.pull is not None:
                run.memory.seen = clean
                run.memory.asked = (views, again) if run.pull.through else None
            return clean

        answer, mask = run.step(denoise, x, level), kwargs.get("denoise_mask")
        if run.plan.coupling and mask is not None:
            # (what a mask keeps of a picture leans on nothing)
            plain = run.packing.framed(own[-1])
            answer = plain + mask * (answer - plain)
        return answer

    def with_background(self, views: Tensor, sigma: Tensor) -> Tensor:
        """Projections of a canonical state, which has no background, get one that is as noisy as they are."""
        run = self._run
        if run.packing.holds != "canonical" or run.views.fully_covered:
            return views
        if self._noise is None:
            self._noise = own_noise(tuple(views.shape), run.seed, views)
        return run.backgrounds.noisy(views, sigma.reshape(-1)[:1].reshape(1, 1, 1, 1), self._noise)

    @contextmanager
    def _own_estimates(self, kwargs: dict[str, Any], level: float, rows: int) -> Generator[dict[str, Any], None, None]:
        """The model's arguments for one call. CFG++ samplers keep the unconditional estimate for themselves, before any
        synchronisation of ours: afterwards they are shown it again, synchronised exactly as the guided one is."""
        options = kwargs.get("model_options", {})
        functions = options.get(POST_CFG, [])
        own, run = functions[self._known :], self._run
        if not own or run.plan.process == 0:
            yield kwargs
            return
        if run.plan.process != 2:
            raise ValueError(UNCONDITIONAL.format("this sampler"))
        seen: list[dict[str, Any]] = []

        def watch(args: dict[str, Any]) -> Tensor:
            seen.append(args)
            return args["denoised"]

        yield {**kwargs, "model_options": {**options, POST_CFG: [*functions, watch]}}
        strength = run.plan.schedule.at(run.trajectory, level)
        if not seen or seen[-1]["uncond_denoised"] is None:
            return
        # (hosts of 2024 guide chunk by chunk; a guider that guides twice means its last estimate)
        plain = run.packing.flat(torch.cat([args["uncond_denoised"] for args in seen])[-rows:])
        synced = plain if strength == 0 else blend(plain, run.average(plain, NO_STATE, level)[0], strength)
        synced = run.packing.framed(synced)
        for function in own:
            function({**seen[-1], "uncond_denoised": synced})


def synchronised(run: Run, call: SamplerCall, model: Wrapper) -> SamplerCall:
    """The call with ``model``'s estimates, synchronised."""
    return replace(call, model=SyncDenoiser(model, run, len(call.model_options.get(POST_CFG, []))))
