"""What is seen while sampling: a progress bar that counts chunks of views, and the canonical picture in the making."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from ...renderers.scene import Scene
from .. import host
from .latents import to_canonical


class LiveView:
    """Progress and preview of one run.

    The bar counts model calls, so it moves within a step that takes many chunks. How many calls a step takes is known
    after the first (second-order samplers evaluate twice). Pictures are made only where the host shows previews.
    """

    def __init__(self, model: Any | None, scene: Scene, steps: int) -> None:
        """model: the MODEL, which knows how its latents look; None shows no picture."""
        self._scene = scene
        self._steps = max(steps, 1)
        self._previewer = None if model is None else host.previewer(model)
        self._bar: Any = host.ProgressBar(self._steps)
        self._step = 0
        self._calls = 0
        self._calls_per_step = 1
        self._shown = 0.0

    def chunk(self, done: int, of: int) -> None:
        """After a chunk of views: the ``done``-th of an evaluation that takes ``of``."""
        self._calls += 1
        self._calls_per_step = max(self._calls_per_step, self._calls + of - done)
        self._show(None)

    def step(self, step: int, clean: Tensor) -> None:
        """After step ``step`` (from 0), with the clean views [B*N, C, (1,) h, w]."""
        self._step, self._calls = step + 1, 0
        picture = None
        if self._previewer is not None:
            whole = self._scene.geometry.preview(clean, lambda: to_canonical(self._scene, clean)[0])
            picture = host.preview_format(self._previewer, whole)
        self._show(picture)

    def _show(self, picture: Any) -> None:
        per_step = self._calls_per_step
        total = self._steps * per_step
        value = min(self._step * per_step + min(self._calls, per_step), total)
        # A bar that learns of more calls than it thought must not fall back.
        self._shown = max(self._shown, value / total)
        self._bar.update_absolute(max(value, math.ceil(self._shown * total - 1e-6)), total, picture)
