"""What one sampling run is: its settings, its synchroniser on the device, how the sampler's tensor holds its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...renderers.scene import Scene
from ...sync_core.schedule import Trajectory
from ...sync_core.synchronizer import Synchronizer, SyncPlan, SyncState
from ...sync_core.walked import Views
from .backgrounds import ViewBackgrounds
from .rgb_domain import RgbDomain, RgbSync


@dataclass(frozen=True)
class SyncSettings:
    """What a door hands to the engine: where, how, and how many views at once (0 = from free memory)."""

    scene: Scene
    plan: SyncPlan
    views_per_batch: int = 0
    batch_index: tuple[int, ...] | None = None
    """Which pictures of a larger batch these are: each keeps its own noise, as in the host's nodes."""
    rgb: RgbDomain | None = None
    """Where averaging is done on pictures; None: on latents."""

    def __post_init__(self) -> None:
        if self.rgb is not None:
            self.rgb.check(self.plan)

    def __deepcopy__(self, memo: dict[int, Any]) -> SyncSettings:
        # The host deep-copies a model's options at every clone; the settings are immutable.
        return self


@dataclass
class Run:
    """One sampling run: the plan on this device, and the state that goes from step to step."""

    sync: Synchronizer
    trajectory: Trajectory
    frames: bool
    state: SyncState = field(default_factory=SyncState)
    rgb: RgbSync | None = None
    backgrounds: ViewBackgrounds | None = None

    def average(
        self, clean: Tensor, state: SyncState, sigma: float | None = None, finished: bool = False
    ) -> tuple[Tensor, SyncState]:
        """Make clean estimates consistent, in the domain of the step at ``sigma`` (None: of no particular step).

        finished: they are results, no longer estimates.
        """
        progress = self.trajectory.ramp(sigma)
        if self.rgb is None or not (sigma is None or self.rgb.is_due(self.trajectory, sigma)):
            clean, state = self.sync.at(progress).sync(clean, state, finished)
        else:
            clean = self.rgb(clean, self.frames, progress)
        return (clean if self.backgrounds is None else self.backgrounds.paint(clean, sigma)), state

    @property
    def views(self) -> Views:
        return self.sync.views

    def flat(self, x: Tensor) -> Tensor:
        """Drop the single frame of a 5-D latent."""
        return x.squeeze(2) if self.frames else x

    def framed(self, x: Tensor) -> Tensor:
        return x.unsqueeze(2) if self.frames else x


@dataclass(frozen=True)
class Packing:
    """How the sampler's one tensor holds the process's state: views, canonical signal, or both end to end."""

    run: Run
    batch: int
    channels: int

    @property
    def state(self) -> str:
        return self.run.sync.plan.rule.state

    def split(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """x -> (w [B*N, C, h, w], z [B, C, *canonical])."""
        views = self.run.views
        if self.state == "instance":
            return self.run.flat(x), None
        if self.state == "canonical":
            return None, x
        pixels = views.count * views.height * views.width
        flat = x.reshape(self.batch, self.channels, -1)
        w = flat[..., :pixels].reshape(self.batch, self.channels, views.count, views.height, views.width)
        w = w.transpose(1, 2).reshape(-1, self.channels, views.height, views.width)
        return w, flat[..., pixels:].reshape(self.batch, self.channels, *views.canonical)

    def join(self, w: Tensor | None, z: Tensor | None) -> Tensor:
        if self.state == "instance":
            assert w is not None
            return self.run.framed(w)
        assert z is not None
        if self.state == "canonical":
            return z
        assert w is not None
        views = self.run.views
        stacked = w.reshape(self.batch, views.count, self.channels, -1).transpose(1, 2)
        flat = [stacked.reshape(self.batch, self.channels, -1), z.reshape(self.batch, self.channels, -1)]
        return torch.cat(flat, -1)[:, :, None]

    def shown(self, x: Tensor) -> Tensor:
        """The views that a state (or a clean estimate of it) shows, in the host's shape."""
        w, z = self.split(x)
        if self.run.sync.plan.rule.result == "w":
            assert w is not None
            return self.run.framed(w)
        assert z is not None
        return self.run.framed(self.run.views.project(z))
