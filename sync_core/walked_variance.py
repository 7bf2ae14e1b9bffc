"""Variance correction (variance.py) of views that are walked: all that is measured is summed in one walk.

While it works it holds 7 C + 7 numbers a cell of C channels, for each picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .aggregate import Aggregator
from .variance import AGREED, RADII, Seen, VarianceCorrection, box, missing_contrast, seen_by_views, smoothed
from .views import ViewSet
from .walked import as_rows
from .walked_mean import Averager, WalkedAggregator, exact_type


@dataclass(frozen=True)
class _Gain:
    """``gain`` float [K]: variance of the mean of views that disagree independently with variance 1; ``shared`` bool
    [K]: cells that several views see."""

    gain: Tensor
    shared: Tensor


@dataclass(frozen=True)
class _View:
    """One view on its own ``cells``, what it says about them (``seen.cell`` are places in ``cells``), and ``parts``
    [1, 3, h, w] (see ``VarianceCorrection``)."""

    views: ViewSet
    cells: Tensor
    seen: Seen
    parts: Tensor


@dataclass(frozen=True)
class _Measured:
    """``pictures`` [B, 7C + 1, h, w], to be averaged: for each band of scales but the last the local power of the
    agreed and of the differing part, and the agreed part; the last band's agreed part; the power of all that differs.
    ``expected`` [6, h, w]: what power is measured over, three for each of those bands. ``moments`` float64 [B, 3C + 4]:
    sums over the pixels that count, of the last band's agreed part squared, itself, the differing part squared, of
    ``parts``, and the mean power of the agreed part."""

    pictures: Tensor
    expected: Tensor
    moments: Tensor


@dataclass(frozen=True)
class WalkedVariance:
    """What ``VarianceCorrection`` is, for walked views."""

    aggregator: WalkedAggregator
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"variance_correction {self.strength:g}: use a value from 0 (off) to 1")

    @cached_property
    def _gain(self) -> _Gain:
        own = self.aggregator.views
        gain, seen = (torch.zeros(own.cells, device=own.device) for _ in range(2))
        for number in self.aggregator.counting:
            cells = own.part(number).cells
            share = self._share(number, cells)
            gain[cells] += share**2
            seen[cells] += share > 0
        return _Gain(torch.where(seen == 1, 1.0, gain), seen > 1)

    def _share(self, number: int, cells: Tensor) -> Tensor:
        """float [k]: how much of the weight of a view's cells, int64 [k], is this view's."""
        own = self.aggregator.weight_of(number, cells).float()
        return own / self.aggregator.total[cells].clamp_min(torch.finfo(torch.float32).tiny)

    def _view(self, number: int) -> _View:
        part, known = self.aggregator.views.part(number), self._gain
        seen = seen_by_views(Aggregator(part.views))
        cell = part.cells[seen.cell]
        gain = known.gain[cell]
        share = torch.where(known.shared[cell], self._share(number, part.cells)[seen.cell], 1.0)
        columns = torch.stack([torch.ones_like(gain), gain, (1 - 2 * share + gain).clamp_min(0)], 1)
        images = part.views.views_from_pixels(seen.show.apply(columns), 1, 3)
        return _View(part.views, part.cells, seen, images / torch.where(images[:, :1] > 0, images[:, :1], 1.0))

    def __call__(self, views: Tensor, cells: Tensor, finished: bool = False) -> Tensor:
        """The corrected average [B, C, *canonical]; arguments as ``VarianceCorrection`` takes them."""
        strength = self.strength / 2 if finished else self.strength
        if strength == 0 or not bool(self._gain.shared.any()):
            return cells
        own, dtype = self.aggregator.views, torch.promote_types(views.dtype, torch.float32)
        batch, channels, pixels = own.by_view(views.to(dtype))
        plain = WalkedAggregator(own)
        plain.__dict__["total"] = self.aggregator.total
        flat = as_rows(cells.to(dtype))
        mean = flat if self.aggregator.method == "mean" else as_rows(plain(views.to(dtype)))
        of_bands, pictures = plain.begin(6, pixels), plain.begin(batch * (7 * channels + 1), pixels)
        moments = torch.zeros(batch, 3 * channels + 4, dtype=exact_type(own.device), device=own.device)
        for number in plain.counting:
            found = _measured(self._view(number), pixels[:, number], flat, mean)
            pictures.add(number, found.pictures.reshape(len(pictures.sums), -1))
            of_bands.add(number, found.expected.reshape(6, -1))
            moments += found.moments
        measured = pictures.sums.reshape(batch, -1, *own.canonical)
        expected = of_bands.sums.reshape(1, 6, *own.canonical)
        return self._corrected(cells.to(dtype), measured, expected, moments, strength).to(cells.dtype)

    def _corrected(self, cells: Tensor, measured: Tensor, expected: Tensor, moments: Tensor, strength: float) -> Tensor:
        """``VarianceCorrection``'s sum over the bands, from what all views measured."""
        own, seen, channels = self.aggregator.views, self.aggregator.seen, cells.shape[1]
        flat = (-1, channels, *[1] * len(own.canonical))
        g = torch.where(seen, self._gain.gain, 1.0).to(cells).reshape(own.canonical)
        squares, sums, differing = (moments.narrow(1, n * channels, channels) for n in range(3))
        parts, level = moments[:, 3 * channels : -1], moments[:, -1:]
        level = level.to(cells).reshape(-1, *flat[2:], 1) / len(self.aggregator.counting)
        free = (measured[:, -1:] > AGREED * level).to(cells.dtype)
        result, at = cells, 0
        for index in range(len(RADII)):
            power, band = measured[:, at : at + 2 * channels], measured[:, at + 2 * channels : at + 3 * channels]
            factor = missing_contrast(power, expected[:, 3 * index : 3 * index + 3], g, strength)
            result = result + factor * free * band
            at += 3 * channels
        rest = measured[:, at : at + channels]
        everywhere = rest.flatten(2).sum(-1).to(sums) / seen.sum().clamp_min(1)
        # The power of what is left when the mean over all cells is taken away.
        squares = squares - 2 * everywhere * sums + everywhere**2 * parts[:, :1]
        power = torch.cat([squares, differing], 1).to(cells).reshape(-1, 2 * channels, *flat[2:])
        over = parts[:1].to(cells).reshape(1, 3, *flat[2:])
        band = rest - everywhere.to(cells).reshape(flat) * seen.reshape(own.canonical)
        return result + missing_contrast(power, over, g, strength) * free * band


def _measured(view: _View, pixels: Tensor, flat: Tensor, mean: Tensor) -> _Measured:
    """Of a view's pixels [B, C, h*w]; flat, mean [K, B*C]: the average that is corrected, and the weighted mean."""
    views, parts = view.views, view.parts
    batch, channels = pixels.shape[:2]
    _, _, own = views.as_pixels(pixels.reshape(batch, channels, views.height, views.width))
    agreed = views.views_from_pixels(views.forward.apply(flat[view.cells]), batch, channels)
    apart = view.seen.show.apply(view.seen.read.apply(own) - mean[view.cells[view.seen.cell]])
    differing = views.views_from_pixels(apart, batch, channels)
    parts, level = parts.to(agreed.dtype), agreed.square().sum(1, keepdim=True).mean((2, 3))
    mask, pictures, differs = parts[:, :1], list[Tensor](), differing.square().sum(1, keepdim=True)
    for radius in RADII:
        low, low_differing = smoothed(agreed, mask, radius), smoothed(differing, mask, radius)
        band = torch.cat([agreed - low, differing - low_differing], 1)
        pictures += [box(band.square(), radius).clamp_min(0), agreed - low]
        agreed, differing = low, low_differing
    expected = [box(parts, radius).clamp_min(0)[0] for radius in RADII]
    over = (mask * parts).sum((2, 3)).expand(batch, 3)
    squares = [
        (mask * values).to(exact_type(mask.device)).sum((2, 3))
        for values in (agreed.square(), agreed, differing.square())
    ]
    moments = torch.cat([*squares, over, level], 1)
    return _Measured(torch.cat([*pictures, agreed, differs], 1), torch.cat(expected), moments)


def correction_of(aggregator: Averager, strength: float) -> VarianceCorrection | WalkedVariance:
    """The variance correction of an average, stored or walked."""
    if isinstance(aggregator, WalkedAggregator):
        return WalkedVariance(aggregator, strength)
    return VarianceCorrection(aggregator, strength)
