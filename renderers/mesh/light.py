"""Encoded colours and linear light: pictures are encoded, what multiplies is light (IEC 61966-2-1)."""

from __future__ import annotations

import torch
from torch import Tensor


def to_srgb(value: float) -> float:
    """Linear light -> encoded; [0, 1] stays [0, 1], more than 1 is more than 1."""
    return round(12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055, 9)


def to_linear(value: float) -> float:
    """Encoded -> linear light."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def encoded(light: Tensor) -> Tensor:
    """``to_srgb`` of values >= 0."""
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


def linear(colour: Tensor) -> Tensor:
    """``to_linear`` of values >= 0."""
    return torch.where(colour <= 0.04045, colour / 12.92, ((colour.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)
