"""Devices and memory, as the host counts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import comfy.model_management
import torch

from .wrappers import HAS_WRAPPERS, add_wrapper


def out_of_memory_error() -> type[BaseException] | None:
    """The exception an exhausted device raises; None where it cannot be told from others."""
    error = comfy.model_management.OOM_EXCEPTION
    return None if error is Exception else error


def empty_cache() -> None:
    comfy.model_management.soft_empty_cache()


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
    return comfy.model_management.loaded_models(only_currently_used=True)


def load_models(models: Sequence[Any], memory_required: float) -> None:
    """Load models again that something else pushed out, leaving that many bytes for their activations."""
    comfy.model_management.load_models_gpu(models, memory_required=int(memory_required))
