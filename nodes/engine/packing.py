"""How a sampler's one tensor holds what a process keeps: views, the canonical signal, or both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...sync_core.processes import Process
from ...sync_core.walked import Views


@dataclass(frozen=True)
class Packing:
    """How the sampler's one tensor holds the process's state: views, canonical signal, or both end to end.

    batch: canonical pictures. frames: whether latents have an axis of one frame.
    """

    rule: Process
    views: Views
    batch: int
    channels: int
    frames: bool

    @property
    def holds(self) -> str:
        """instance (views), canonical, or joint (both)."""
        return self.rule.state

    @property
    def views_shape(self) -> tuple[int, int, int, int]:
        return self.batch * self.views.count, self.channels, self.views.height, self.views.width

    @property
    def canonical_shape(self) -> tuple[int, ...]:
        return self.batch, self.channels, *self.views.canonical

    def flat(self, x: Tensor) -> Tensor:
        """Drop the single frame of a 5-D latent."""
        return x.squeeze(2) if self.frames else x

    def framed(self, x: Tensor) -> Tensor:
        return x.unsqueeze(2) if self.frames else x

    def split(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """x -> (w [B*N, C, h, w], z [B, C, *canonical])."""
        if self.holds == "instance":
            return self.flat(x), None
        if self.holds == "canonical":
            return None, x
        views = self.views
        pixels = views.count * views.height * views.width
        flat = x.reshape(self.batch, self.channels, -1)
        w = flat[..., :pixels].reshape(self.batch, self.channels, views.count, views.height, views.width)
        w = w.transpose(1, 2).reshape(self.views_shape)
        return w, flat[..., pixels:].reshape(self.canonical_shape)

    def join(self, w: Tensor | None, z: Tensor | None) -> Tensor:
        """The inverse of `split`."""
        if self.holds == "instance":
            assert w is not None
            return self.framed(w)
        assert z is not None
        if self.holds == "canonical":
            return z
        assert w is not None
        stacked = w.reshape(self.batch, self.views.count, self.channels, -1).transpose(1, 2)
        flat = [stacked.reshape(self.batch, self.channels, -1), z.reshape(self.batch, self.channels, -1)]
        return torch.cat(flat, -1)[:, :, None]

    def shown(self, x: Tensor) -> Tensor:
        """The views that a state (or a clean estimate of it) shows, in the host's shape."""
        w, z = self.split(x)
        if self.rule.result == "w":
            assert w is not None
            return self.framed(w)
        assert z is not None
        return self.framed(self.views.project(z))
