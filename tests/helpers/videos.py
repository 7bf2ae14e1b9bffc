"""Small videos of which every motion is known."""

from __future__ import annotations

import math

import torch
from syncpack.renderers.globe.motion import SphereMotion
from syncpack.renderers.panorama.space import equirect_directions
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


def turned(axis: tuple[float, float, float], degrees: float) -> Tensor:
    """float64 [3, 3]: a turn about an axis."""
    x, y, z = torch.nn.functional.normalize(torch.tensor(axis, dtype=torch.float64), dim=0).tolist()
    across = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.eye(3, dtype=torch.float64) + angle.sin() * across + (1 - angle.cos()) * across @ across


def spheres(count: int, turn: Tensor, height: int = 48) -> tuple[Tensor, Tensor, Tensor]:
    """(frames [count, height, 2 * height, 3] of a camera that turns by ``turn`` from frame to frame, where the frame
    before shows what each pixel does, and the next one: directions [height, 2 * height, 3])."""
    generator = torch.Generator().manual_seed(0)
    waves = torch.randn(60, 3, generator=generator, dtype=torch.float64) * 8
    phases = torch.rand(60, 3, generator=generator, dtype=torch.float64) * 2 * math.pi
    own, frames = equirect_directions(height, 2 * height), list[Tensor]()
    looks = own
    for _ in range(count):
        at = looks @ waves.T
        frames.append(torch.stack([torch.cos(at + phases[:, channel]).sum(-1) for channel in range(3)], -1) / 30 + 0.5)
        looks = looks @ turn.T
    return torch.stack(frames).float(), own @ turn.T, own @ turn


def rolling(count: int, step: int, height: int = 48, loop: bool = False) -> SphereMotion:
    """The motion of frames that move ``step`` columns to the left from each to the next: a camera that turns right."""
    back = torch.zeros(count, height, 2 * height, 2)
    back[..., 0] = step
    return SphereMotion.of(back, -back, loop)
