"""Values in the number type of others."""

from __future__ import annotations

from torch import Tensor


def matching(value: Tensor, like: Tensor) -> Tensor:
    """``value`` in the dtype and on the device of ``like`` (dtype first: not every device has float64)."""
    return value.to(like.dtype).to(like.device)
