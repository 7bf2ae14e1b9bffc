"""Convolutions whose pictures wrap, for as long as a network is called, in whatever class of network it is.

A convolution reads beyond the border of its picture, where networks put zeros or repeat the edge. While
``WrappedLayers`` is entered, layers of this thread read what lies across the border instead. No layer is replaced and
no weight is touched, norms and attention see the picture once and nothing else, so a shifted picture gives the shifted
result to float error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ....renderers.borders import Borders

# What convolutions are given beside picture and weight, in order, and what it is where they are not.
_CONVOLUTION: dict[str, Any] = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
_TRANSPOSED: dict[str, Any] = {
    "bias": None,
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "groups": 1,
    "dilation": 1,
}

Pads = list[tuple[int, int]]
"""(before, after) of each spatial axis, first axis first."""


class WrappedLayers(TorchFunctionMode):
    """rows, columns: of what the network is called with. ``count``: how many layers were continued so far."""

    def __init__(self, borders: Borders, rows: int, columns: int) -> None:
        super().__init__()
        self.borders = Borders(borders.x, borders.y)
        self.rows, self.columns = rows, columns
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        own: Callable[..., Any] | None = getattr(self, _OWN.get(getattr(func, "__name__", ""), ""), None)
        if own is None or not args or not self._is_whole(args[0]):
            return func(*args, **(kwargs or {}))
        return own(func, *args, **(kwargs or {}))

    def _is_whole(self, picture: Any) -> bool:
        """Whether this is the whole picture at some scale, not a piece of it or something else."""
        if not isinstance(picture, Tensor) or picture.ndim < 4:
            return False
        height, width = picture.shape[-2:]
        return height * self.columns == width * self.rows and (width % self.columns == 0 or self.columns % width == 0)

    def _continued(self, picture: Tensor, pads: Pads) -> tuple[Tensor, Pads]:
        """(The picture continued across the borders that meet, the padding that is left for the others)."""
        (above, below), (left, right) = ((max(0, a), max(0, b)) for a, b in pads[-2:])
        rows = (above, below) if self.borders.y else (0, 0)
        columns = (left, right) if self.borders.x else (0, 0)
        if not any(rows) and not any(columns):
            return picture, pads
        self.count += 1
        taken = [*[(0, 0)] * (len(pads) - 2), rows, columns]
        left_over = [(a - x, b - y) for (a, b), (x, y) in zip(pads, taken, strict=True)]
        return self.borders.beyond(picture, rows, columns), left_over

    def convolution(self, func: Any, picture: Tensor, weight: Tensor, *more: Any, **named: Any) -> Tensor:
        """conv2d, conv3d."""
        given = _CONVOLUTION | dict(zip(_CONVOLUTION, more, strict=False)) | named
        pads = _pads(given.pop("padding"), weight.shape[2:], _each(given["dilation"], weight.ndim - 2))
        picture, pads = self._continued(picture, pads)
        if any(before != after for before, after in pads):
            picture, pads = F.pad(picture, _flat(pads)), [(0, 0)] * len(pads)
        return func(picture, weight, padding=[before for before, _ in pads], **given)

    def cudnn(self, func: Any, picture: Tensor, weight: Tensor, padding: Any, *args: Any, **kwargs: Any) -> Tensor:
        """torch.cudnn_convolution, which a host calls for layers that PyTorch itself is slow at."""
        picture, pads = self._continued(picture, _pads(padding, weight.shape[2:], (1,) * (weight.ndim - 2)))
        return func(picture, weight, [a for a, _ in pads], *args, **kwargs)

    def transposed(self, func: Any, picture: Tensor, weight: Tensor, *more: Any, **named: Any) -> Tensor:
        """conv_transpose2d, conv_transpose3d: what a cell adds across the border is added on the other side."""
        given = _TRANSPOSED | dict(zip(_TRANSPOSED, more, strict=False)) | named
        axes, size = weight.ndim - 2, picture.shape[-2:]
        steps, reach = _each(given["stride"], axes)[-2:], _each(given["dilation"], axes)[-2:]
        beyond = [r * (k - 1) // s + 1 for r, k, s in zip(reach, weight.shape[-2:], steps, strict=True)]
        rows, columns = (n if met else 0 for n, met in zip(beyond, (self.borders.y, self.borders.x), strict=True))
        self.count += 1
        result = func(self.borders.beyond(picture, (rows, rows), (columns, columns)), weight, **given)
        for axis, extra, step, length in zip((-2, -1), (rows, columns), steps, size, strict=True):
            if extra:
                result = result.narrow(axis, extra * step, length * step)
        return result

    def padding(
        self, func: Any, picture: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
    ) -> Tensor:
        """torch.nn.functional.pad, by which many networks pad before they convolve."""
        pads = [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=True)][::-1]
        pads = [*[(0, 0)] * (2 - len(pads)), *pads]
        picture, pads = self._continued(picture, pads)
        return func(picture, _flat(pads), mode, value) if any(any(each) for each in pads) else picture


_OWN = {
    "conv2d": "convolution",
    "conv3d": "convolution",
    "cudnn_convolution": "cudnn",
    "conv_transpose2d": "transposed",
    "conv_transpose3d": "transposed",
    "pad": "padding",
}


def _each(value: Any, axes: int) -> tuple[int, ...]:
    found = (value,) * axes if isinstance(value, int) else tuple(value)
    return found * axes if len(found) == 1 else found


def _pads(padding: Any, kernel: Sequence[int], dilation: Sequence[int]) -> Pads:
    """What a convolution's ``padding`` says."""
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding == "same":
        whole = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return [(n // 2, n - n // 2) for n in whole]
    return [(n, n) for n in _each(padding, len(kernel))]


def _flat(pads: Pads) -> list[int]:
    """As torch.nn.functional.pad wants it: last axis first."""
    return [n for each in reversed(pads) for n in each]
