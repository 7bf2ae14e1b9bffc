"""Which floating point type to add things up in."""

import torch
from torch import Tensor


def accumulator_dtype(device: torch.device) -> torch.dtype:
    """float64 where the device has it; float32 on Apple's MPS, which does not."""
    return torch.float32 if device.type == "mps" else torch.float64


def matching(value: Tensor, like: Tensor) -> Tensor:
    """``value`` in the dtype and on the device of ``like`` (dtype first: not every device has float64)."""
    return value.to(like.dtype).to(like.device)
