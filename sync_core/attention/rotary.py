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
    turned. thetas: for each axis the slowest wave's length over the fastest's. halves: a pair is a channel of the first
    half and the one of the second that lies as far in it, in place of two neighbours."""

    axes: tuple[int, ...]
    thetas: tuple[float, ...]
    halves: bool = False

    def angles(self, shifts: Tensor) -> Tensor:
        """float64 [rows, sum(axes) / 2]: by what shifts [rows, axes] turn each pair of channels."""
        parts = list[Tensor]()
        for axis, channels in enumerate(self.axes):
            power = torch.arange(0, channels, 2, dtype=torch.float64, device=shifts.device) / channels
            parts.append(shifts[:, axis, None].double() * self.thetas[axis] ** -power)
        return torch.cat(parts, 1)

    def turn(self, shifts: Tensor) -> Turn:
        """What moves rows by shifts [rows, axes]."""
        angles = self.angles(shifts)
        # (made in double precision: far out a shift turns fast channels many times round)
        return Turn(angles.cos().float(), angles.sin().float(), self.halves)


@dataclass(frozen=True)
class Turn:
    """One rotation for each of some rows. cos, sin: float32 [rows, channels / 2]; halves: see `Rotary`."""

    cos: Tensor
    sin: Tensor
    halves: bool = False

    def to(self, device: torch.device) -> Turn:
        return Turn(self.cos.to(device), self.sin.to(device), self.halves)

    def __call__(self, x: Tensor) -> Tensor:
        """[rows, heads, tokens, C]: the leading channels turned."""
        cos, sin = self.cos[:, None, None], self.sin[:, None, None]
        turned = 2 * self.cos.shape[-1]
        shape, between = ((2, -1), -2) if self.halves else ((-1, 2), -1)
        pairs = x[..., :turned].float().reshape(*x.shape[:-1], *shape)
        first, second = pairs.select(between, 0), pairs.select(between, 1)
        new = torch.stack([cos * first - sin * second, sin * first + cos * second], between).flatten(-2).to(x.dtype)
        return new if turned == x.shape[-1] else torch.cat([new, x[..., turned:]], -1)
