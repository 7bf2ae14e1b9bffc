"""Averaging the pictures of views while a model is sampled: in a chunk at a time, out as what each view sees of the
mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from ..sync_core.synchronizer import Synchronizer, SyncPlan
from ..sync_core.views import ViewSet
from ..sync_core.walked import Views, WalkedViews
from ..sync_core.walked_mean import WalkedAggregator
from .walked_pictures import WalkedPictures

# Peak main memory for one number of the maps at image resolution, built and applied. Measured: 85 to 106 for windows
# (benchmarks/bench_rgb.py), 64 to 86 for panoramas, 93 for meshes.
BYTES_PER_NUMBER = 110


class PictureMean(Protocol):
    """Takes the pictures of all views, a chunk at a time, then gives each view its part of their mean."""

    def add(self, first: int, images: Tensor) -> None:
        """Views ``first``, ``first + 1``, ... of the batch as images [n, h, w, C]."""
        ...

    def views(self, first: int, last: int) -> Tensor:
        """The consistent images [n, h, w, C] of views ``first`` to ``last - 1``, after all were added."""
        ...


class PictureMeans(Protocol):
    """The means of one run; keeps from step to step what makes the next cheaper."""

    def begin(self, total: int, progress: float) -> PictureMean:
        """The mean of a batch of ``total`` pictures, ``progress`` (0 to 1) into the run. Raises ValueError when it
        exceeds the free memory."""
        ...

    def keep(self, mean: Any) -> None:
        """After a step that is done, with its ``mean``: what the next may start from."""
        ...


@dataclass(frozen=True)
class MeanWish:
    """What is to be averaged. cell: image pixels of a latent's cell. views: of the scene, by cell and how finely each
    cell is divided; free_memory: bytes of main memory."""

    plan: SyncPlan
    cell: int
    views: Callable[[int, int], Views]
    free_memory: Callable[[], float]


@dataclass
class MapMean:
    """The mean by the views' own maps at image resolution, for rigs that are more than windows. ``centre``: the value
    of a picture that maps leave alone, where their rows do not sum to 1 (a negative turns about middle grey)."""

    synchronizer: Synchronizer
    centre: float = 0.0
    _given: list[Tensor] = field(default_factory=list[Tensor])
    _synced: Tensor | None = None

    def add(self, first: int, images: Tensor) -> None:
        self._given.append(images.movedim(-1, 1).cpu() - self.centre)

    def views(self, first: int, last: int) -> Tensor:
        if self._synced is None:
            self._synced = self.synchronizer.sync(torch.cat(self._given))[0] + self.centre
            self._given.clear()
        return self._synced[first:last].movedim(1, -1)


@dataclass(frozen=True)
class MapMeans:
    """Means by maps at image resolution, which are built once."""

    synchronizer: Synchronizer
    centre: float = 0.0

    @staticmethod
    def of(
        wish: MeanWish,
        entries: Callable[[ViewSet], tuple[int, int]],
        centre: float = 0.0,
        unchecked: bool = False,
    ) -> MapMeans:
        """Raises ValueError when the maps exceed the free memory, by an estimate.

        entries: see ``Geometry.picture_entries``. unchecked: the maps are not stored.
        """
        if not unchecked:
            coarse = wish.views(wish.cell, 1)
            assert isinstance(coarse, ViewSet), "pictures of views that are walked as latents are walked too"
            needed = numbers_of_maps(coarse, wish.cell, entries) * BYTES_PER_NUMBER
            free = wish.free_memory()
            if needed > free:
                width, height = coarse.width * wish.cell, coarse.height * wish.cell
                raise ValueError(
                    f"averaging {coarse.count} views of {width} x {height} as pictures needs about "
                    f"{needed / 2**30:.1f} GiB of main memory, {free / 2**30:.1f} are free; "
                    "use fewer or smaller views, or disconnect rgb_vae"
                )
        return MapMeans(Synchronizer(wish.plan, wish.views(wish.cell, wish.cell)), centre)

    def begin(self, total: int, progress: float) -> PictureMean:
        """See ``PictureMeans``."""
        now = self.synchronizer.at(progress)
        if isinstance(now.views, WalkedViews):
            aggregator = now.maps.aggregator
            assert isinstance(aggregator, WalkedAggregator)
            return WalkedPictures(aggregator, total // aggregator.views.count)
        return MapMean(now, self.centre)

    def keep(self, mean: PictureMean) -> None:
        """Nothing: the next step starts anew."""


def stored_entries(coarse: ViewSet) -> tuple[int, int]:
    """How many entries the maps hold: (of what views read, of what cells read)."""
    return coarse.forward.nnz, 0 if coarse.gather is None else coarse.gather.nnz


def numbers_of_maps(coarse: ViewSet, cell: int, entries: Callable[[ViewSet], tuple[int, int]]) -> int:
    """About how much the views' maps at image resolution hold, judged by ``coarse``, those of latents with ``cell``
    pixels a cell: the entries of both directions, the pixels, and the canonical cells."""
    forward, gather = entries(coarse)
    return (forward + gather + coarse.forward.rows + coarse.cells) * cell**2
