"""Backgrounds of views that show an object: painted into clean estimates, noised for canonical states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...renderers.cameras.backgrounds import Background
from ...sync_core.schedule import Trajectory
from ...sync_core.walked import Views


@dataclass(frozen=True)
class ViewBackgrounds:
    """The backgrounds of one run. model: the host's BaseModel, for its latent scale. given: None where views keep what
    they make of their background."""

    given: Background | None
    views: Views
    trajectory: Trajectory
    model: Any
    seed: int

    def paint(self, clean: Tensor, sigma: float | None) -> Tensor:
        """Clean views [B*N, C, h, w] with the backgrounds of the step at ``sigma`` (None: after the last)."""
        steps = self.trajectory.steps
        return self.paint_step(clean, steps - 1 if sigma is None else self.trajectory.step_of(sigma), steps)

    def paint_step(self, clean: Tensor, step: int, steps: int) -> Tensor:
        """The same with the backgrounds of one step of so many."""
        if self.given is None or self.views.fully_covered:
            return clean
        return clean + self.views.background_of(self._of_step(clean, step, steps) - clean)

    def noisy(self, views: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
        """Projections of a canonical state, which has no background, with one at the noise level they are at."""
        level = float(sigma.reshape(-1)[0])
        step, steps = self.trajectory.step_of(level), self.trajectory.steps
        clean = torch.zeros_like(views) if self.given is None else self._of_step(views, step, steps)
        return views + self.views.background_of(self.model.model_sampling.noise_scaling(sigma, noise, clean))

    def _of_step(self, like: Tensor, step: int, steps: int) -> Tensor:
        assert self.given is not None
        pictures = self.given.of_step(step, steps, like.shape[0], self.seed)
        if pictures.shape[1:] != like.shape[1:]:
            raise ValueError(
                f"the background has {pictures.shape[1]} channels of {pictures.shape[3]} x {pictures.shape[2]}, views "
                f"have {like.shape[1]} of {like.shape[3]} x {like.shape[2]}; connect the VAE of this model to "
                "ViewBackground"
            )
        return self.model.process_latent_in(pictures.to(like))
