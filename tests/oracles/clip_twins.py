"""Clips of a video written out frame by frame, with loops and dictionaries, to compare maps with."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def starts(frames: int, length: int, stride: int, loop: bool) -> list[int]:
    """First frames of clips that cover a video, the last moved back to its end; evenly spread on a loop."""
    if loop:
        count = math.ceil(frames / stride)
        return [round(number * frames / count) for number in range(count)]
    found = list(range(0, frames - length + 1, stride))
    return found if found[-1] + length == frames else [*found, frames - length]


def cut(video: Tensor, begins: list[int], length: int) -> list[Tensor]:
    """A video [T, ...] -> its clips [length, ...]."""
    return [torch.stack([video[(begin + at) % len(video)] for at in range(length)]) for begin in begins]


def joined(clips: list[Tensor], begins: list[int], frames: int) -> Tensor:
    """The mean of clips [length, ...], which count by a sine squared of where a frame is in its clip."""
    length = len(clips[0])
    sums, weights = {}, {}
    for clip, begin in zip(clips, begins, strict=True):
        for at in range(length):
            frame, weight = (begin + at) % frames, math.sin(math.pi * (at + 0.5) / length) ** 2
            sums[frame] = sums.get(frame, 0) + weight * clip[at].double()
            weights[frame] = weights.get(frame, 0) + weight
    return torch.stack([sums[frame] / weights[frame] for frame in range(frames)])
