"""Join window images into one picture, cut a picture into windows, and average pictures of windows, without a map
of all pixels of all windows.

Joining and averaging go one window at a time: memory is that of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from .space import Placement, Taper, taper_weights


def stitch_windows(placement: Placement, taper: Taper, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """The weighted mean of window images [h, w, C], given in reading order -> (picture [H, W, C], weight [H, W]).

    The same weighted mean as aggregating over the windows as a ViewSet, without building its map.
    Raises ValueError when an image is not of the windows' size or their number is not the placement's.
    """
    rows, columns = placement.grid
    height, width = placement.height, placement.width
    mask = taper_weights(height, taper)[:, None] * taper_weights(width, taper)
    corners = [(top, left) for top in placement.rows for left in placement.columns]
    weight = torch.zeros(rows, columns)
    total: Tensor | None = None
    count = 0
    for image in images:
        if count == len(corners) or tuple(image.shape[:2]) != (height, width):
            raise ValueError(
                f"image {count + 1} of {image.shape[1]} x {image.shape[0]} does not fit "
                f"{len(corners)} windows of {width} x {height}; connect the decoded views of this rig"
            )
        if total is None:
            total = torch.zeros(rows, columns, image.shape[2])
        top, left = corners[count]
        y = (top + torch.arange(height)) % rows
        x = (left + torch.arange(width)) % columns
        part = image.to("cpu", torch.float32)
        total[y[:, None], x] += part * mask[..., None]
        weight[y[:, None], x] += mask
        count += 1
    if total is None or count < len(corners):
        raise ValueError(f"{count} images for {len(corners)} windows; connect all views of this rig")
    return total / weight[..., None], weight


def cut_windows(placement: Placement, picture: Tensor) -> Tensor:
    """A picture [B, C, H, W] on the placement's grid -> its windows [B*N, C, h, w], in reading order, B after B."""
    rows, columns = placement.grid
    windows: list[Tensor] = []
    for top in placement.rows:
        y = (top + torch.arange(placement.height, device=picture.device)) % rows
        for left in placement.columns:
            x = (left + torch.arange(placement.width, device=picture.device)) % columns
            windows.append(picture[:, :, y[:, None], x])
    return torch.stack(windows, 1).flatten(0, 1)


class WindowMean:
    """Running mean of ``batch`` canvases, each seen by the placement's windows.

    Window i of canvas b has index ``b * placement.count + i``. The same weighted mean as aggregating over the windows
    as a ViewSet, but memory is that of the canvases, not of a map over all windows' pixels. Where one window sees a
    pixel alone, its value comes back bit for bit.
    """

    def __init__(self, placement: Placement, taper: Taper, batch: int = 1) -> None:
        self._placement = placement
        self._batch = batch
        self._corners = [(top, left) for top in placement.rows for left in placement.columns]
        self._mask = taper_weights(placement.height, taper)[:, None] * taper_weights(placement.width, taper)
        self._weight = torch.zeros(placement.grid)
        self._mean: Tensor | None = None
        for corner in self._corners:
            for canvas, window in self._pieces(corner):
                self._weight[canvas] += self._mask[window]

    def add(self, first: int, images: Tensor) -> None:
        """Add windows ``first``, ``first + 1``, ... [n, h, w, C]. Each window is to be added once.

        Raises ValueError when an image is not of the windows' size.
        """
        size = (self._placement.height, self._placement.width)
        if tuple(images.shape[1:3]) != size:
            raise ValueError(
                f"windows of {images.shape[2]} x {images.shape[1]} pixels do not fit a rig of {size[1]} x {size[0]}"
            )
        if self._mean is None:
            self._mean = images.new_zeros(self._batch, *self._placement.grid, images.shape[3])
            self._weight, self._mask = self._weight.to(images), self._mask.to(images)
        for offset, image in enumerate(images):
            canvas_index, corner = self._place(first + offset)
            for canvas, window in self._pieces(corner):
                share = self._mask[window] / self._weight[canvas]
                self._mean[canvas_index][canvas] += image[window] * share[..., None]

    def views(self, first: int, last: int) -> Tensor:
        """What windows ``first`` to ``last - 1`` see of the mean of all windows added: [n, h, w, C]."""
        assert self._mean is not None, "no window was added"
        placement = self._placement
        seen = self._mean.new_empty(last - first, placement.height, placement.width, self._mean.shape[3])
        for offset, image in enumerate(seen):
            canvas_index, corner = self._place(first + offset)
            for canvas, window in self._pieces(corner):
                image[window] = self._mean[canvas_index][canvas]
        return seen

    def _place(self, index: int) -> tuple[int, tuple[int, int]]:
        return index // len(self._corners), self._corners[index % len(self._corners)]

    def _pieces(self, corner: tuple[int, int]) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
        """(part of the canvas, part of the window) pairs: one, or more where the window runs over a wrapping edge."""
        (rows, columns), placement = self._placement.grid, self._placement
        return [
            ((canvas_y, canvas_x), (window_y, window_x))
            for canvas_y, window_y in _runs(corner[0], placement.height, rows)
            for canvas_x, window_x in _runs(corner[1], placement.width, columns)
        ]


def _runs(start: int, size: int, length: int) -> list[tuple[slice, slice]]:
    """An interval on a ring of ``length`` as plain slices: (of the ring, of the interval)."""
    runs: list[tuple[slice, slice]] = []
    done = 0
    while done < size:
        at = (start + done) % length
        step = min(size - done, length - at)
        runs.append((slice(at, at + step), slice(done, done + step)))
        done += step
    return runs
