"""N views of one canonical signal as one stacked sparse map.

Shapes used everywhere: canonical ``z`` is ``[B, C, *canonical]`` (B canonical signals at once), a batch of views is
``[B*N, C, h, w]`` with the N views of one canonical next to each other (canonical-major), as the host's per-view
conditioning expects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from .linear_map import LinearMap, unique_groups
from .ramps import WeightRamp


class Combine(Protocol):
    """A given outright: how views become one signal when that is no weighted mean (hybrids, blended planes)."""

    def __call__(self, batch: Tensor, /) -> Tensor:
        """[B*N, C, h, w] -> [B, C, *canonical]."""
        ...

    def to(self, device: torch.device | str) -> Combine:
        """The same on another device."""
        ...


def batch_of(shape: tuple[int, ...], count: int, height: int, width: int) -> int:
    """B of a view batch [B*N, C, h, w] for N = ``count`` views. Raises ValueError when the batch is of others."""
    if shape[0] % count or (shape[2], shape[3]) != (height, width):
        raise ValueError(
            f"a batch of {shape[0]} views of {shape[3]} x {shape[2]} does not match a rig of "
            f"{count} views of {width} x {height}"
        )
    return shape[0] // count


# A background is taken out of a pixel as if it showed at least this much of the canonical signal.
FAINT = 0.25


@dataclass(frozen=True)
class Composite:
    """Of views whose pixels mix many cells, front to back, and let background through (splats).

    alpha: float [N*h*w], how much of a pixel is the canonical signal, the sum of its row. behind: int64 [N*h*w], the
    view pixel whose value is taken for what shines through there, one of the same view that shows nothing else; None:
    the pixel itself. A pixel shows f(z) + (1 - alpha) b of its background b; what is averaged is what it shows of the
    canonical signal alone, u = (v - (1 - alpha) b) / alpha.

    Averages are F^T W u / F^T W 1 over all pixels at once, so that a view counts by how much it sees of a cell; least
    squares ask F z = alpha u, held to that average by ``ridge`` (relative to the mean diagonal of F^T W F): cells that
    are hardly seen are not to make up for others; so held, ``iterations`` are enough. Shared noise: each cell gives
    its own to one pixel of a view (noise.py).
    """

    alpha: Tensor
    behind: Tensor | None = None
    ridge: float = 0.1
    iterations: int = 10

    def to(self, device: torch.device | str) -> Composite:
        behind = None if self.behind is None else self.behind.to(device)
        return replace(self, alpha=self.alpha.to(device), behind=behind)

    def front(self, pixels: Tensor) -> Tensor:
        """u above, [N*h*w, C] -> [N*h*w, C]; where little of the signal is shown, not all background is taken out: it
        would be amplified."""
        if self.behind is None:
            return pixels
        alpha = self.alpha.to(pixels)[:, None]
        share = (1 - alpha).clamp_min(0) / alpha.clamp_min(FAINT)
        return pixels + share * (pixels - pixels[self.behind.to(pixels.device)])

    def background(self, pixels: Tensor) -> Tensor:
        """(1 - alpha) b: [N*h*w, C] -> [N*h*w, C]."""
        behind = pixels if self.behind is None else pixels[self.behind.to(pixels.device)]
        return (1 - self.alpha.to(pixels)[:, None]) * behind


@dataclass(frozen=True)
class ViewSet:
    """The projection f of N equal-sized views.

    forward: rows are view pixels (view, row, column), columns are canonical cells; ``canonical``: shape of the
    canonical signal, e.g. (H, W); ``height``, ``width``: of one view; ``weights``: float [N*h*w], how much each view
    pixel counts when views are averaged (0 excludes it). ``gather``: for views whose cells may be finer than their
    pixels, a map [K, N*h*w] of what each cell reads in the views, one interpolation for every view that sees it;
    averaging uses it beside the transpose of ``forward``, which would leave such cells unseen. ``combine``: averages
    in place of the weighted mean, whichever method is asked for. ``composite``: pixels that see the canonical signal
    may show background too; None: a pixel is one or the other. ``ramp``: weights that change during a run (``at``);
    ``weights`` are then those of its beginning.
    """

    forward: LinearMap
    canonical: tuple[int, ...]
    height: int
    width: int
    weights: Tensor
    gather: LinearMap | None = None
    combine: Combine | None = None
    composite: Composite | None = None
    ramp: WeightRamp | None = None

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a view of {self.width} x {self.height} has no pixels")
        if self.forward.rows == 0:
            raise ValueError("a rig without views shows nothing; use at least one view")
        if math.prod(self.canonical) != self.forward.cols:
            raise ValueError(f"canonical shape {self.canonical} does not hold {self.forward.cols} cells")
        if self.forward.rows % (self.height * self.width):
            raise ValueError(f"{self.forward.rows} pixels are not a whole number of {self.width} x {self.height} views")
        if self.gather is not None and (self.gather.rows, self.gather.cols) != (self.cells, self.forward.rows):
            raise ValueError(f"a map of {self.gather.rows} x {self.gather.cols} does not take views to cells")
        if self.weights.shape != (self.forward.rows,):
            raise ValueError(f"{self.weights.numel()} weights for {self.forward.rows} view pixels")
        if self.composite is not None and self.composite.alpha.shape != (self.forward.rows,):
            raise ValueError(f"{self.composite.alpha.numel()} values of alpha for {self.forward.rows} view pixels")
        behind = None if self.composite is None else self.composite.behind
        if behind is not None and behind.shape != (self.forward.rows,):
            raise ValueError(f"{behind.numel()} background pixels for {self.forward.rows} view pixels")

    @property
    def count(self) -> int:
        """N, the number of views."""
        return self.forward.rows // (self.height * self.width)

    @property
    def cells(self) -> int:
        """K, the number of canonical cells."""
        return self.forward.cols

    @property
    def device(self) -> torch.device:
        """Where the maps are."""
        return self.weights.device

    @property
    def resampled(self) -> bool:
        """Whether views are more than crops of the canonical signal."""
        return self.gather is not None or self.composite is not None

    @property
    def weight_pictures(self) -> Tensor:
        """float [N, 1, h, w]: how much each view pixel counts."""
        return self.weights.reshape(self.count, 1, self.height, self.width)

    def only(self, members: tuple[int, ...]) -> ViewSet:
        """The same views, of which only some count in averages."""
        chosen = torch.zeros(self.count, 1, device=self.weights.device)
        chosen[list(members)] = 1.0
        return replace(self, weights=(self.weights.reshape(self.count, -1) * chosen).reshape(-1))

    @cached_property
    def backward(self) -> LinearMap:
        """The stored transpose of ``forward``."""
        return self.forward.transpose()

    @cached_property
    def covered(self) -> Tensor:
        """bool [N, h, w]: view pixels that see the canonical signal; the others are background."""
        return (self.forward.row_counts() > 0).reshape(self.count, self.height, self.width)

    @cached_property
    def fully_covered(self) -> bool:
        """Whether no view has background."""
        return bool(self.covered.all() if self.composite is None else (self.composite.alpha >= 1).all())

    @cached_property
    def hits(self) -> Tensor:
        """int64 [K]: how many view pixels see each cell."""
        return self.backward.row_counts()

    @cached_property
    def view_of_entry(self) -> Tensor:
        """int64 [nnz]: the view each entry of ``forward`` belongs to."""
        return self.forward.row_of_entry // (self.height * self.width)

    @cached_property
    def disjoint_rows(self) -> bool:
        """Whether, inside every view, no cell is read by two pixels (an n-to-1 mean, or a one-to-one map)."""
        key = self.view_of_entry * self.cells + self.forward.indices.long()
        return unique_groups(key)[0].numel() == key.numel()

    def _seen(self) -> tuple[Tensor, Tensor]:
        """(cell, view) of all that is seen. A cell counts when its own centre is: interpolation reads past a view's
        border, and views that only touch would seem to overlap."""
        if self.gather is None:
            return self.forward.indices.long(), self.view_of_entry
        return self.gather.row_of_entry, self.gather.indices.long() // (self.height * self.width)

    def seen_cells(self, number: int) -> Tensor:
        """bool [K]: the cells that a view sees."""
        cell, view = self._seen()
        return torch.zeros(self.cells, dtype=torch.bool).index_fill_(0, cell[view == number].cpu(), True)

    def maps(self) -> Iterator[LinearMap]:
        """What pixels read, some views at a time: here all at once."""
        yield self.forward

    def pairs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(view, cell) int64 [n] each, of whatever sees what, some views at a time: here all. A pair may come twice."""
        cell, pixel, _ = self.contributions()
        yield pixel // (self.height * self.width), cell

    def drawn(self, draw: Draw, canonical: Tensor, fresh: Fresh) -> Tensor:
        """Noise of a view batch [B*N, C, h, w] that shares ``canonical`` [B, C, *canonical], as ``draw`` makes it."""
        return draw(self, canonical, fresh, lambda: self.disjoint_rows)

    def shared_cells(self) -> Tensor:
        """int64 [N, N]: how many cells two views both see; the diagonal holds what each sees."""
        cell, view = self._seen()
        key = unique_groups(view * self.cells + cell)[0]
        view, cell = key // self.cells, key % self.cells
        shared = torch.zeros(self.count, self.count, dtype=torch.int64)
        marks = torch.zeros(self.cells, dtype=torch.bool)
        for number in range(self.count):
            own = cell[view == number]
            marks[own] = True
            shared[number] = torch.bincount(view[marks[cell]], minlength=self.count)
            marks[own] = False
        return shared

    def contributions(self) -> tuple[Tensor, Tensor, Tensor]:
        """What averaging sums over: (cell int64, view pixel int64, float weight), [n] each; a pair may occur twice."""
        own = (self.forward.indices.long(), self.forward.row_of_entry, self.forward.weights)
        if self.gather is None:
            return own
        read = (self.gather.row_of_entry, self.gather.indices.long(), self.gather.weights)
        cell, pixel, weight = (torch.cat(both) for both in zip(own, read, strict=True))
        return cell, pixel, weight

    @cached_property
    def views_per_cell(self) -> Tensor:
        """int64 [K]: how many distinct views see each cell."""
        view, cell = next(self.pairs())
        return torch.bincount(unique_groups(view * self.cells + cell)[0] % self.cells, minlength=self.cells)

    def to(self, device: torch.device | str) -> ViewSet:
        """The same views on another device."""
        if torch.device(device) == self.weights.device:
            return self
        gather = None if self.gather is None else self.gather.to(device)
        combine = None if self.combine is None else self.combine.to(device)
        composite = None if self.composite is None else self.composite.to(device)
        ramp = None if self.ramp is None else self.ramp.to(device)
        forward, weights = self.forward.to(device), self.weights.to(device)
        return ViewSet(forward, self.canonical, self.height, self.width, weights, gather, combine, composite, ramp)

    def at(self, progress: float) -> ViewSet:
        """The same views with the weights they have at a fraction of a run: 0 at the first step, 1 at the last."""
        if self.ramp is None:
            return self
        moved = replace(self, weights=self.ramp.weights(progress))
        # What is known of the maps does not depend on the weights, and costs more than they do.
        known = {k: v for k, v in self.__dict__.items() if k not in moved.__dict__}
        moved.__dict__.update(known)
        return moved

    def project(self, z: Tensor) -> Tensor:
        """f: [B, C, *canonical] -> [B*N, C, h, w]. Background pixels are 0."""
        batch, channels = z.shape[:2]
        if tuple(z.shape[2:]) != self.canonical:
            raise ValueError(f"canonical signal {tuple(z.shape[2:])} does not fit views of {self.canonical}")
        pixels = self.forward.apply(z.reshape(batch * channels, self.cells).T)
        return self.views_from_pixels(pixels, batch, channels)

    def as_pixels(self, views: Tensor) -> tuple[int, int, Tensor]:
        """A view batch as (B, C, [N*h*w, B*C]). Raises ValueError when the batch does not match the views."""
        channels, height, width = views.shape[1:]
        batch = batch_of(tuple(views.shape), self.count, self.height, self.width)
        stacked = views.reshape(batch, self.count, channels, height * width)
        return batch, channels, stacked.permute(1, 3, 0, 2).reshape(self.forward.rows, batch * channels)

    def as_canonical(self, cells: Tensor, batch: int, channels: int) -> Tensor:
        """[K, B*C] -> [B, C, *canonical]."""
        # Contiguous, as the host's own tensors are: another memory layout changes the last bits of a convolution.
        return cells.T.reshape(batch, channels, *self.canonical).contiguous()

    def views_from_pixels(self, pixels: Tensor, batch: int, channels: int) -> Tensor:
        """[N*h*w, B*C] -> [B*N, C, h, w]."""
        stacked = pixels.reshape(self.count, self.height * self.width, batch, channels).permute(2, 0, 3, 1)
        return stacked.reshape(batch * self.count, channels, self.height, self.width).contiguous()

    def background_of(self, views: Tensor) -> Tensor:
        """The view batch with what shows the canonical signal taken away: set to 0, or what shines through it."""
        if self.composite is not None:
            count, channels, pixels = self.as_pixels(views)
            return self.views_from_pixels(self.composite.background(pixels), count, channels)
        keep = ~self.covered.to(views.device)
        batch = views.shape[0] // self.count
        return views * keep.repeat(batch, 1, 1)[:, None].to(views.dtype)


Fresh = Callable[[], Tensor]
"""Draws white views [B*N, C, h, w]."""

Draw = Callable[[ViewSet, Tensor, Fresh, Callable[[], bool]], Tensor]
"""Makes noise of views, a rig's or a part of them, that shares a canonical one (noise.py). The last tells whether the
rows of all views of the rig are disjoint, when asked."""
