"""Rotary positions moved after the fact: keys that a network has turned for one place, turned on to another.

Rotary embedding (Su et al. 2021) turns pairs of a head's channels by angle = position * frequency. Turns add up: what
was turned for a position p and is turned by the angles of a shift s stands at p + s. So a view that a network placed at
the origin can be moved to where it lies on the canvas, without another word with the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rotary:
    """axes: how many channels of a head each axis of a position turns, one after another; channels behind them are not
    turned. theta: the slowest wave's length over the fastest's."""

    axes: tuple[int, ...]
    theta: float

    def angles(self, shifts: Tensor) -> Tensor:
        """float64 [rows, sum(axes) / 2]: by what shifts [rows, axes] turn each pair of channels."""
        parts = list[Tensor]()
        for axis, channels in enumerate(self.axes):
            power = torch.arange(0, channels, 2, dtype=torch.float64, device=shifts.device) / channels
            parts.append(shifts[:, axis, None].double() * self.theta**-power)
        return torch.cat(parts, 1)


@dataclass(frozen=True)
class Turn:
    """One rotation for each of some rows. cos, sin: float32 [rows, channels / 2]."""

    cos: Tensor
    sin: Tensor

    @staticmethod
    def of(angles: Tensor) -> Turn:
        # (made in double precision: far out a shift turns fast channels many times round)
        return Turn(angles.cos().float(), angles.sin().float())

    def to(self, device: torch.device) -> Turn:
        return Turn(self.cos.to(device), self.sin.to(device))

    def __getitem__(self, rows: slice) -> Turn:
        return Turn(self.cos[rows], self.sin[rows])

    def __call__(self, x: Tensor) -> Tensor:
        """[rows, heads, tokens, C], neighbouring channels being a pair: the leading channels turned."""
        cos, sin = self.cos[:, None, None], self.sin[:, None, None]
        turned = 2 * self.cos.shape[-1]
        pairs = x[..., :turned].float().reshape(*x.shape[:-1], -1, 2)
        first, second = pairs[..., 0], pairs[..., 1]
        new = torch.stack([cos * first - sin * second, sin * first + cos * second], -1).flatten(-2).to(x.dtype)
        return new if turned == x.shape[-1] else torch.cat([new, x[..., turned:]], -1)
