"""The canvas of an ambiguous image, and the warps it is seen through, as views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...sync_core.aggregate import Aggregator
from ...sync_core.linear_map import LinearMap
from ...sync_core.views import Combine, ViewSet
from ..cells import check_multiple
from .lod import DetailMean
from .parts import sum_of_parts
from .planes import plane_solver, with_planes
from .warp import Warp


@dataclass(frozen=True)
class Illusion:
    """A picture of ``width`` x ``height`` pixels; ``planes``: how many such pictures lie above each other, all of them
    canonical, and are blended into what the warps see (n-to-1; stored below each other as one tall picture)."""

    width: int
    height: int
    planes: int = 1

    kind = "illusion"
    wrap_x = False
    wrap_y = False
    borders = None

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("height", self.height)):
            if value < 1:
                raise ValueError(f"{name} {value} is not a picture; use at least 1 pixel")
        if self.planes < 1:
            raise ValueError(f"planes {self.planes}: use 1 (one picture), or more to blend them")

    def view_grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of one plane, and of every view, in cells of ``cell`` pixels. Raises ValueError when cells
        do not fill it: a warp cannot move a part of a cell."""
        check_multiple("picture width", self.width, cell)
        check_multiple("picture height", self.height, cell)
        return self.height // cell, self.width // cell

    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of the canonical signal: the planes below each other."""
        rows, columns = self.view_grid(cell)
        return self.planes * rows, columns


@dataclass(frozen=True)
class Warps:
    """One view per warp. ``weights``: how much each view counts (empty: all 1). ``blend``: for spaces of n planes, n
    numbers for each view, or one row for all (empty: the mean of the planes). ``prompts``: what each reading should be,
    in words (empty: nothing said)."""

    warps: tuple[Warp, ...]
    weights: tuple[float, ...] = ()
    blend: tuple[tuple[float, ...], ...] = ()
    prompts: tuple[str, ...] = ()

    kind = "warps"

    def __post_init__(self) -> None:
        if not self.warps:
            raise ValueError("a rig without warps shows nothing; add a warp, e.g. identity")
        if self.weights and len(self.weights) != len(self.warps):
            raise ValueError(f"{len(self.weights)} weights for {len(self.warps)} warps; give one for each, or none")
        if self.prompts and len(self.prompts) != len(self.warps):
            raise ValueError(f"{len(self.prompts)} prompts for {len(self.warps)} warps; give one for each, or none")
        if any(not math.isfinite(w) or w < 0 for w in self.weights) or (self.weights and not any(self.weights)):
            raise ValueError(f"weights {self.weights}: use numbers of at least 0, not all 0")

    def check(self) -> None:
        """Raise ValueError when the rig is not complete: parts that do not add up, or blends for another number of
        warps. (Rigs grow one warp at a time, so only the whole can be judged.)"""
        parts = sum_of_parts(self.warps)
        if parts is not None and (self.blend or len(set(self.weights)) > 1):
            raise ValueError("parts of a picture have no weights or blends; leave them out, or use other warps")
        if self.blend and len(self.blend) not in (1, len(self.warps)):
            raise ValueError(f"{len(self.blend)} blends for {len(self.warps)} warps; give one for each, or one for all")

    def add(self, warp: Warp, weight: float = 1.0, prompt: str = "") -> Warps:
        """The rig with one more warp."""
        count = len(self.warps)
        weights = (*(self.weights or (1.0,) * count), weight) if self.weights or weight != 1.0 else ()
        prompts = (*(self.prompts or ("",) * count), prompt) if self.prompts or prompt else ()
        return Warps((*self.warps, warp), weights, self.blend, prompts)

    def blends(self, planes: int) -> tuple[tuple[float, ...], ...]:
        """One row of ``planes`` numbers for each view. Raises ValueError for another number, or a row of zeros."""
        rows = self.blend or ((1 / planes,) * planes,)
        for row in rows:
            if len(row) != planes or not any(row) or not all(map(math.isfinite, row)):
                raise ValueError(f"blend {row} does not fit {planes} planes; give {planes} numbers, not all 0")
        return rows if len(rows) == len(self.warps) else rows * len(self.warps)

    @property
    def exact_on_latents(self) -> bool:
        """Whether every warp of a latent is the latent of the warped picture; otherwise average in the rgb domain."""
        return all(w.exact_on_latents for w in self.warps)


def illusion_views(space: Illusion, rig: Warps, rows: int, columns: int, cell: int = 1) -> ViewSet:
    """The warps' views of planes of ``rows`` x ``columns`` cells of ``cell`` pixels.

    Raises ValueError when a warp cannot take the size, or blends do not fit the planes.
    """
    rig.check()
    for warp in rig.warps:
        warp.check(rows, columns, cell)
    blends = torch.tensor(rig.blends(space.planes), dtype=torch.float64)
    flat = _flat_views(rig, rows, columns)
    if space.planes == 1 and not rig.blend:
        return flat
    if flat.combine is not None:
        raise ValueError(
            "planes do not go together with parts of a picture or sampling lod; use 1 plane, or other warps"
        )
    return with_planes(flat, blends, plane_solver(flat, blends, rig.warps))


def _flat_views(rig: Warps, rows: int, columns: int) -> ViewSet:
    size, count = rows * columns, len(rig.warps)
    maps = [w.map(rows, columns) for w in rig.warps]
    gathers = [w.gather(rows, columns) for w in rig.warps]
    factors = rig.weights or (1.0,) * count
    weights = torch.cat([f * w.weights(rows, columns) for f, w in zip(factors, rig.warps, strict=True)])
    if any(g is not None for g in gathers):
        # Asked what cells read, every view must answer: the others by their own entries, which changes no mean.
        gathers = [m.transpose() if g is None else g for m, g in zip(maps, gathers, strict=True)]
    combine: Combine | None = sum_of_parts(rig.warps) or detail_mean(rig, rows, columns)
    return ViewSet(stacked(maps), (rows, columns), rows, columns, weights, _gathered(gathers, size), combine)


def detail_mean(rig: Warps, rows: int, columns: int) -> DetailMean | None:
    """A for a rig in which some view reads by level of detail; None when there is none."""
    levels = [w.levels(rows, columns) for w in rig.warps]
    if all(level is None for level in levels):
        return None
    unwarp: list[Aggregator] = []
    seen: list[Tensor] = []
    finest: list[Tensor] = []
    for number, warp in enumerate(rig.warps):
        own = levels[number]
        gather = warp.gather(rows, columns)
        alone = ViewSet(warp.map(rows, columns), (rows, columns), rows, columns, torch.ones(rows * columns), gather)
        back = Aggregator(alone)

        def on_cells(pixels: Tensor, back: Aggregator = back) -> Tensor:
            return back(pixels.float().reshape(1, 1, rows, columns))[0, 0].abs()

        # A plain mean blurs once on each way at every step; four steps of least squares give the view 86 % of its
        # texture back instead of 56 % (cylinder), and the ridge keeps cells that are hardly seen from overshooting.
        unwarp.append(back if own is None else replace(back, method="least_squares", iterations=4, ridge=0.1))
        # A cell counts as the pixels that see it do, in the mean.
        counts = on_cells(warp.weights(rows, columns)) * back.seen.reshape(rows, columns)
        seen.append(counts * (rig.weights[number] if rig.weights else 1.0))
        finest.append(torch.zeros(rows, columns) if own is None else on_cells(own))
    return DetailMean(tuple(unwarp), torch.stack(seen), torch.stack(finest))


def stacked(maps: list[LinearMap]) -> LinearMap:
    """Maps of the same columns, one below the other."""
    starts = [0]
    for one in maps:
        starts.append(starts[-1] + one.nnz)
    offsets = torch.cat(
        [torch.zeros(1, dtype=torch.int32)] + [m.offsets[1:] + s for m, s in zip(maps, starts, strict=False)]
    )
    weights = torch.cat([m.weights for m in maps])
    return LinearMap(offsets.to(torch.int32), torch.cat([m.indices for m in maps]), weights, maps[0].cols)


def _gathered(gathers: Sequence[LinearMap | None], size: int) -> LinearMap | None:
    """Maps from one view to the cells, as one map from all views."""
    known = [(number, g) for number, g in enumerate(gathers) if g is not None]
    if not known:
        return None
    row = torch.cat([g.row_of_entry for _, g in known])
    pixel = torch.cat([g.indices.long() + number * size for number, g in known])
    weight = torch.cat([g.weights for _, g in known])
    return LinearMap.from_entries(size, len(gathers) * size, row, pixel, weight)
