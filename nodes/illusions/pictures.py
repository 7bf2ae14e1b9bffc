"""Ambiguous pictures to look at: what each reading shows, on film, and as files for the preview in the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...renderers.illusions.film import film
from ...renderers.illusions.geometry import IllusionGeometry
from ...renderers.scene import Scene
from .. import host
from ..views.stitch import save_preview

# The longer side of a frame in the preview.
PREVIEW_SIDE = 512
# How much a picture's proportions may differ from the canvas: rounding.
_SLACK = 0.01


@dataclass(frozen=True)
class Readings:
    """An ambiguous picture with its warps. ``plain`` [N, H, W, 3]: for each reading the picture its warp gets."""

    geometry: IllusionGeometry
    plain: Tensor

    @property
    def shown(self) -> Tensor:
        """[N, H, W, 3] in [0, 1]: what is seen as each reading."""
        seen = [w.seen(p.movedim(-1, 0)).movedim(0, -1) for w, p in zip(self.warps, self.plain, strict=True)]
        return torch.stack(seen).clamp(0, 1)

    @property
    def warps(self) -> tuple[Any, ...]:
        return self.geometry.rig.warps

    def check(self, reading: int) -> int:
        """The number of a reading, or ValueError where there is none."""
        if not 0 <= reading < len(self.warps):
            names = ", ".join(f"{i} {w.name}" for i, w in enumerate(self.warps))
            raise ValueError(f"reading {reading} does not exist; use one of {names}")
        return reading


def readings_of(scene: Scene, image: Tensor) -> Readings:
    """The readings of the first picture of an IMAGE [B, H, W, C]: the canvas itself, or all its planes below each other
    as the sampler makes them; scaled where only its size is another.

    Raises ValueError for a scene of another kind or a picture of other proportions.
    """
    geometry = scene.geometry
    if not isinstance(geometry, IllusionGeometry):
        raise ValueError(f"a {scene.space.kind} has no readings; connect a CanonicalSpace of kind illusion and its rig")
    space, count = geometry.space, len(geometry.rig.warps)
    if image.shape[0] == 0:
        raise ValueError("the batch of images is empty; connect a picture")
    picture = image[:1, ..., :3].expand(-1, -1, -1, 3).float().cpu().movedim(-1, 1)
    if bool(torch.isnan(picture).any()):
        raise ValueError("the image holds NaN; a VAE in half precision often makes them: start with --fp32-vae")
    height, width = picture.shape[-2:]
    for planes in dict.fromkeys((space.planes, 1)):
        wanted = (space.height * planes, space.width)
        if abs(width * wanted[0] / (height * wanted[1]) - 1) > _SLACK:
            continue
        if (height, width) != wanted:
            picture = F.interpolate(picture, size=wanted, mode="bilinear", antialias=True)
        blended = planes > 1 or bool(geometry.rig.blend and space.planes == 1)
        plain = geometry.blended(picture)[0] if blended else picture.expand(count, -1, -1, -1)
        return Readings(geometry, plain.movedim(1, -1))
    raise ValueError(
        f"an image of {width} x {height} is not a picture of {space.width} x {space.height}; connect the stitched image"
    )


def reading_film(scene: Scene, image: Tensor, reading: int, count: int, easing: str, back: bool, hold: int) -> Tensor:
    """[n, H, W, 3]: the way from the picture to a reading (film.py)."""
    own = readings_of(scene, image)
    number = own.check(reading)
    return film(own.warps[number], own.plain[number].clamp(0, 1), count, easing, back, hold)


def save_films(scene: Scene, image: Tensor, count: int) -> list[dict[str, Any]]:
    """Write the frames of every reading but plain ones to the host's temp folder -> one entry each for the front end:
    name, prompt, prompt of the plain picture, and the files of its frames in order."""
    own = readings_of(scene, image)
    rig = own.geometry.rig
    plain = next((i for i, w in enumerate(own.warps) if w.shows_all), None)
    moving = [i for i, w in enumerate(own.warps) if not w.shows_all] or [0]
    made: list[dict[str, Any]] = []
    for number in moving:
        host.check_interrupt()
        frames = film(own.warps[number], own.plain[number].clamp(0, 1), count).movedim(-1, 1)
        shrink = PREVIEW_SIDE / max(frames.shape[-2:])
        if shrink < 1:
            size = [max(1, round(side * shrink)) for side in frames.shape[-2:]]
            frames = F.interpolate(frames, size=size, mode="bilinear", antialias=True)
        files = [save_preview(frame.clamp(0, 1), "synctweedies_illusion", "jpg") for frame in frames.movedim(1, -1)]
        made.append(
            {
                "name": own.warps[number].name,
                "prompt": rig.prompts[number] if rig.prompts else "",
                "plain": rig.prompts[plain] if rig.prompts and plain is not None else "",
                "frames": files,
            }
        )
    return made
