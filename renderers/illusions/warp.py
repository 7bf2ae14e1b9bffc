"""What a warp is: one fixed linear map from a picture to one of its readings, and how to show it.

Cells and view pixels are both counted in raster order; a view has the picture's size. Positions are (row, column) with
the first pixel's centre at 0.5. Angles are degrees in parameters and turn clockwise, as seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from .frames import frames_between, splat

Label = Literal["permutation", "orthogonal", "linear", "not invertible"]
"""permutation: every cell is moved, bit for bit. orthogonal: also its sign changes. Both keep white noise white.
linear: cells are mixed or repeated, but all are seen. not invertible: a part of the picture is lost in this view."""


@dataclass(frozen=True)
class Warp(ABC):
    """One reading of a picture. Subclasses give ``map``; sizes are (height, width) in cells, any size unless said."""

    name: ClassVar[str]
    square: ClassVar[bool] = False
    shows_all: ClassVar[bool] = False
    """Whether this reading is seen in the picture as it is: nothing moves on the way to it."""
    exact_on_latents: ClassVar[bool] = False
    on_latents: ClassVar[str] = "it moves or mixes pixels inside a latent's cell, which turns or mixes its content"
    """Whether (and why) warping a latent is warping its picture, up to the VAE's own asymmetry."""

    @property
    def smallest(self) -> int:
        """The fewest rows and columns it can do."""
        return 1

    @abstractmethod
    def map(self, height: int, width: int) -> LinearMap:
        """The view's pixels as rows, the picture's cells as columns: [height * width] both."""

    def label(self, height: int, width: int) -> Label:
        """What this warp does to a picture of this size, read off its map."""
        return label_of(self.map(height, width))

    def weights(self, height: int, width: int) -> Tensor:
        """float32 [height * width]: how much each view pixel counts when views are averaged."""
        return torch.ones(height * width)

    def gather(self, height: int, width: int) -> LinearMap | None:
        """What each cell reads in the view, for warps whose cells may be finer than pixels (see ViewSet.gather)."""
        return None

    def levels(self, height: int, width: int) -> Tensor | None:
        """float [height * width]: log2 of how many cells each view pixel blends, for views that average by detail
        (lod.py). None: this view resolves all."""
        return None

    def part(self, picture: Tensor) -> Tensor | None:
        """The part of the picture [B, C, H, W] that this view alone decides; None: it shares all of it."""
        return None

    def problem(self, height: int, width: int) -> tuple[str, int, int] | None:
        """(what is needed, the nearest height and width that fit), or None when this size fits."""
        if self.square and height != width:
            side = max(self.smallest, min(height, width))
            return "a square", side, side
        if min(height, width) < self.smallest:
            return f"{self.smallest} rows and columns at least", max(height, self.smallest), max(width, self.smallest)
        return None

    def check(self, height: int, width: int, cell: int = 1) -> None:
        """Raise ValueError when a picture of height x width cells (of ``cell`` pixels) cannot be warped, naming the
        nearest size that can."""
        found = self.problem(height, width)
        if found is not None:
            needs, high, wide = found
            cells = "" if cell == 1 else f" (cells of {cell} pixels)"
            raise ValueError(
                f"warp {self.name} cannot take {width * cell} x {height * cell} pixels: it needs {needs}{cells}; "
                f"use {wide * cell} x {high * cell}"
            )

    def view(self, picture: Tensor) -> Tensor:
        """f: [..., H, W], centred on 0 -> the same shape. Pixels that see nothing are 0."""
        height, width = picture.shape[-2:]
        self.check(height, width)
        return _applied(self.map(height, width), picture)

    def inverse(self, view: Tensor) -> Tensor:
        """The picture whose view this is, exactly. Raises ValueError where there is none (then average, or solve by
        least squares)."""
        height, width = view.shape[-2:]
        self.check(height, width)
        label = self.label(height, width)
        if label not in ("permutation", "orthogonal"):
            raise ValueError(f"warp {self.name} is {label} at {width} x {height}: it has no exact inverse")
        return _applied(self.map(height, width).transpose(), view)

    def reading(self, picture: Tensor) -> Tensor:
        """The view of a picture [..., H, W] with values 0..1, about the middle grey (where pixels see nothing)."""
        return self.view(picture - 0.5) + 0.5

    def seen(self, picture: Tensor) -> Tensor:
        """What an onlooker sees as this reading, values 0..1: the reading, but for parts of hybrids the whole picture
        where the other parts do not go away."""
        return picture if self.shows_all else self.reading(picture)

    def frame(self, picture: Tensor, t: float) -> Tensor:
        """[C, H, W], values 0..1: the way from the picture (t = 0) to its reading (t = 1). Default: a fade."""
        return (1 - t) * picture + t * self.reading(picture)

    def frames(self, image: Tensor, count: int) -> Tensor:
        """[H, W, C], values 0..1 -> [count, H, W, C]: first the picture, last its reading, both exact (a reading
        beyond 0..1 is clamped).

        Raises ValueError below 2 frames.
        """
        picture = image.movedim(-1, 0)
        ends = (picture, self.reading(picture).clamp(0, 1))
        return frames_between(ends, lambda t: self.frame(picture, t), count).movedim(1, -1)


def map_of_order(order: Tensor) -> LinearMap:
    """The map of views whose pixels read one cell each, order int64 [pixels]."""
    size = len(order)
    return LinearMap(torch.arange(size + 1, dtype=torch.int32), order.to(torch.int32), torch.ones(size), size)


class Permutation(Warp):
    """Moves cells. Subclasses give ``rearranged``; ``positions`` is how the cells travel."""

    @abstractmethod
    def rearranged(self, grid: Tensor) -> Tensor:
        """[H, W] -> the same values where the view has them."""

    def order(self, height: int, width: int) -> Tensor:
        """int64 [height * width]: the cell that each view pixel reads."""
        return self.rearranged(torch.arange(height * width).reshape(height, width)).reshape(-1)

    def places(self, height: int, width: int) -> Tensor:
        """int64 [height * width]: the view pixel that each cell goes to."""
        return torch.argsort(self.order(height, width))

    def map(self, height: int, width: int) -> LinearMap:
        return map_of_order(self.order(height, width))

    def label(self, height: int, width: int) -> Label:
        return "permutation"

    def view(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        self.check(height, width)
        return picture.flatten(-2)[..., self.order(height, width).to(picture.device)].reshape(picture.shape)

    def inverse(self, view: Tensor) -> Tensor:
        height, width = view.shape[-2:]
        self.check(height, width)
        return view.flatten(-2)[..., self.places(height, width).to(view.device)].reshape(view.shape)

    def reading(self, picture: Tensor) -> Tensor:
        return self.view(picture)

    def positions(self, height: int, width: int, t: float) -> tuple[Tensor, Tensor]:
        """(row, column) [height * width] of every cell at time t. Default: straight to its place."""
        row, column = centres(height, width)
        place = self.places(height, width)
        return (1 - t) * row + t * row[place], (1 - t) * column + t * column[place]

    def frame(self, picture: Tensor, t: float) -> Tensor:
        height, width = picture.shape[-2:]
        return splat(picture, *self.positions(height, width, t))


def centres(height: int, width: int) -> tuple[Tensor, Tensor]:
    """float64 (row, column) [height * width] of the pixel centres."""
    index = torch.arange(height * width)
    return (index // width).double() + 0.5, (index % width).double() + 0.5


Middle = tuple[Tensor | float, Tensor | float]


def turned(row: Tensor, column: Tensor, middle: Middle, radians: Tensor | float) -> tuple[Tensor, Tensor]:
    """Positions (row, column) after a clockwise turn about ``middle`` (row, column)."""
    angle = torch.as_tensor(radians, dtype=torch.float64)
    sine, cosine = torch.sin(angle), torch.cos(angle)
    y, x = row - middle[0], column - middle[1]
    return middle[0] + sine * x + cosine * y, middle[1] + cosine * x - sine * y


def label_of(matrix: LinearMap) -> Label:
    """The label of any square map. "linear" says that every cell is seen, not that the map is well conditioned."""
    single = bool((matrix.row_counts() == 1).all())
    seen = torch.bincount(matrix.indices.long()[matrix.weights != 0], minlength=matrix.cols)
    if single and bool((seen == 1).all()) and bool((matrix.weights.abs() == 1).all()):
        return "permutation" if bool((matrix.weights == 1).all()) else "orthogonal"
    return "linear" if bool((seen > 0).all()) and bool((matrix.row_counts() > 0).all()) else "not invertible"


def _applied(matrix: LinearMap, picture: Tensor) -> Tensor:
    height, width = picture.shape[-2:]
    columns = picture.reshape(-1, height * width).T
    return matrix.to(picture.device).apply(columns).T.reshape(picture.shape).contiguous()
