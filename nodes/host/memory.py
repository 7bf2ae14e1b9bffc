"""Devices and memory, as the host counts them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import comfy.model_management
import torch

from .wrappers import HAS_WRAPPERS, add_wrapper

# What devices and allocators say when their memory is gone, where no class of errors tells: CUDA, ROCm and XPU ("CUDA
# error: out of memory", "HIP out of memory"), MPS ("MPS backend out of memory", "Invalid buffer size"), DirectML
# ("Could not allocate tensor ... There is not enough GPU video memory available!"), the CPU ("DefaultCPUAllocator:
# can't allocate memory", "not enough memory"), cuBLAS and cuDNN (ALLOC_FAILED), C++ ("bad_alloc"), Level Zero.
_EXHAUSTED = re.compile(
    r"out[ _]of[ _](\w+[ _])?memory|can(no|')t allocate|could not allocate|failed to allocate|unable to allocate"
    r"|not enough (\w+ )*memory|insufficient memory|alloc_failed|bad_alloc|invalid buffer size|memory exhausted",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's memory, or the machine's, is exhausted, in any of the forms it has."""
    management = comfy.model_management
    exhausted: Any = management.OOM_EXCEPTION
    if isinstance(error, MemoryError) or (exhausted is not Exception and isinstance(error, exhausted)):
        return True
    known: Any = getattr(management, "is_oom", None)
    # (where a host cannot tell, its own test takes every error for one)
    if known is not None and exhausted is not Exception and known(error):
        return True
    # Errors of torch are RuntimeErrors, those of its accelerators too; some backends raise OSErrors.
    return isinstance(error, RuntimeError | OSError) and _EXHAUSTED.search(str(error)) is not None


def empty_cache() -> None:
    comfy.model_management.soft_empty_cache()


Result = TypeVar("Result")


def within_memory(call: Callable[[], Result]) -> Result | BaseException:
    """What ``call`` returns, or the error of exhausted memory (others are raised). The error comes without its
    traceback, which would keep the failed call's tensors alive while another is tried."""
    try:
        return call()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return error.with_traceback(None)


def once_more(call: Callable[[], Result], failed: str) -> Result:
    """``call()``, and once more with an emptied cache where memory ran out. Raises MemoryError(failed) after that."""
    result = within_memory(call)
    if isinstance(result, BaseException):
        empty_cache()
        result = within_memory(call)
    if isinstance(result, BaseException):
        raise MemoryError(failed) from result
    return result


def free_memory(device: torch.device) -> float:
    """Bytes free on a device, as the host counts them."""
    free: Any = comfy.model_management.get_free_memory(device)
    return float(free)


def memory_beside(model: Any) -> float:
    """Bytes that a device holds beside a fully loaded MODEL and what the host keeps for others."""
    management = comfy.model_management
    total: Any = management.get_total_memory(model.load_device)
    return float(total) - float(management.minimum_inference_memory()) - float(model.model_size())


def with_memory_estimate(model: Any, views: Callable[[Sequence[int]], int]) -> Any:
    """A clone of a MODEL whose loading makes room for ``views(shape of the batch)`` views instead of the whole batch.

    The host would reserve memory for all views at once, and push the model's weights off a small card for it.
    """
    clone = model.clone()
    if HAS_WRAPPERS:

        def prepare(executor: Any, patcher: Any, noise_shape: Sequence[int], *args: Any, **kwargs: Any) -> Any:
            return executor(patcher, [views(noise_shape), *noise_shape[1:]], *args, **kwargs)

        add_wrapper(clone, "PREPARE_SAMPLING", prepare)
        return clone

    def memory_required(input_shape: Sequence[int]) -> float:
        # The host of 2024 asks for twice the batch: with and without the prompt.
        rows = min(input_shape[0], 2 * views([max(1, input_shape[0] // 2), *input_shape[1:]]))
        return model.memory_required([rows, *input_shape[1:]])

    clone.memory_required = memory_required
    return clone


def load_device() -> torch.device:
    return comfy.model_management.get_torch_device()


def offload_device() -> torch.device:
    return comfy.model_management.unet_offload_device()


def intermediate_device() -> torch.device:
    return comfy.model_management.intermediate_device()


def loaded_models() -> list[Any]:
    """The models that the run in progress keeps on the device."""
    # (the host holds them weakly: those of earlier runs may be gone)
    return [m for m in comfy.model_management.loaded_models(only_currently_used=True) if m is not None]


def load_models(models: Sequence[Any], memory_required: float) -> None:
    """Load models again that something else pushed out, leaving that many bytes for their activations."""
    comfy.model_management.load_models_gpu(models, memory_required=int(memory_required))
