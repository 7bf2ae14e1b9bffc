"""The canonical picture while it is sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from . import host
from .canonical_latents import to_canonical
from .run_state import SyncSettings


def canonical_callback(model: Any, settings: SyncSettings, steps: int) -> Callable[[int, Tensor, Tensor, int], None]:
    """A sampler callback that advances the progress bar and shows the stitched picture, where previews are on."""
    previewer = host.previewer(model)
    progress = host.ProgressBar(steps)

    def callback(step: int, denoised: Tensor, x: Tensor, total: int) -> None:
        picture = None
        if previewer is not None:
            whole, _ = to_canonical(settings.scene, denoised)
            picture = host.preview_format(previewer, whole)
        progress.update_absolute(min(step + 1, total), total, picture)

    return callback
