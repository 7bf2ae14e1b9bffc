"""Starting and step noise that views share through the canonical signal.

``projected``    f(z_T), as in the reference (sampled at the nearest cell where f interpolates): shared, but correlated
                 where one cell feeds several pixels of a view, and too weak where a pixel is a mean of its own cells.
``independent``  white per view, nothing shared.
``polar``        U_i z_T + (I - U_i U_i^T) xi_i with the polar factor F_i = U_i H_i: exactly white in every view *and*
                 shared through z_T. The default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from .linear_map import LinearMap, unique_groups
from .views import Fresh, ViewSet
from .walked import Views

NoiseMode = Literal["polar", "projected", "independent"]
NOISE_MODES: tuple[NoiseMode, ...] = ("polar", "projected", "independent")

NoiseSampler = Callable[[Tensor, Tensor], Tensor]


def nearest_part(views: ViewSet) -> LinearMap:
    """Where noise is sampled: interpolation would colour it."""
    return strongest(views.forward)


def strongest(forward: LinearMap) -> LinearMap:
    """The map with only the strongest entry of each row."""
    if int(forward.row_counts().max()) <= 1:
        return forward
    rows = forward.row_of_entry
    # Sort by (row, -|weight|), keeping entry order among equals, and take the first of each row.
    by_weight = torch.argsort(-forward.weights.abs(), stable=True)
    order = by_weight[torch.argsort(rows[by_weight], stable=True)]
    first = torch.ones(order.numel(), dtype=torch.bool, device=order.device)
    first[1:] = rows[order][1:] != rows[order][:-1]
    chosen = order[first]
    built = LinearMap.from_entries(
        forward.rows,
        forward.cols,
        rows[chosen].cpu(),
        forward.indices[chosen].long().cpu(),
        forward.weights[chosen].cpu(),
    )
    return built.to(forward.weights.device)


def seen_noise(views: Views) -> float:
    """How strong views see white canonical noise, its own being 1: the root mean square of f(z) over the pixels that
    show mostly z, from the map itself. Where views interpolate or blend it is less; nan when no pixel shows z."""
    total = torch.zeros(2, dtype=torch.float64)
    for forward in views.maps():
        power = torch.zeros(forward.rows, dtype=torch.float64)
        shown = torch.zeros_like(power)
        rows, weights = forward.row_of_entry.cpu(), forward.weights.double().cpu()
        power.index_add_(0, rows, weights.square())
        shown.index_add_(0, rows, weights.abs())
        total += torch.stack([power[shown > 0.5].sum(), (shown > 0.5).sum().double()])
    return float((total[0] / total[1]).sqrt())


def polar_noise(views: Views, canonical: Tensor, fresh: Fresh) -> Tensor:
    """White view noise that shares ``canonical`` [B, C, *canonical]; ``fresh()`` draws white views [B*N, C, h, w].

    ``fresh`` is called only when some pixel needs more than z: duplicated cells or background. With one-to-one views
    the result is f(z) bit for bit.
    """
    return views.drawn(_polar, canonical, fresh)


def _polar(views: ViewSet, canonical: Tensor, fresh: Fresh, disjoint: Callable[[], bool]) -> Tensor:
    batch, channels = canonical.shape[:2]
    columns = canonical.reshape(batch * channels, views.cells).T
    if views.composite is not None:
        return _composited(views, owned_part(views), batch, columns, fresh())
    if disjoint():
        # F F^T is diagonal: the polar factor scales each row to norm 1 (a single weight of +-1 stays as it is).
        forward = views.forward
        power = torch.zeros(forward.rows, dtype=forward.weights.dtype, device=forward.weights.device)
        power.index_add_(0, forward.row_of_entry, forward.weights**2)
        unit = forward.with_weights(forward.weights / power.sqrt()[forward.row_of_entry])
        pixels = unit.apply(columns)
    else:
        pixels = _duplicated(views, columns, fresh)
    shared = views.views_from_pixels(pixels, batch, channels)
    if views.fully_covered:
        return shared
    return shared + views.background_of(fresh())


def owned_part(views: ViewSet) -> LinearMap:
    """Each cell given to one pixel of each view, the one that shows most of it; its entry is the root of all that the
    view shows of the cell. Rows of a view have no cell in common; pixels that were given none are empty."""
    forward, cells = views.forward, views.cells
    key = views.view_of_entry * cells + forward.indices.long()
    strength = forward.weights.abs()
    total = strength.new_zeros(views.count * cells).index_add_(0, key, strength)
    most = torch.zeros_like(total).scatter_reduce_(0, key, strength, "amax")
    entry = torch.arange(forward.nnz, device=key.device)
    first = torch.full_like(total, forward.nnz, dtype=torch.int64)
    best = strength == most[key]
    first = first.scatter_reduce_(0, key[best], entry[best], "amin")
    chosen = first[key] == entry
    counts = torch.zeros(forward.rows, dtype=torch.int64, device=key.device)
    counts.index_add_(0, forward.row_of_entry[chosen], torch.ones_like(entry[chosen]))
    offsets = torch.zeros_like(forward.offsets)
    offsets[1:] = torch.cumsum(counts, 0).to(offsets.dtype)
    return replace(forward, offsets=offsets, indices=forward.indices[chosen], weights=total[key[chosen]].sqrt())


def _composited(views: ViewSet, owned: LinearMap, batch: int, columns: Tensor, own: Tensor) -> Tensor:
    """Rows of ``owned`` are disjoint: scaled to norm 1 they are the polar factor of what a pixel shows of the canonical
    signal, alpha of its power; the rest is the pixel's own."""
    assert views.composite is not None
    power = torch.zeros(owned.rows, dtype=owned.weights.dtype, device=owned.weights.device)
    power.index_add_(0, owned.row_of_entry, owned.weights**2)
    unit = owned.with_weights(owned.weights / power.sqrt()[owned.row_of_entry])
    shared = unit.apply(columns)
    share = torch.where(power > 0, views.composite.alpha.to(power).clamp(0, 1), 0.0).to(columns)[:, None]
    _, channels, pixels = views.as_pixels(own)
    return views.views_from_pixels(share.sqrt() * shared + (1 - share).sqrt() * pixels, batch, channels)


def _duplicated(views: ViewSet, columns: Tensor, fresh: Fresh) -> Tensor:
    """One cell feeds several pixels of a view: share z / sqrt(h) among them and add what their own noise differs by."""
    nearest = nearest_part(views)
    rows = nearest.row_of_entry
    sign = nearest.weights.sign()
    key = (rows // (views.height * views.width)) * views.cells + nearest.indices.long()
    _, group, hits = unique_groups(key)
    scale = 1.0 / hits.to(nearest.weights.dtype).sqrt()
    pixels = nearest.with_weights(sign * scale[group]).apply(columns)
    _, _, own = views.as_pixels(fresh())
    own = own[rows] * sign[:, None].to(own.dtype)
    mean = torch.zeros(hits.numel(), own.shape[1], dtype=own.dtype, device=own.device)
    mean.index_add_(0, group, own)
    mean = mean / hits[:, None].to(own.dtype)
    pixels[rows] += (own - mean[group]) * sign[:, None].to(own.dtype)
    return pixels


def view_noise(views: Views, mode: NoiseMode, canonical: Tensor, fresh: Fresh) -> Tensor:
    """Noise of a view batch [B*N, C, h, w] in one of the three modes, from canonical noise [B, C, *canonical]."""
    if mode == "polar":
        return polar_noise(views, canonical, fresh)
    if mode == "independent":
        return fresh()
    if mode != "projected":
        raise ValueError(f"noise '{mode}' is unknown; use one of {', '.join(NOISE_MODES)}")
    return views.drawn(_projected, canonical, fresh)


def _projected(views: ViewSet, canonical: Tensor, fresh: Fresh, disjoint: Callable[[], bool]) -> Tensor:
    batch, channels = canonical.shape[:2]
    columns = canonical.reshape(batch * channels, views.cells).T
    sampled = views.forward
    if not disjoint():
        nearest = nearest_part(views)
        sampled = nearest.with_weights(nearest.weights.sign())
    if views.composite is not None:
        return _composited(views, sampled, batch, columns, fresh())
    shared = views.views_from_pixels(sampled.apply(columns), batch, channels)
    return shared if views.fully_covered else shared + views.background_of(fresh())


def canonical_noise_sampler(views: Views, canonical: NoiseSampler, own: NoiseSampler) -> NoiseSampler:
    """A k-diffusion noise sampler for a view batch whose views share their noise.

    ``canonical(sigma, sigma_next)`` draws [B, C, *canonical]; ``own`` draws [B*N, C, h, w] and is asked only where
    views need noise of their own. Both may be Brownian: the path is then continuous in every view.
    """

    def sample(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        return polar_noise(views, canonical(sigma, sigma_next), lambda: own(sigma, sigma_next))

    return sample
