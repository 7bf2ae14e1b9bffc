"""Where views that are made one at a time come from: what a space says of its views instead of storing their maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from .linear_map import LinearMap


@dataclass(frozen=True)
class Reading:
    """What canonical cells read in one view. cells: int64 [n], rising; pixels: a map [n, h*w]."""

    cells: Tensor
    pixels: LinearMap


@dataclass(frozen=True)
class Block:
    """A rectangle of a view that shows one of the canonical picture, cell by cell: (rows, columns) of each."""

    pixels: tuple[slice, slice]
    cells: tuple[slice, slice]


class ViewSource(Protocol):
    """N equal-sized views, each made when asked for and always the same, on the CPU.

    No value is negative. ``one_to_one``: a view reads no cell twice and every cell as it is (crops). ``background``:
    some pixels may read no cell. ``changing``: how much pixels count changes during a run.
    """

    @property
    def canonical(self) -> tuple[int, ...]: ...

    @property
    def count(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def width(self) -> int: ...

    @property
    def one_to_one(self) -> bool: ...

    @property
    def background(self) -> bool: ...

    @property
    def changing(self) -> bool: ...

    def forward(self, number: int) -> LinearMap:
        """What the pixels of a view read: [h*w, K]; rows of background are empty."""
        ...

    def gather(self, number: int) -> Reading | None:
        """What cells read in the view, where averaging asks for that too (``ViewSet.gather``)."""
        ...

    def blocks(self, number: int) -> tuple[Block, ...]:
        """The view as rectangles of the canonical picture, which are copied and added without a map; empty where it is
        none of these."""
        ...

    def weights(self, number: int, progress: float) -> Tensor:
        """float [h*w]: how much each pixel counts at a fraction of a run."""
        ...

    def views_per_cell(self) -> Tensor | None:
        """int64 [K], where it is known without making the views."""
        ...

    def shared_cells(self) -> Tensor | None:
        """int64 [N, N], how many cells two views both see, where it is known without making the views."""
        ...
