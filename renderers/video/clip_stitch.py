"""Clips as pictures: cut from the frames of a video, and joined to them again, one frame at a time.

Memory is that of the video and one frame.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..plane.space import taper_weights, window_weights
from ..plane.stitch import cut_windows
from .clips import ClipPlacement, Clips


def picture_frames(clips: ClipPlacement, rig: Clips, frames: int, clip: int) -> list[int]:
    """The frames of a video of ``frames`` that a clip shows as pictures. (The last picture of a latent frame is the one
    picture of a clip that begins there.)"""
    first = clips.starts[clip] * rig.joined
    return [(first + at) % frames for at in range(rig.length)]


def cut_clips(clips: ClipPlacement, rig: Clips, frames: Tensor) -> Tensor:
    """Frames [B, C, F, H, W] -> those of every clip [B*N*length, C, h, w], clip after clip, in each its windows."""
    found: list[Tensor] = []
    for number in range(len(clips.starts)):
        shown = frames[:, :, picture_frames(clips, rig, frames.shape[2], number)].movedim(2, 1)
        batch = shown.flatten(0, 1)
        seen = cut_windows(clips.frame, batch).reshape(len(shown), rig.length, clips.frame.count, *batch.shape[1:2], -1)
        found.append(seen.movedim(2, 1))
    height, width = clips.frame.height, clips.frame.width
    return torch.stack(found, 1).reshape(-1, frames.shape[1], height, width)


def stitch_clips(clips: ClipPlacement, rig: Clips, frames: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The pictures [h, w, C] of all clips, one after another -> (the video's frames below each other [F*H, W, C], how
    much they count [F*H, W]). Raises ValueError when an image is not of the clips' size, or their number is another."""
    (rows, columns), (high, wide) = clips.frame.grid, (clips.frame.height, clips.frame.width)
    taper = "flat" if rig.windows is None else rig.windows.taper
    mask, over_time = window_weights(clips.frame, taper), taper_weights(rig.length, rig.taper)
    corners = [(top, left) for top in clips.frame.rows for left in clips.frame.columns]
    shown = [picture_frames(clips, rig, frames, number) for number in range(len(clips.starts))]
    places = [(at, frame, corner) for clip in shown for corner in corners for at, frame in enumerate(clip)]
    weight = torch.zeros(frames, rows, columns)
    total: Tensor | None = None
    count = 0
    for image in images:
        if count == len(places) or tuple(image.shape[:2]) != (high, wide):
            raise ValueError(
                f"frame {count + 1} of {image.shape[1]} x {image.shape[0]} does not fit {clips.count} clips of "
                f"{rig.length} frames of {wide} x {high}; connect the decoded views of this rig, and their VAE"
            )
        if total is None:
            total = torch.zeros(frames, rows, columns, image.shape[2])
        at, frame, (top, left) = places[count]
        share = over_time[at] * mask
        total[frame, top : top + high, left : left + wide] += image.to("cpu", torch.float32) * share[..., None]
        weight[frame, top : top + high, left : left + wide] += share
        count += 1
    if total is None or count < len(places):
        raise ValueError(
            f"{count} frames for {clips.count} clips of {rig.length}; connect all views of this rig, and their VAE"
        )
    for frame in range(frames):
        total[frame] /= weight[frame, :, :, None]
    return total.flatten(0, 1), weight.flatten(0, 1)
