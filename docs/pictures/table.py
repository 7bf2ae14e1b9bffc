"""All pictures of options, by subject, in the order of the page that shows them together."""

from __future__ import annotations

from . import illusions, models, objects, panorama, plane, steering
from .recipe import Picture

SUBJECTS: tuple[tuple[str, tuple[Picture, ...]], ...] = (
    ("Wide pictures and sampling", plane.PICTURES),
    ("Words, edits and what steers a run", steering.PICTURES),
    ("Panoramas", panorama.PICTURES),
    ("Illusions", illusions.PICTURES),
    ("Meshes and splats", objects.PICTURES),
    ("Models that come with the pack", models.PICTURES),
)
