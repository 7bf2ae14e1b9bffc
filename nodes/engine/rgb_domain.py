"""Averaging in RGB: views are decoded, made consistent as pictures, and encoded again.

Rotated or warped latents are not the latents of the rotated or warped picture, so where views are more than crops an
average of latents is not a picture's latent. Here

    x0' = x0 + (E(sync(D(x0))) - E(D(x0)))

with decoder D and encoder E: the residual correction keeps what the VAE alone would lose, so that views which agree
already come back unchanged. What a decoder clamps away is no part of the picture and is left to each view. It costs
one decode and two encodes per view.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...renderers.picture_means import MeanWish, PictureMean, PictureMeans
from ...renderers.scene import Scene
from ...sync_core.schedule import Schedule, Trajectory
from ...sync_core.steering.readings import REDUCTIONS
from ...sync_core.synchronizer import SyncPlan
from .. import host
from .vae import check_vae, mean_encoding_vae, vae_decode, vae_encode, vae_views

# Views per call of the VAE at most: the user's cancel is seen between calls, and 8 pictures fill any device.
MOST_VIEWS = 8


@dataclass(frozen=True)
class RgbDomain:
    """Average as pictures, through this VAE, on every ``every``-th synchronised step; the others average latents."""

    vae: Any
    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"rgb_every {self.every}: use 1 (every synchronised step) or more")

    def check(self, plan: SyncPlan) -> None:
        """Raise ValueError for a plan whose averages are not clean pictures."""
        if plan.stochastic is not None:
            raise ValueError(
                "StochSync averages nothing that rgb_vae could decode; disconnect rgb_vae, or use process 2"
            )
        if plan.variance_correction:
            raise ValueError(
                f"variance_correction {plan.variance_correction:g} works on averaged latents; use 0 with rgb_vae"
            )
        if plan.aggregation in REDUCTIONS:
            raise ValueError(f"aggregation {plan.aggregation} weighs latents; use aggregation mean with rgb_vae")
        if plan.process == 2:
            return
        if plan.rule.state != "instance":
            reason = "keeps its state in the canonical latent, which no view's picture can be encoded into"
        else:
            reason = "does not average clean estimates alone, and noise is no picture to decode"
        raise ValueError(f"process {plan.process} {reason}; use process 2 with rgb_vae, or disconnect rgb_vae")


def is_rgb_step(every: int, schedule: Schedule, trajectory: Trajectory, sigma: float) -> bool:
    """Whether the step at ``sigma`` averages pictures: every k-th synchronised step, counted back from the last one,
    so that the last is always among them."""
    levels = trajectory.sigmas[:-1]
    synced = [i for i, level in enumerate(levels) if schedule.at(trajectory, level) > 0]
    step = trajectory.step_of(sigma)
    return step in synced and (len(synced) - 1 - synced.index(step)) % every == 0


_TOO_MUCH = "averaging views as pictures exhausts the memory; use fewer or smaller views, or disconnect rgb_vae"


@dataclass
class RgbSync:
    """The RGB domain of one run.

    model: the host's BaseModel, for its latent scale. views_at_once: how many views its next call will hold, for which
    memory must be left when the model is loaded again.
    """

    domain: RgbDomain
    scene: Scene
    plan: SyncPlan
    model: Any
    views_at_once: Callable[[], int] = lambda: 0
    _vae: Any = None
    _chunk: int = 0
    _means: PictureMeans | None = None

    def is_due(self, trajectory: Trajectory, sigma: float) -> bool:
        return is_rgb_step(self.domain.every, self.plan.schedule, trajectory, sigma)

    def __call__(
        self, clean: Tensor, frames: bool = False, progress: float = 0.0, source: Tensor | None = None
    ) -> Tensor:
        """Clean estimates [B*N, C, h, w] in the model's latent space -> the same, consistent as pictures.

        frames: the model's latents have an axis of one frame. progress: fraction of the run, for weights that change
        on the way (``ViewSet.at``). source: views that keep what this would take of them, at the price of doing it to
        them too. Raises ValueError when VAE and latents do not fit.
        """
        cell = self.scene.cell_of_views(tuple(clean.shape))
        self._prepare(clean, cell)
        loaded = host.loaded_models()
        result = host.within_memory(lambda: self._consistent(clean, cell, frames, progress))
        while isinstance(result, BaseException):
            if self._chunk == 1:
                raise result if isinstance(result, MemoryError) else MemoryError(_TOO_MUCH) from result
            # All over again in smaller chunks, so that both encodes of a view happen in the same one.
            self._chunk //= 2
            host.empty_cache()
            result = host.within_memory(lambda: self._consistent(clean, cell, frames, progress))
        if not bool(torch.isfinite(result).all()):
            raise ValueError(
                "rgb_vae returned NaN or infinity; start the host with --fp32-vae, or use another VAE for this model"
            )
        at_once = min(self.views_at_once() or len(clean), len(clean))
        shape = [2 * at_once, clean.shape[1], *([1] if frames else []), *clean.shape[2:]]
        host.load_models(loaded, self.model.memory_required(shape))
        return result if source is None else result + (source - self(source, frames, progress))

    def _consistent(self, clean: Tensor, cell: int, frames: bool, progress: float) -> Tensor:
        """``clean`` made consistent, in chunks of views."""
        total = clean.shape[0]
        chunks = [range(i, min(i + self._chunk, total)) for i in range(0, total, self._chunk)]
        means, mean = self._begin(total, cell, progress)
        before: list[Tensor] = []
        for rows in chunks:
            host.check_interrupt()
            images = self._decode(clean[rows.start : rows.stop], cell, frames)
            mean.add(rows.start, images)
            host.check_interrupt()
            before.append(self._encode(images, clean, frames))
        # The same chunks again, so that pictures which did not change give the same bits.
        change: list[Tensor] = []
        for rows, old in zip(chunks, before, strict=True):
            host.check_interrupt()
            change.append(self._encode(mean.views(rows.start, rows.stop), clean, frames) - old)
        means.keep(mean)
        return clean + torch.cat(change)

    def _prepare(self, clean: Tensor, cell: int) -> None:
        if self._vae is None:
            check_vae(self.domain.vae, cell, clean.shape[1])
            self._vae = mean_encoding_vae(self.domain.vae)
            fitting = vae_views(self._vae, tuple(clean.shape), cell)
            self._chunk = max(1, min(MOST_VIEWS, fitting, self.views_at_once() or MOST_VIEWS))

    def _begin(self, total: int, cell: int, progress: float) -> tuple[PictureMeans, PictureMean]:
        if self._means is None:
            free = lambda: host.free_memory(torch.device("cpu"))  # noqa: E731
            self._means = self.scene.geometry.means(MeanWish(self.plan, cell, self.scene.views, free))
        return self._means, self._means.begin(total, progress)

    def _decode(self, clean: Tensor, cell: int, frames: bool) -> Tensor:
        latent = self.model.process_latent_out(clean.unsqueeze(2) if frames else clean)
        images = vae_decode(self._vae, latent)
        expected = (clean.shape[0], clean.shape[2] * cell, clean.shape[3] * cell)
        if tuple(images.shape[:3]) != expected:
            raise ValueError(
                f"rgb_vae decodes a latent of {clean.shape[3]} x {clean.shape[2]} cells to {images.shape[2]} x "
                f"{images.shape[1]} pixels instead of {expected[2]} x {expected[1]}; connect the VAE of this model"
            )
        return images

    def _encode(self, images: Tensor, like: Tensor, frames: bool) -> Tensor:
        latent = vae_encode(self._vae, images).to(like.device, like.dtype)
        inside = self.model.process_latent_in(latent.unsqueeze(2) if frames else latent)
        return inside.squeeze(2) if frames else inside
