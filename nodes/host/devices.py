"""Several devices for one MODEL: hosts since 2026 keep a clone of it on each (node MultiGPU CFG Split).

The host itself deals the prompts of a call over the clones. Here each clone gets a call of its own, with views of its
own: told of one clone alone, the host evaluates all of a call on that device, conditionings, hooks and ControlNets
included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from .memory import free_memory

_CLONES, _POOL = "multigpu_clones", "multigpu_thread_pool"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Devices:
    """The devices that hold clones of the model of one run, and the host's threads, one for each."""

    clones: dict[torch.device, Any]
    pool: Any

    @staticmethod
    def of(model_options: dict[str, Any]) -> Devices | None:
        """Of a call's model_options; None where the model is on one device."""
        clones, pool = model_options.get(_CLONES) or {}, model_options.get(_POOL)
        return Devices(clones, pool) if len(clones) > 1 and pool is not None else None

    @property
    def count(self) -> int:
        return len(self.clones)

    @property
    def free_memory(self) -> float:
        """Bytes free on the fullest of them."""
        return min(free_memory(device) for device in self.clones)

    def options(self, model_options: dict[str, Any], number: int) -> dict[str, Any]:
        """model_options of a call on one of the devices, which its own thread makes."""
        device = list(self.clones)[number]
        alone = {name: value for name, value in model_options.items() if name != _POOL}
        return {**alone, _CLONES: {device: self.clones[device]}}

    def prepare(self, network: Any, conds: Sequence[Any], timestep: Any, model_options: dict[str, Any]) -> None:
        """Tell all clones of a step's hooks, before calls that know of one each: the host notices a change once."""
        groups = {id(entry["hooks"]): entry["hooks"] for side in conds for entry in side or () if entry.get("hooks")}
        for hooks in groups.values():
            network.current_patcher.prepare_hook_patches_current_keyframe(timestep, hooks, model_options)

    def run(self, jobs: Sequence[Callable[[], Result]]) -> list[Result]:
        """Do at most one job on each device, all at once. Raises the first error, after all of them have ended."""
        inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

        def done(job: Callable[[], Result]) -> Result:
            # (both are a thread's own)
            with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
                return job()

        used = list(self.clones)[: len(jobs)]
        for device, job in zip(used, jobs, strict=True):
            self.pool.submit(device, done, job)
        ended = [self.pool.get_result(device) for device in used]
        for _, error in ended:
            if error is not None:
                raise error
        return [result for result, _ in ended]


def on_one_device(model_options: dict[str, Any]) -> dict[str, Any]:
    """model_options of a call that stays on the model's own device: what gradients are taken of (threads of the host
    take none)."""
    return {name: value for name, value in model_options.items() if name not in (_CLONES, _POOL)}
