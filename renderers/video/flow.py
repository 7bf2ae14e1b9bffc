"""Motion between two pictures: Lucas and Kanade's least squares from coarse to fine, or OpenCV's search where asked.

"An iterative image registration technique" (Lucas and Kanade, 1981) on pyramids, begun once from rest and once from the
one shift that suits the whole picture best (phase correlation), and at every pixel the better of the two.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arrays import array_of, tensor_of
from .motion import Motion, inside, places

Method = Literal["auto", "lucas-kanade", "opencv dis"]
METHODS: tuple[Method, ...] = ("auto", "lucas-kanade", "opencv dis")

Flow = Callable[[Tensor, Tensor], Tensor]
"""(picture [3, H, W], another) -> float32 [H, W, 2]: pixels from what the first shows to where the other does."""

# Coarse pictures are no smaller than this, so that the window sees something.
_COARSEST = 12
_ROUNDS = 3
# The window's reach (standard deviation), pixels of its level.
_WINDOW = 2.2
_SOFT = 0.7


def motion_of(frames: Tensor, loop: bool, method: Method = "auto", step: Callable[[], None] = lambda: None) -> Motion:
    """The motion of a video [T, H, W, 3], values 0..1. step: called after every frame.

    Raises ValueError for a method that is none or not installed.
    """
    flow, pictures = flow_by(method), frames[..., :3].movedim(-1, 1).float()
    size = (len(frames), int(frames.shape[1]), int(frames.shape[2]))
    back, ahead = both_ways(size, loop, lambda a, b: flow(pictures[a], pictures[b]), step)
    return Motion.of(back, ahead, loop and len(frames) > 1)


def both_ways(
    size: tuple[int, int, int], loop: bool, between: Callable[[int, int], Tensor], step: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    """(back, ahead) of ``Motion`` for frames of ``size`` (number, height, width). between: the flow from one frame,
    named by its number, to another."""
    back, ahead = (torch.zeros(*size, 2) for _ in range(2))
    for number in range(0 if loop and size[0] > 1 else 1, size[0]):
        back[number] = between(number, number - 1)
        ahead[number - 1] = between(number - 1, number)
        step()
    return back, ahead


def flow_by(method: Method) -> Flow:
    if method not in METHODS:
        raise ValueError(f"method '{method}' is unknown; use one of {', '.join(METHODS)}")
    there = importlib.util.find_spec("cv2") is not None
    if method == "opencv dis" and not there:
        raise ValueError("OpenCV is not installed: pip install opencv-python-headless, or use method lucas-kanade")
    return dis if there and method != "lucas-kanade" else lucas_kanade


def dis(first: Tensor, second: Tensor) -> Tensor:
    """OpenCV's dense inverse search. See ``Flow``."""
    import cv2

    library: Any = cv2
    search = library.DISOpticalFlow_create(library.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [array_of((picture.mean(0) * 255).round().to(torch.uint8)) for picture in (first, second)]
    # (its patches are of 8 pixels; it refuses pictures that hold too few of them)
    if min(grey[0].shape) < 32:
        return lucas_kanade(first, second)

    def begun(start: Tensor) -> Tensor:
        return tensor_of(search.calc(grey[0], grey[1], array_of(start.contiguous().clone())))

    return _better(first, second, begun)


def lucas_kanade(first: Tensor, second: Tensor) -> Tensor:
    """See ``Flow``."""
    pyramid = _pyramid(first, second)
    return _better(first, second, lambda start: _descended(pyramid, start))


def _better(first: Tensor, second: Tensor, begun: Callable[[Tensor], Tensor]) -> Tensor:
    """What a search finds from rest or from the one shift that suits all, whichever fits each pixel better."""
    height, width = first.shape[1:]
    rest = begun(torch.zeros(height, width, 2))
    shift = _whole_shift(first, second)
    if not bool(shift.abs().max() >= 1):
        return rest
    other = begun(shift.expand(height, width, 2))
    closer = _misses(first, second, other) < _misses(first, second, rest)
    return torch.where(closer[..., None], other, rest)


def _pyramid(first: Tensor, second: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The two pictures [C, h, w], from coarse to fine."""
    # (read between pixels a picture is softer, which must not count as motion)
    levels = [(_around(first, _SOFT), _around(second, _SOFT))]
    while min(levels[-1][0].shape[1:]) >= 2 * _COARSEST:
        a, b = (F.interpolate(p[None], scale_factor=0.5, mode="bilinear", antialias=True)[0] for p in levels[-1])
        levels.append((a, b))
    return levels[::-1]


def _whole_shift(first: Tensor, second: Tensor) -> Tensor:
    """[2]: the one shift (right, down) in whole pixels that suits the pictures best, by the phase of their spectra."""
    height, width = first.shape[1:]
    window = torch.hann_window(height, periodic=False)[:, None] * torch.hann_window(width, periodic=False)
    fft: Any = torch.fft
    a, b = (fft.rfft2((p.mean(0) - p.mean()) * window) for p in (first, second))
    cross = b * a.conj()
    likely: Tensor = fft.irfft2(cross / cross.abs().clamp_min(1e-9), s=(height, width))
    down, right = divmod(int(likely.flatten().argmax()), width)
    down, right = ((v + n // 2) % n - n // 2 for v, n in ((down, height), (right, width)))
    return torch.tensor([float(right), float(down)])


def _descended(pyramid: list[tuple[Tensor, Tensor]], start: Tensor) -> Tensor:
    """The flow from coarse to fine, begun at ``start`` [H, W, 2]."""
    flow = start
    for level, (first, second) in enumerate(pyramid):
        size = first.shape[1:]
        if flow.shape[:2] != size:
            scale = torch.tensor([size[1] / flow.shape[1], size[0] / flow.shape[0]])
            flow = F.interpolate(flow.movedim(-1, 0)[None], size=tuple(size), mode="bilinear")[0].movedim(0, -1) * scale
        for _ in range(_ROUNDS + (2 if level == 0 else 0)):
            flow = _smoothed(flow + _step(first, second, flow))
    return flow.contiguous()


def _step(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """What least squares in a window around each pixel add to the flow, at most a pixel each way."""
    warped = _warped(second, flow)
    across, down = (a + b for a, b in zip(_slopes(first), _slopes(warped), strict=True))
    across, down, off = across / 2, down / 2, warped - first
    sums = torch.stack([across * across, across * down, down * down, across * off, down * off]).sum(1)
    sums = sums * inside(flow)
    xx, xy, yy, xt, yt = _around(sums, _WINDOW)
    floor = 1e-5 + 1e-3 * (xx + yy)
    xx, yy = xx + floor, yy + floor
    scale = -1 / (xx * yy - xy * xy)
    return (torch.stack([yy * xt - xy * yt, xx * yt - xy * xt], -1) * scale[..., None]).clamp(-1, 1)


def _smoothed(flow: Tensor) -> Tensor:
    """The median of each pixel and those around it, so that no single one runs away, a little softened: what reading
    between pixels does to grain is no motion."""
    height, width = flow.shape[:2]
    wide = _widened(_widened(flow.movedim(-1, 0), -2, 1), -1, 1)
    around = [wide[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return _around(torch.stack(around).median(0).values, 1.0).movedim(0, -1)


def _warped(picture: Tensor, flow: Tensor) -> Tensor:
    """The other picture [C, H, W], read where the flow leads."""
    (row, column), (height, width) = places(flow), flow.shape[:2]
    grid = torch.stack([(column + 0.5) * 2 / width - 1, (row + 0.5) * 2 / height - 1], -1)[None]
    return F.grid_sample(picture[None], grid, padding_mode="border", align_corners=False)[0]


def _slopes(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Across and down, [C, H, W] each, from pixels on both sides."""
    across, down = _widened(picture, -1, 1), _widened(picture, -2, 1)
    return (across[..., 2:] - across[..., :-2]) / 2, (down[:, 2:] - down[:, :-2]) / 2


def _misses(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """How far the pictures differ along the flow [H, W], around each pixel."""
    off = (_warped(second, flow) - first).square().sum(0)
    return _around(off[None], 2 * _WINDOW)[0]


def _around(values: Tensor, reach: float) -> Tensor:
    """[C, H, W], the mean around each pixel, weighted by a bell of that standard deviation."""
    radius = round(2.5 * reach)
    bell = [math.exp(-0.5 * (at / reach) ** 2) for at in range(-radius, radius + 1)]
    for axis in (-2, -1):
        wide, length = _widened(values, axis, radius), values.shape[axis]
        total = wide.narrow(axis, 0, length) * bell[0]
        for at, share in enumerate(bell[1:], 1):
            total = total + wide.narrow(axis, at, length) * share
        values = total / sum(bell)
    return values


def _widened(values: Tensor, axis: int, by: int) -> Tensor:
    """With ``by`` pixels more at both ends, as the last ones. (Convolutions and pads of the library do the same for a
    hundred times the time on small pictures: they wait for threads.)"""
    length = values.shape[axis]
    return values.index_select(axis, torch.arange(-by, length + by, device=values.device).clamp(0, length - 1))
