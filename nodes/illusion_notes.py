"""What an ambiguous image's run will do to noise that its warps do not keep, logged before it starts."""

from __future__ import annotations

import logging

from ..renderers.illusion_scene import IllusionGeometry
from ..renderers.illusions.advice import noise_notes
from .run_state import SyncSettings


def warn_of_noise(settings: SyncSettings, rows: int, columns: int) -> None:
    """Log the notes for views of rows x columns cells; nothing for other scenes, and for process 2, which keeps noise
    as strong as it is."""
    geometry = settings.scene.geometry
    if isinstance(geometry, IllusionGeometry) and settings.plan.process != 2:
        for note in noise_notes(geometry.space, geometry.rig, settings.plan.process, rows, columns):
            logging.warning("SyncTweedies: %s", note)
