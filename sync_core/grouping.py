"""Typed wrapper of ``torch.unique`` (its stub has no types)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor


def unique_groups(key: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """int [n] -> (distinct values sorted [m], index of each element's value [n], count of each value [m])."""
    result = torch.unique(key, return_inverse=True, return_counts=True)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return cast(tuple[Tensor, Tensor, Tensor], result)
