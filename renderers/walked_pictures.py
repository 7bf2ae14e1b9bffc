"""The mean of pictures of views that are walked: in as images, out as what each view sees of the mean."""

from __future__ import annotations

import torch
from torch import Tensor

from ..sync_core.walked_mean import RunningMean, WalkedAggregator
from .arrays import split


class WalkedPictures:
    """Running mean of ``batch`` canonical pictures. View i of picture b has index ``b * N + i``.

    The mean of the aggregator, by its method; memory is that of the canonical pictures (twice for least squares) and
    one view. Where views have backgrounds, which are their own, the pictures given are kept, too.
    """

    def __init__(self, aggregator: WalkedAggregator, batch: int = 1) -> None:
        self._aggregator = aggregator
        self._batch = batch
        self._mean: RunningMean | None = None
        self._channels = 0
        self._rows: list[Tensor] = []
        self._given: dict[int, Tensor] = {}

    def add(self, first: int, images: Tensor) -> None:
        """Add views ``first``, ``first + 1``, ... [n, h, w, C]. Each view is to be added once.

        Raises ValueError when an image is not of the views' size.
        """
        views = self._aggregator.views
        if tuple(images.shape[1:3]) != (views.height, views.width):
            raise ValueError(
                f"views of {images.shape[2]} x {images.shape[1]} pixels do not fit a rig of "
                f"{views.width} x {views.height}"
            )
        images = images.to(views.device)
        if self._mean is None:
            self._channels = images.shape[3]
            self._mean = self._aggregator.begin(self._batch * self._channels, images)
        for index, image in enumerate(images, first):
            picture, number = divmod(index, views.count)
            if not views.fully_covered:
                self._given[index] = image
            self._mean.add(number, image.reshape(-1, self._channels).T.contiguous(), picture * self._channels)

    def views(self, first: int, last: int) -> Tensor:
        """What views ``first`` to ``last - 1`` see of the mean of all views added: [n, h, w, C]."""
        if not self._rows:
            assert self._mean is not None, "no view was added"
            pictures = split(self._mean.result(), self._channels)
            self._rows = [picture.T.contiguous() for picture in pictures]
            self._mean = None
        views, seen = self._aggregator.views, list[Tensor]()
        for index in range(first, last):
            picture, number = divmod(index, views.count)
            shown = views.forward(number).apply(self._rows[picture])
            if index in self._given:
                own = self._given[index].reshape(shown.shape)
                shown = torch.where(views.covered[number].reshape(-1, 1), shown, own)
            seen.append(shown)
        return torch.stack(seen).reshape(last - first, views.height, views.width, self._channels)
