"""Views to one picture: decoding in pieces, averaging where they overlap, and a report of how well they fit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...renderers.pictures import along_time, flat, in_frames
from ...renderers.scene import Scene
from ...sync_core.quality import between_pairs, cross_view_psnr
from ..engine.coherence.tiers import perceptual
from ..engine.latents import to_canonical
from ..engine.vae import decoded, vae_decode
from ..engine.wrapping import WrappedVAE
from ..host.objects import VAE
from ..saving import jpeg_bytes, png_bytes, save_files
from .figures import Figures, apart, figures_of

DECODES = ("view by view", "whole picture")
# Views that differ by less than this share of their contrast look alike.
_ALIKE = 0.01


def decoded_views(scene: Scene, vae: Any, samples: Tensor) -> Iterator[Tensor]:
    """Decode view latents [B*N, C, (t,) h, w] one by one -> images [H, W, 3] in [0, 1], of a clip all of its frames.

    The views are made consistent first, so that overlapping decodes differ only in what lies beyond a view's border.
    """
    whole, views = to_canonical(scene, samples)
    consistent = views.project(flat(whole))
    yield from decoded(vae, along_time(consistent, samples.shape[2]) if samples.ndim == 5 else consistent)


def decoded_whole(scene: Scene, vae: Any, samples: Tensor) -> tuple[Tensor, Tensor]:
    """View latents [B*N, C, (1,) h, w] made one picture and decoded in one piece, by a VAE that wraps where the picture
    does -> (pictures [B, H, W, C], coverage [B, H, W]). Raises ValueError without a VAE, and for a space that is no
    picture."""
    borders = scene.space.borders
    if vae is None:
        raise ValueError("nothing to decode the views with; connect vae")
    if borders is None:
        raise ValueError(
            f"a space of kind {scene.space.kind} is no picture that a VAE could decode in one piece; set decode to "
            f"{DECODES[0]}"
        )
    whole, views = to_canonical(scene, samples)
    width, height = scene.geometry.size
    pictures = vae_decode(WrappedVAE(vae, scene.space) if borders.meet else vae, whole).cpu()
    scale = pictures.shape[-2] // whole.shape[-1]
    seen = (views.views_per_cell.cpu().reshape(views.canonical) > 0).float()
    coverage = seen.repeat_interleave(scale, 0).repeat_interleave(scale, 1)[:height, :width]
    # The last cell may stick out of the picture.
    return pictures[:, :height, :width].contiguous(), coverage.expand(len(pictures), -1, -1).contiguous()


def stitch(scene: Scene, images: Iterable[Tensor], total: int, cell: int) -> tuple[Tensor, Tensor]:
    """View images [h, w, C], ``total`` of them -> (the pictures [B, H, W, C], of a video all of its frames, and
    coverage [B, H, W]: 1 seen, 0 not).

    cell: image pixels per latent cell of the model that made the views (it decides where the last window lies).
    Raises ValueError when the images do not match the rig.
    """
    count = scene.geometry.count(cell) * scene.geometry.clip.frames
    if total == 0 or total % count:
        raise ValueError(f"{total} images do not match a rig of {_views(scene, cell)}; connect all of its views")
    stream = iter(images)
    joined = [scene.geometry.stitch(cell, itertools.islice(stream, count)) for _ in range(total // count)]
    pictures = torch.stack([picture for picture, _ in joined]).movedim(-1, 1)
    seen = torch.stack([(weight > 0).float() for _, weight in joined])[:, None]
    frames = scene.geometry.frames
    return in_frames(pictures, frames).movedim(1, -1).contiguous(), in_frames(seen, frames)[:, 0]


def _views(scene: Scene, cell: int) -> str:
    count, frames = scene.geometry.count(cell), scene.geometry.clip.frames
    return f"{count} views" if frames == 1 else f"{count} clips of {frames} frames"


@dataclass(frozen=True)
class Report:
    """How well views fit together."""

    text: str
    coverage: Tensor
    """float [H, W, 3] in [0, 1]: number of views that see each pixel, dark to bright; of splats a square, one pixel a
    splat."""
    json: str
    """The figures as one JSON object (see figures.py)."""
    apart: Tensor
    """float [H, W, 3] in [0, 1], drawn as ``coverage``: how far views are from what their average shows, dark where
    they agree to the most that is found in the picture; dark all over where that is little."""
    agrees: bool
    """Whether it is dark all over."""

    @property
    def shown(self) -> list[Tensor]:
        """The pictures that say something."""
        return [self.coverage] if self.agrees else [self.coverage, self.apart]


def report(scene: Scene, samples: Tensor, vae: VAE = None) -> Report:
    """Seam ratio, cross-view PSNR, coverage, detail and noise of view samples [B*N, C, (1,) h, w], and how unlike views
    are that do not overlap. vae: LPIPS of these as pictures too, where the package and its weights are on disk."""
    given = flat(samples)
    mean = scene.mean_of_batch(tuple(samples.shape), samples.device)
    joined, views = mean(given), mean.views
    consistent = views.project(joined)
    wide, high = scene.view_size
    cell = wide // views.width
    seams = [scene.geometry.seam_ratio(picture, cell) for picture in joined]
    seam = sum(seams) / len(seams)
    peak = float(given.amax() - given.amin())
    agreement = cross_view_psnr(given, consistent, peak) if peak else math.inf
    per_cell = views.views_per_cell.cpu()
    counts = per_cell[scene.geometry.real_cells(views)]
    lines = [
        f"{views.count} views of {wide} x {high} on {scene.space.width} x {scene.space.height}",
        f"seam ratio {seam:.3f} (1 = no seam)" if math.isfinite(seam) else "seam ratio: no seams to measure",
        f"cross-view PSNR {agreement:.1f} dB"
        if math.isfinite(agreement)
        else "cross-view PSNR infinite (views agree exactly)",
        f"views per cell {int(counts.min())} to {int(counts.max())}, mean {float(counts.float().mean()):.2f}",
        f"holes {100 * float((counts == 0).float().mean()):.2f} %",
    ]
    bands = [scene.geometry.border_energy(picture, cell) for picture in joined]
    energy = tuple(sum(each) / len(bands) for each in zip(*bands, strict=True))
    figures = replace(figures_of(views, given, consistent, counts, seam, agreement), border_energy=energy)
    if vae is not None:
        figures, note = _perceived(figures, views.count, apart(views), vae, samples)
        lines += [note] if note else []
    difference = mean((given - consistent).square().mean(1, keepdim=True)).mean((0, 1)).clamp_min(0).sqrt().cpu()
    shades = _shades(difference.flatten(), per_cell, float(given.std()))
    coverage, apart_by = (
        scene.geometry.count_picture(numbers.reshape(views.canonical), cell) for numbers in (per_cell, shades)
    )
    return Report("\n".join([*lines, *figures.lines()]), coverage, figures.as_json(), apart_by, int(shades.max()) <= 1)


def _shades(difference: Tensor, seen: Tensor, contrast: float) -> Tensor:
    """Differences of cells [K] as whole numbers to draw: 0 where nobody looks, 1 where views agree, 256 at the largest
    (but for a cell in 200), and 1 everywhere where that is no hundredth of the views' contrast."""
    if not len(known := difference[seen > 0]):
        return torch.zeros_like(seen)
    largest = float(known.sort().values[min(len(known) - 1, len(known) * 199 // 200)])
    if largest < _ALIKE * contrast:
        return (seen > 0).to(seen.dtype)
    return torch.where(seen > 0, 1 + (255 * (difference / largest).clamp(max=1)).round().to(seen.dtype), 0)


def _perceived(figures: Figures, count: int, alone: tuple[int, ...], vae: VAE, samples: Tensor) -> tuple[Figures, str]:
    """The figures with LPIPS, or why it could not be measured."""
    if len(alone) < 2:
        return figures, "intra LPIPS: all views overlap"
    try:
        read = perceptual(samples.device)
    except ValueError as error:
        return figures, f"intra LPIPS: not measured ({error})"
    found: list[float] = []
    for first in range(0, len(samples), count):
        pictures = decoded(vae, samples[[first + number for number in alone]])
        features = torch.cat(
            [read(picture[None].movedim(-1, 1)[:, :3].to(samples) * 2 - 1) for picture in pictures]
        ).detach()
        found.append(between_pairs(features))
    return replace(figures, intra_lpips=sum(found) / len(found)), ""


def save_preview(picture: Tensor, prefix: str = "synctweedies_report", ending: str = "png") -> dict[str, str]:
    """Write a picture [H, W, 3] in [0, 1] to the host's temp folder -> what the front end needs to show it.
    ending: png, or jpg for pictures of which there are many."""
    height, width = picture.shape[:2]
    data = png_bytes(picture, level=1) if ending == "png" else jpeg_bytes(picture, 90)
    (shown,) = save_files(prefix, lambda stem: {f"{stem}.{ending}": data}, "temp", (width, height))
    return shown
