"""Flows that other nodes made, as a motion: pictures of coordinates, or pixels as networks of flow give them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .motion import Motion, places


def given_motion(given: Any, frames: Tensor, loop: bool) -> Motion:
    """The motion of a video [T, H, W, 3] by flows from each frame to the next, T - 1 of them (T where the last leads to
    the first).

    given: pictures of coordinates [n, H, W, 3 or more], where each pixel of a frame is in the next one, from the left
    edge (0) to the right (1) and from the top to the bottom; or [n, 2, H, W] or [n, H, W, 2], pixels to go. The way
    back is worked out from them. Raises ValueError for flows of another size or number, and for what is no flow.
    """
    count = len(frames)
    ahead = given_ahead(given, frames, loop)
    back = torch.stack([_reversed(ahead[number - 1]) for number in range(count)])
    return Motion.of(back, ahead, loop and count > 1)


def given_ahead(given: Any, frames: Tensor, loop: bool) -> Tensor:
    """``Motion.ahead`` as it is given. Raises ValueError as `given_motion`."""
    count, height, width = frames.shape[:3]
    ahead = _pixels(given, width, height)
    needed = count if loop else count - 1
    if len(ahead) not in (needed, count):
        more = ", and from the last to the first" if loop else ""
        raise ValueError(f"{len(ahead)} flows for {count} frames; give {needed}, from each to the next{more}")
    return torch.cat([ahead, ahead.new_zeros(1, height, width, 2)]) if len(ahead) < count else ahead


def _pixels(given: Any, width: int, height: int) -> Tensor:
    """float32 [n, H, W, 2]: pixels to go."""
    flow = torch.stack([*given]) if isinstance(given, list | tuple) else given
    if not isinstance(flow, Tensor) or flow.ndim != 4:
        raise ValueError(
            "flow is no flow: connect pictures of coordinates [frames, height, width, channels], or pixels to go "
            "[frames, 2, height, width]"
        )
    flow = flow.detach().cpu().float()
    flow = flow.movedim(1, -1) if flow.shape[1] == 2 and flow.shape[-1] != 2 else flow
    size = tuple(flow.shape[1:3])
    if size != (height, width) or flow.shape[-1] < 2:
        raise ValueError(
            f"a flow of {size[1]} x {size[0]} for frames of {width} x {height}; make it from frames of that size"
        )
    if not bool(torch.isfinite(flow).all()):
        raise ValueError("the flow holds values that are no numbers; make it anew, or mend its picture")
    if flow.shape[-1] == 2:
        return flow.contiguous()
    across = flow[..., 0] * width - 0.5 - torch.arange(width)
    return torch.stack([across, flow[..., 1] * height - 0.5 - torch.arange(height)[:, None]], -1)


def _reversed(flow: Tensor) -> Tensor:
    """The flow back: each place that a pixel goes to points to where it came from; where none goes, out of the frame.
    What comes from farther covers what comes from nearer, as what is near to the camera moves more."""
    height, width = flow.shape[:2]
    row, column = (place.round().long() for place in places(flow))
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    there = (row * width + column)[inside]
    way, far = flow[inside], flow[inside].square().sum(-1)
    farthest = torch.full((height * width,), -1.0).scatter_reduce_(0, there, far, "amax")
    first = far >= farthest[there]
    back = torch.full((height * width, 2), -2.0 * (height + width))
    back[there[first]] = -way[first]
    return back.reshape(height, width, 2)
