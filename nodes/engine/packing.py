"""How a sampler's one tensor holds what a process keeps: views, the canonical signal, or both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...renderers.pictures import along_time, flat
from ...sync_core.processes import Process
from ...sync_core.walked import Views


@dataclass(frozen=True)
class Packing:
    """How the sampler's one tensor holds the process's state: views, canonical signal, or both end to end.

    batch: canonical pictures. frames: how many latents have along an axis of their own, (in a view, on the canvas);
    None where they have none.
    """

    rule: Process
    views: Views
    batch: int
    channels: int
    frames: tuple[int, int] | None

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
        """Frames below each other: [.., C, t, h, w] -> [.., C, t*h, w]."""
        return flat(x) if self.frames else x

    def framed(self, x: Tensor) -> Tensor:
        """Views in the host's shape."""
        return along_time(x, self.frames[0]) if self.frames else x

    def framed_canvas(self, z: Tensor) -> Tensor:
        """The canonical signal in the shape that the host's noise has."""
        return along_time(z, self.frames[1]) if self.frames else z

    def split(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """x -> (w [B*N, C, h, w], z [B, C, *canonical])."""
        if self.holds == "instance":
            return self.flat(x), None
        if self.holds == "canonical":
            return None, x
        views = self.views
        pixels = views.count * views.height * views.width
        both = x.reshape(self.batch, self.channels, -1)
        w = both[..., :pixels].reshape(self.batch, self.channels, views.count, views.height, views.width)
        w = w.transpose(1, 2).reshape(self.views_shape)
        return w, both[..., pixels:].reshape(self.canonical_shape)

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
        both = [stacked.reshape(self.batch, self.channels, -1), z.reshape(self.batch, self.channels, -1)]
        return torch.cat(both, -1)[:, :, None]

    def shown(self, x: Tensor) -> Tensor:
        """The views that a state (or a clean estimate of it) shows, in the host's shape."""
        w, z = self.split(x)
        if self.rule.result == "w":
            assert w is not None
            return self.framed(w)
        assert z is not None
        return self.framed(self.views.project(z))
