"""What a run will do to noise that its views do not keep, logged before it starts."""

from __future__ import annotations

import logging

from ...renderers.scene import Scene
from ...sync_core.noise import seen_noise
from ...sync_core.processes import process
from ...sync_core.walked import Views
from .run import SyncSettings

WEAK = 0.9
"""Below this strength a model takes noise for something else."""


def weak_noise_note(scene: Scene, number: int, views: Views) -> str:
    """What to know about process ``number`` on these views, or nothing where they see its noise as strong as it is."""
    if process(number).state == "instance" or not (strength := seen_noise(views)) < WEAK:
        return ""
    nearest = scene.geometry.interpolates
    return (
        f"process {number} shows the model its canonical state, whose noise these views see at {strength:.2f} of its "
        f"strength: pictures will be flat or blurred; use process 2{', or sampling nearest' if nearest else ''}"
    )


def notes_of(settings: SyncSettings, views: Views) -> list[str]:
    """The notes for a run on these views; none for process 2, which keeps noise as strong as it is."""
    geometry, number = settings.scene.geometry, settings.plan.process
    if settings.plan.stochastic is not None or number == 2:
        return []
    notes = geometry.noise_notes(number, views.height, views.width)
    return notes or [note for note in (weak_noise_note(settings.scene, number, views),) if note]


def warn_of_noise(settings: SyncSettings, views: Views) -> None:
    """Log the notes."""
    for note in notes_of(settings, views):
        logging.warning("SyncTweedies: %s", note)
