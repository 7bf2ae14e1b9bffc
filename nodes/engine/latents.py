"""Canonical LATENTs (the whole picture) to view LATENTs and back, masks included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...renderers.pictures import along_time, flat, in_frames, in_one
from ...renderers.scene import SINGLE, Scene
from ...sync_core.walked import Views
from .. import host


def empty_canonical(scene: Scene, model: Any | None, batch: int) -> dict[str, Any]:
    """An empty canonical LATENT [B, C, *grid]; without a model, of 4 channels and 8 image pixels a cell."""
    if batch < 1:
        raise ValueError(f"batch_size {batch} makes no picture; use 1 or more")
    cell = 8 if model is None else host.cell_of(model)
    channels = 4 if model is None else host.latent_channels(model)
    samples = torch.zeros(batch, channels, *scene.grid(cell), device=host.intermediate_device())
    return {"samples": as_held(scene, samples if model is None else host.fit_empty_latent(model, samples))}


def as_held(scene: Scene, samples: Tensor) -> Tensor:
    """A canonical latent [B, C, (1,) *grid] as users hold it: of a video its frames, one after the other, and of one
    that is made of clips as the model has them [B, C, T, h, w]."""
    clip = scene.geometry.clip
    if not clip.is_video:
        return in_frames(samples, scene.geometry.frames)
    if samples.ndim == 4:
        raise ValueError(SINGLE)
    return along_time(flat(samples), clip.whole)


def as_canonical(scene: Scene, samples: Tensor) -> Tensor:
    """The reverse; frames may also lie along an axis of their own [B, C, T, h, w], as video models have them. Raises
    ValueError for frames of another number."""
    frames, shape = scene.geometry.frames, tuple(samples.shape)
    if (clip := scene.geometry.clip).is_video:
        if samples.ndim == 4:
            raise ValueError(SINGLE)
        if shape[2] != clip.whole:
            raise ValueError(
                f"a latent of {shape[2]} frames for a video of {frames}, which is {clip.whole} latent frames; connect "
                f"one of {frames} frames that this model's VAE encoded, or an empty one of that length"
            )
        return flat(samples).unsqueeze(2)
    if frames == 1:
        return samples
    if samples.ndim == 5 and shape[2] != 1:
        if shape[2] != frames:
            raise ValueError(
                f"a latent of {shape[2]} frames for a video of {frames}: this VAE joins frames in time, which views of "
                "single frames cannot; encode every frame by itself (as a batch of pictures), or use VideoClips"
            )
        return samples.flatten(2, 3)
    if shape[0] % frames:
        raise ValueError(
            f"{shape[0]} latents for a video of {frames} frames; connect one for each frame, encoded by itself"
        )
    return in_one(samples, frames)


def fit_to_space(scene: Scene, samples: Tensor) -> Tensor:
    """A canonical latent, as users hold it, on the scene's grid; one cell short (encoders crop odd sizes) is filled
    from its edge.

    Raises ValueError when the latent is of another size.
    """
    samples = as_canonical(scene, samples)
    rows, columns = scene.grid(scene.cell_of_canonical(tuple(samples.shape)))
    height, width = samples.shape[-2:]
    flat = samples.reshape(-1, 1, height, width)
    padded = F.pad(flat, (0, columns - width, 0, rows - height), mode="replicate")
    return padded.reshape(*samples.shape[:-2], rows, columns)


def to_views(scene: Scene, latent: dict[str, Any]) -> dict[str, Any]:
    """A canonical LATENT (samples [B, C, (1,) *grid], noise_mask) -> the LATENT of its views, rig order, B after B."""
    samples = fit_to_space(scene, latent["samples"])
    views = scene.canvas_views(scene.cell_of_canonical(tuple(samples.shape))).to(samples.device)
    _check_memory(views, samples)
    clip, frames = scene.geometry.clip.latent, samples.ndim == 5
    projected = views.project(flat(samples))
    result = {k: v for k, v in latent.items() if k not in ("samples", "noise_mask", "batch_index")}
    result["samples"] = along_time(projected, clip) if frames else projected
    if latent.get("noise_mask") is not None:
        mask = mask_views(views, scene.geometry.mask_cells(latent["noise_mask"], views), samples.shape[0])
        # (the host takes a batch of flat masks for the frames of one video where latents have frames)
        result["noise_mask"] = along_time(mask, clip) if frames else mask
    return result


def _check_memory(views: Views, samples: Tensor) -> None:
    """Raise ValueError when the views of canonical samples exceed the free memory before anything is done with them:
    each overlap is held once for every view."""
    numbers = samples.shape[0] * samples.shape[1] * views.count * views.height * views.width
    needed, free = numbers * samples.element_size(), host.free_memory(samples.device)
    if needed > free:
        raise ValueError(
            f"{views.count} views of {views.width} x {views.height} cells make a latent of {needed / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} are free; use a rig of fewer views, e.g. windows at larger strides"
        )


def starting_latents(
    scene: Scene,
    model: Any,
    canonical: dict[str, Any] | None,
    views: dict[str, Any] | None,
    denoise: float,
    batch: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the canonical LATENT, the LATENT of its views) that a run starts from: whichever is given, or empty ones.

    Views are taken as they are, with their mask [B*N, (1,) h, w]; they need not agree. Raises ValueError when both are
    given, or none to change.
    """
    if canonical is not None and views is not None:
        raise ValueError("both canonical and views are connected; a run starts from one of them")
    if canonical is None and views is None and denoise < 1:
        raise ValueError(
            f"denoise {denoise:g} changes a picture, but none is connected; connect canonical or views, or use 1"
        )
    if views is not None:
        samples = host.fit_empty_latent(model, views["samples"])
        count = scene.views_of_batch(tuple(samples.shape)).count
        mask = views.get("noise_mask")
        mask = _over_clips(mask, scene.geometry.clip.latent)
        rows = len(mask) if mask is not None else samples.shape[0]
        if rows not in (1, count, samples.shape[0]):
            raise ValueError(f"{rows} masks for {samples.shape[0]} views; connect one for each view, in rig order")
        whole = {k: v for k, v in views.items() if k not in ("samples", "noise_mask")}
        latent = {**whole, "samples": samples}
        if mask is not None:
            latent["noise_mask"] = mask.reshape(-1, 1, *samples.shape[2:-2], *mask.shape[-2:])
        return whole, latent
    whole = canonical or empty_canonical(scene, model, batch)
    return whole, to_views(scene, {**whole, "samples": host.fit_empty_latent(model, whole["samples"])})


def _over_clips(mask: Tensor | None, frames: int) -> Tensor | None:
    """A mask of views, one picture each, or of clips with all their frames -> [n, frames, h, w]."""
    if mask is None:
        return None
    if frames > 1 and mask.ndim == 5 and mask.shape[2] == frames:
        return mask[:, 0]
    return mask.reshape(-1, 1, *mask.shape[-2:]).expand(-1, frames, -1, -1)


def keep_unmasked(scene: Scene, latent: dict[str, Any], samples: Tensor) -> Tensor:
    """A finished canonical picture ``samples`` [B, C, (1,) *grid] with what the mask of ``latent``, where the run
    started, leaves out put back.

    Views keep what their masks leave out, but where they are more than crops (``gather``) their mean is a resampled
    picture, a little softer than the one it came from.
    """
    views = scene.views(scene.cell_of_canonical(tuple(samples.shape)))
    if latent.get("noise_mask") is None or not views.resampled:
        return samples
    start = fit_to_space(scene, latent["samples"]).to(samples)
    mask = mask_on_grid(views, scene.geometry.mask_cells(latent["noise_mask"], views), samples.shape[0]).to(samples)
    mask = mask.unsqueeze(2) if samples.ndim == 5 else mask
    return samples * mask + start * (1 - mask)


def mask_views(views: Views, mask: Tensor, batch: int) -> Tensor:
    """A mask over the canonical picture, [.., H, W] at any resolution -> per view [B*N, 1, h, w].

    Scaled as the host scales masks, so that one view that is the whole picture is masked as in a plain run.
    """
    return views.project(mask_on_grid(views, mask, batch).to(views.device))


def scaled_mask(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Masks [.., H, W] at (rows, columns), as the host scales them: [n, 1, rows, columns]."""
    rows = mask.reshape(-1, 1, *mask.shape[-2:]).float()
    return rows if tuple(rows.shape[-2:]) == tuple(size) else F.interpolate(rows, size=tuple(size), mode="bilinear")


def mask_on_grid(views: Views, mask: Tensor, batch: int) -> Tensor:
    """A mask over the canonical picture, [.., H, W] at any resolution -> [B, 1, *grid]."""
    grid = scaled_mask(mask, views.canonical)
    if batch % grid.shape[0]:
        raise ValueError(f"{grid.shape[0]} masks for {batch} canonical pictures; use one mask, or one for each picture")
    return grid.repeat(batch // grid.shape[0], 1, 1, 1)


def view_latents(scene: Scene, latents: Tensor, views: Views) -> Tensor:
    """Latents of the views [N or B*N, C, (1,) h, w], or of the whole picture [B, C, (1,) *grid], as those of the views.
    Raises ValueError for latents that are neither."""
    if tuple(flat(latents).shape[-2:]) == (views.height, views.width) and latents.shape[0] % views.count == 0:
        return latents
    return to_views(scene, {"samples": latents})["samples"]


def to_canonical(scene: Scene, samples: Tensor) -> tuple[Tensor, Views]:
    """View samples [B*N, C, (t,) h, w] -> (the picture that users hold [B, C, (1,) *grid], its views)."""
    mean = scene.mean_of_batch(tuple(samples.shape), samples.device, canvas=True)
    whole = mean(flat(samples))
    return whole.unsqueeze(2) if samples.ndim == 5 else whole, mean.views
