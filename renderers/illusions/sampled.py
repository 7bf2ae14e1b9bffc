"""Warps that look at the picture at other positions: nearest cell, or the four around it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ..panorama.space import Sampling, pixel_taps
from .frames import GREY
from .lod import levels_of, lod_map
from .warp import Warp, centres

WarpSampling = Literal["nearest", "bilinear", "lod"]
WARP_SAMPLINGS: tuple[WarpSampling, ...] = ("nearest", "bilinear", "lod")


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

    sampling "nearest" repeats cells and loses others, but noise stays as strong as it was; "bilinear" mixes up to four;
    "lod" blurs where the view shows the picture smaller, and averages by detail (lod.py).
    """

    sampling: WarpSampling = "nearest"

    def __post_init__(self) -> None:
        if self.sampling not in WARP_SAMPLINGS:
            raise ValueError(f"sampling '{self.sampling}' is unknown; use one of {', '.join(WARP_SAMPLINGS)}")

    @abstractmethod
    def reads(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """float64 (row, column) [height * width]: where in the picture each view pixel looks; nan: nowhere."""

    def seen_at(self, height: int, width: int) -> tuple[Tensor, Tensor] | None:
        """float64 (row, column) [height * width]: where in the view each cell appears; nan: nowhere. None: unknown."""
        return None

    def map(self, height: int, width: int) -> LinearMap:
        if self.sampling == "lod":
            return lod_map(*self.reads(height, width), height, width)
        return sampling_map(*self.reads(height, width), height, width, self.sampling)

    def gather(self, height: int, width: int) -> LinearMap | None:
        places = self.seen_at(height, width)
        if places is None:
            return None
        if self.sampling == "nearest":
            return sampling_map(*places, height, width, "nearest")
        return _without(sampling_map(*places, height, width, "bilinear"), self.map(height, width).row_counts() == 0)

    def levels(self, height: int, width: int) -> Tensor | None:
        """float [height * width] of the view: log2 of the detail it shows there (lod.py). None: all of it."""
        return levels_of(*self.reads(height, width), height, width) if self.sampling == "lod" else None

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


def _without(gather: LinearMap, blind: Tensor) -> LinearMap:
    """A map from view pixels to cells without the pixels that see nothing: what they hold is not of the picture."""
    keep = ~blind[gather.indices.long()]
    cell, pixel = gather.row_of_entry[keep], gather.indices.long()[keep]
    return LinearMap.from_entries(gather.rows, gather.cols, cell, pixel, gather.weights[keep])
