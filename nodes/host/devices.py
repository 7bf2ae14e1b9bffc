"""Several devices for one MODEL: hosts since 2026 keep a clone of it on each (node MultiGPU CFG Split).

The host itself deals the prompts of a call over the clones. Here each clone gets a call of its own, with views of its
own: told of one clone alone, the host evaluates all of a call on that device, conditionings, hooks and ControlNets
included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
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

    def deal(
        self, take: Callable[[int], Callable[[], Result] | None], took: Callable[[int, Result, float], None]
    ) -> None:
        """Do jobs on all devices at once, one at a time on each.

        ``take(n)`` gives device n, which is free, its next job or None; one that got None is asked again whenever
        another has ended a job. ``took(n, result, seconds)`` hears what came of it. Both are called in this thread,
        jobs in the devices' own. Raises the first error, after all jobs have ended.
        """
        inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
        devices = list(self.clones)
        ended = SimpleQueue[int]()
        busy = set[int]()
        failed: BaseException | None = None

        def done(number: int, job: Callable[[], Result]) -> tuple[Result, float]:
            began = time.perf_counter()
            try:
                # (both are a thread's own)
                with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
                    result = job()
                _wait_for(devices[number])
                return result, time.perf_counter() - began
            finally:
                ended.put(number)

        for device in devices:
            self.pool.submit(device, _nothing)
        for _, error in [self.pool.get_result(device) for device in devices]:
            if error is not None:  # a thread that did not come to its device does no job, and would never end one
                raise error
        while True:
            try:
                for number in range(len(devices)):
                    if failed is None and number not in busy and (job := take(number)) is not None:
                        self.pool.submit(devices[number], done, number, job)
                        busy.add(number)
            except BaseException as error:
                failed = error
            if not busy:
                break
            number = ended.get()
            answer, error = self.pool.get_result(devices[number])
            busy.discard(number)
            try:
                if failed is None and error is None:
                    took(number, *answer)
                failed = failed or error
            except BaseException as raised:
                failed = raised
        if failed is not None:
            raise failed


def _nothing() -> None:
    pass


def _wait_for(device: torch.device) -> None:
    """Until a device has computed what it was told: else it would look free, and fast, while it has only begun."""
    wait = getattr(getattr(torch, device.type, None), "synchronize", None)
    if device.type != "cpu" and wait is not None:
        wait(device)


def made_again_by(model: Any, make: Callable[[], Any]) -> Any:
    """The MODEL, whose network the host may make once more for another device: ``make`` gives a MODEL like it with
    weights of its own, of which the host takes the network alone. Without, its nodes for several devices refuse it."""
    model.cached_patcher_init = (make, ())
    return model


def on_one_device(model_options: dict[str, Any]) -> dict[str, Any]:
    """model_options of a call that stays on the model's own device: what gradients are taken of (threads of the host
    take none)."""
    return {name: value for name, value in model_options.items() if name not in (_CLONES, _POOL)}
