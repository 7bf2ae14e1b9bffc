"""Frames as a batch, as users hold them, and below each other, as one canonical picture holds them."""

from __future__ import annotations

from torch import Tensor


def in_one(frames: Tensor, count: int) -> Tensor:
    """[B*T, C, (1,) h, w], T = ``count`` frames of a film after each other -> [B, C, (1,) T*h, w]."""
    if count == 1:
        return frames
    batch = frames.reshape(-1, count, *frames.shape[1:])
    return batch.movedim(1, -3).flatten(-3, -2).contiguous()


def in_frames(picture: Tensor, count: int) -> Tensor:
    """The reverse of ``in_one``."""
    if count == 1:
        return picture
    split = picture.reshape(*picture.shape[:-2], count, -1, picture.shape[-1])
    return split.movedim(-3, 1).flatten(0, 1).contiguous()
