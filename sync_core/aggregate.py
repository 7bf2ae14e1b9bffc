"""A o g: many views back into one canonical signal.

``mean`` is the reference's: inside one view, a cell takes the mean of the pixels that see it (hit-normalised
back-projection), then the views are averaged with the pixel weights. ``least_squares`` minimises
sum_i |W^(1/2) (f_i z - w_i)|^2 by conjugate gradients, which also inverts interpolating maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from .conjugate import conjugate_gradients
from .linear_map import LinearMap, unique_groups
from .views import ViewSet

Method = Literal["mean", "least_squares"]
METHODS: tuple[Method, ...] = ("mean", "least_squares")


def mean_map(views: ViewSet) -> LinearMap:
    """The weighted hit-mean as one map from view pixels [N*P] to cells [K].

    Coefficient of pixel p of view i at cell k: (f_pk / h_ik) w_p, divided by its sum over all i, p;
    h_ik = sum_p |f_pk| is the view's hit count (with ``gather``, what the cell reads in the view counts as f_pk too).
    Rows sum to 1 for maps without negative entries, and a cell seen by exactly one pixel gets a coefficient of exactly
    1, so that an identity view changes no bit. Composites (views.py) have no hit count: a view counts by what it sees.
    A cell that only zero-weight pixels see counts as unseen.
    """
    device = views.weights.device
    views = views.to("cpu")  # float64 below: not every device has it
    forward = views.forward
    cell, pixel, share = _hit_shares(views)
    share = share * views.weights.double()[pixel]
    total = torch.zeros(views.cells, dtype=torch.float64)
    total.index_add_(0, cell, share.abs())
    keep = share != 0
    coefficients = (share[keep] / total[cell[keep]]).to(forward.weights.dtype)
    return LinearMap.from_entries(views.cells, forward.rows, cell[keep], pixel[keep], coefficients).to(device)


def _hit_shares(views: ViewSet) -> tuple[Tensor, Tensor, Tensor]:
    """(cell, view pixel, f_pk / h_ik in float64), [n] each: what averaging sums over, before the weights. Composites
    have no hit count: f_pk itself."""
    cell, pixel, weight = views.contributions()
    weight = weight.double()
    if views.composite is not None:
        return cell, pixel, weight
    view_and_cell = pixel // (views.height * views.width) * views.cells + cell
    distinct, group, _ = unique_groups(view_and_cell)
    hits = torch.zeros(distinct.numel(), dtype=torch.float64)
    hits.index_add_(0, group, weight.abs())
    return cell, pixel, weight / hits[group].clamp_min(torch.finfo(torch.float64).tiny)


@dataclass(frozen=True)
class HitShares:
    """``mean_map`` before the weights, for weights that change at every step: which pixels a cell reads does not, and
    takes longer to find than weighing them."""

    shares: LinearMap

    @staticmethod
    def of(views: ViewSet) -> HitShares:
        own = views.to("cpu")
        cell, pixel, share = _hit_shares(own)
        shares = LinearMap.from_entries(own.cells, own.forward.rows, cell, pixel, share.to(own.forward.weights.dtype))
        return HitShares(shares.to(views.weights.device))

    def weighted(self, weights: Tensor) -> LinearMap:
        """The mean by other view weights [N*h*w]; rows of cells that only zero-weight pixels see are 0."""
        entry = self.counted(weights)
        total = self._total(entry)
        return self.shares.with_weights(entry / total.clamp_min(torch.finfo(entry.dtype).tiny)[self._row])

    def counted(self, weights: Tensor) -> Tensor:
        """What each entry counts for by view weights [N*h*w]."""
        return self.shares.weights * weights.to(self.shares.weights)[self.shares.indices.long()]

    def total(self, weights: Tensor) -> Tensor:
        """float [K]: what all pixels count for at each cell by view weights [N*h*w]."""
        return self._total(self.counted(weights))

    def best(self, weights: Tensor, pixels: int) -> Tensor:
        """float [K]: what the view counts for that counts most at each cell; ``pixels``: of a view."""
        entry, view = self.counted(weights).abs(), self.shares.indices.long() // pixels
        key, group, _ = unique_groups(view * self.shares.rows + self._row)
        each = torch.zeros(key.numel(), dtype=entry.dtype, device=entry.device).index_add_(0, group, entry)
        most = torch.zeros(self.shares.rows, dtype=entry.dtype, device=entry.device)
        return most.scatter_reduce_(0, key % self.shares.rows, each, "amax")

    @property
    def _row(self) -> Tensor:
        return self.shares.row_of_entry

    def _total(self, entry: Tensor) -> Tensor:
        total = torch.zeros(self.shares.rows, dtype=entry.dtype, device=entry.device)
        return total.index_add_(0, self._row, entry.abs())


@dataclass(frozen=True)
class Aggregator:
    """Averages view batches of one ViewSet. ``iterations``, ``ridge``: of least squares, the latter a Tikhonov floor
    relative to the mean diagonal of F^T W F; None: 30 and 1e-6, or what a composite asks for. ``shares``: of the same
    views, when they are at hand."""

    views: ViewSet
    method: Method = "mean"
    iterations: int | None = None
    tolerance: float = 1e-6
    ridge: float | None = None
    shares: HitShares | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"aggregation '{self.method}' is unknown; use one of {', '.join(METHODS)}")

    @cached_property
    def mean(self) -> LinearMap:
        return mean_map(self.views) if self.shares is None else self.shares.weighted(self.views.weights)

    @cached_property
    def total(self) -> Tensor:
        """float [K]: the summed weight of all pixels that count at a cell."""
        return self._hits.total(self.views.weights)

    @cached_property
    def best(self) -> Tensor:
        """float [K]: of the view that counts most there."""
        return self._hits.best(self.views.weights, self.views.height * self.views.width)

    @property
    def _hits(self) -> HitShares:
        return HitShares.of(self.views) if self.shares is None else self.shares

    @cached_property
    def seen(self) -> Tensor:
        """bool [K]: cells that some pixel of non-zero weight sees; the others are holes."""
        given = self.mean.with_weights(self.mean.weights.abs())
        return given.apply(torch.ones(given.cols, 1).to(given.weights))[:, 0] > 0

    def __call__(self, batch: Tensor, start: Tensor | None = None) -> Tensor:
        """[B*N, C, h, w] -> [B, C, *canonical]; holes are 0. ``start``: a canonical signal to start CG from."""
        if self.views.combine is not None:
            return self.views.combine(batch)
        count, channels, pixels = self.views.as_pixels(batch)
        if self.views.composite is not None:
            pixels = self.views.composite.front(pixels)
        cells = self.mean.apply(pixels)
        if self.method == "least_squares":
            cells = self._solve(pixels, cells, None if start is None else start.reshape(-1, self.views.cells).T)
        return self.views.as_canonical(cells, count, channels)

    def _solve(self, pixels: Tensor, mean: Tensor, start: Tensor | None) -> Tensor:
        """Jacobi-preconditioned CG on (F^T W F + ridge) z = F^T W v + ridge * mean, all columns at once."""
        forward, backward, composite = self.views.forward, self.views.backward, self.views.composite
        weight = self.views.weights.to(pixels.dtype)[:, None]
        squared = backward.with_weights(backward.weights**2)
        usual = (30, 1e-6) if composite is None else (composite.iterations, composite.ridge)
        iterations = usual[0] if self.iterations is None else self.iterations
        ridge = usual[1] if self.ridge is None else self.ridge
        diagonal = squared.apply(weight)
        floor = ridge * diagonal.mean().clamp_min(torch.finfo(pixels.dtype).tiny)
        if composite is not None:
            pixels = pixels * composite.alpha.to(pixels)[:, None]

        def normal(z: Tensor) -> Tensor:
            return backward.apply(weight * forward.apply(z)) + floor * z

        target = backward.apply(weight * pixels) + floor * mean
        first = mean if start is None else start
        return conjugate_gradients(normal, target, diagonal + floor, first, iterations, self.tolerance)
