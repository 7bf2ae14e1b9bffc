"""Warps that look at the picture at other positions: nearest cell, or the four around it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ..panorama import SAMPLINGS, Sampling, pixel_taps
from .frames import GREY
from .warp import Warp, centres


def sampling_map(row: Tensor, column: Tensor, height: int, width: int, sampling: Sampling) -> LinearMap:
    """A map whose row i reads an image of height x width at (row, column)[i]; outside or nan it reads nothing."""
    seen = (row >= 0) & (row <= height) & (column >= 0) & (column <= width)  # nan is neither
    at = torch.nonzero(seen).squeeze(1)
    index, weight = pixel_taps(row[at], column[at], height, width, sampling)
    rows = at[:, None].expand_as(index)
    keep = weight != 0
    return LinearMap.from_entries(len(row), height * width, rows[keep], index[keep], weight[keep])


@dataclass(frozen=True)
class Sampled(Warp):
    """Subclasses give ``reads`` and, where it is known, ``seen_at``.

    sampling "nearest" repeats cells and loses others, but noise stays as strong as it was; "bilinear" mixes up to four.
    """

    sampling: Sampling = "nearest"

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLINGS:
            raise ValueError(f"sampling '{self.sampling}' is unknown; use one of {', '.join(SAMPLINGS)}")

    @abstractmethod
    def reads(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """float64 (row, column) [height * width]: where in the picture each view pixel looks; nan: nowhere."""

    def seen_at(self, height: int, width: int) -> tuple[Tensor, Tensor] | None:
        """float64 (row, column) [height * width]: where in the view each cell appears; nan: nowhere. None: unknown."""
        return None

    def map(self, height: int, width: int) -> LinearMap:
        return sampling_map(*self.reads(height, width), height, width, self.sampling)

    def gather(self, height: int, width: int) -> LinearMap | None:
        places = self.seen_at(height, width)
        return None if places is None else sampling_map(*places, height, width, self.sampling)

    def between(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        """Where view pixels look at time t. Default: further and further from their own place."""
        row, column = centres(height, width)
        to_row, to_column = self.reads(height, width)
        # A pixel that looks nowhere stays until the last moment.
        lost = torch.isnan(to_row) | torch.isnan(to_column)
        to_row, to_column = torch.where(lost, row, to_row), torch.where(lost, column, to_column)
        return (1 - t) * row + t * to_row, (1 - t) * column + t * to_column

    def frame(self, picture: Tensor, t: float) -> Tensor:
        height, width = picture.shape[-2:]
        matrix = sampling_map(*self.between(height, width, t), height, width, "bilinear")
        values = matrix.to(picture.device).apply((picture - GREY).flatten(1).T)
        return (values.T + GREY).reshape(picture.shape)
