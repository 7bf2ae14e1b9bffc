"""Small videos of which every motion is known."""

from __future__ import annotations

import torch
from syncpack.renderers.video.motion import Motion, read
from torch import Tensor


def grain(size: int = 160, seed: int = 0) -> Tensor:
    """A picture [size, size, 3] with structure at every scale."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, size, size)
    for cells in (6, 12, 24, 48):
        noise = torch.rand(1, 3, cells, cells, generator=generator)
        total += torch.nn.functional.interpolate(noise, size=(size, size), mode="bicubic")
    total = (total - total.amin()) / (total.amax() - total.amin())
    return total[0].movedim(0, -1)


def window(picture: Tensor, top: float, left: float, height: int, width: int) -> Tensor:
    row, column = torch.arange(height)[:, None] + top, torch.arange(width) + left
    return read(picture, *torch.broadcast_tensors(row, column))


def panned(count: int, step: float, height: int = 48, width: int = 64) -> Tensor:
    """[count, height, width, 3]: what is shown moves ``step`` pixels to the left from frame to frame."""
    picture = grain()
    return torch.stack([window(picture, 20, 10 + step * number, height, width) for number in range(count)])


def pan(count: int, step: float, height: int = 48, width: int = 64, loop: bool = False) -> Motion:
    """The motion of ``panned``. loop: the last frame is beside the first as any is beside the next."""
    back = torch.zeros(count, height, width, 2)
    back[..., 0] = step
    return Motion.of(back, -back, loop)


def layered(count: int = 2, across: int = 6, behind: int = -3) -> tuple[Tensor, Tensor, Tensor]:
    """(frames [T, 64, 64, 3], the true way to the next frame [T, 64, 64, 2], bool [T, 64, 64]: where the disc is): a
    disc goes ``across`` pixels to the right, and what lies behind it goes by ``behind``."""
    ground, disc = grain(), grain(seed=1)
    frames, ways, masks = list[Tensor](), list[Tensor](), list[Tensor]()
    for number in range(count):
        y, x = torch.arange(64)[:, None] - 32, torch.arange(64) - (22 + across * number)
        inside = y**2 + x**2 < 13**2
        near = window(disc, 10, 70 - across * number, 64, 64) * torch.tensor([1.0, 0.6, 0.3])
        frames.append(torch.where(inside[..., None], near, window(ground, 20, 40 - behind * number, 64, 64)))
        ways.append(torch.where(inside[..., None], torch.tensor([float(across), 0]), torch.tensor([float(behind), 0])))
        masks.append(inside)
    return torch.stack(frames), torch.stack(ways), torch.stack(masks)
