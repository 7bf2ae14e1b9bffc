"""All pictures of options, by subject, in the order of the page that shows them together."""

from __future__ import annotations

from . import illusions, models, objects, panorama, plane, steering, video
from .recipe import Picture

SUBJECTS: tuple[tuple[str, tuple[Picture, ...]], ...] = (
    ("Wide pictures and sampling", plane.PICTURES),
    ("Words, edits and what steers a run", steering.PICTURES),
    ("Panoramas", panorama.PICTURES),
    ("Videos", video.PICTURES),
    ("Illusions", illusions.PICTURES),
    ("Meshes and splats", objects.PICTURES),
    ("Models that come with the pack", models.PICTURES),
)

# Tried, and no difference that a viewer would see: (node, option, why).
UNSEEN: tuple[tuple[str, str, str], ...] = (
    ("SyncTweediesSampler", "rgb_vae, rgb_every", "the pack's models have exact VAEs, with which pictures are latents"),
    ("SyncTweediesSampler", "sync_end of a plane", "windows that share their noise agree by themselves"),
    ("SyncTweediesSampler", "noise projected of a plane", "windows copy pixels: it is polar, to the last bits"),
    ("CrossViewAttention", "weight", "on the toy model's teapot it moves a few spots; the help page has figures"),
    ("MeshTextureBake", "detail", "views of 64 pixels have little that is finer than four of them"),
    ("CanonicalPrompt", "alone", "grounds and skies keep to their mask as it is; it is for objects"),
)
