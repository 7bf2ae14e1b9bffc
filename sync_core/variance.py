"""Variance correction: contrast that averaging takes where views disagree, given back in canonical space.

Views x_i = m + d_i whose disagreeing parts d_i are independent with variance v average to A(x) = m + sum_i w_i d_i: of
their variance only g v is left, with the noise gain g = sum_i w_i^2 / (sum_i w_i)^2. At noise
level sigma, with prior variance S^2 and m(t) = S^2 / (S^2 + t), one view knows the picture through noise sigma^2; its
Tweedie estimate shrinks by m(sigma^2). All views together know it through g sigma^2, so their common estimate ought to
shrink by m(g sigma^2) only: what the average lacks is the factor

    m(g sigma^2) / m(sigma^2) = (S^2 + sigma^2) / (S^2 + g sigma^2) = (s^2 + v) / (s^2 + g v)

where s^2 (the agreed part) and v are variances of the estimates themselves, both scaled by m(sigma^2)^2, so neither the
prior nor sigma need be known. With it a Gaussian run from independent noise ends with the prior's variance instead of
g times it; its square root gives the average the contrast of a single view. The factor is 1 where views agree (v = 0)
and where one view sees the cell (g = 1), and never above 1 / g, the number of effective views.

That is exact for s^2 and v that are known. Here they are measured, over few pixels, and what the measure scatters makes
the factor a little too large on average: white Gaussian pictures, identical views, independent noise end with 1.00,
1.06 and 1.11 times the theory's variance for 2, 4 and 8 views (without correction: 0.5, 0.25, 0.125 times).

How views disagree depends on scale: they share what is large long before they share detail. So s^2 and v are
measured per band of scales, and locally, in the views, which are pictures whatever the canonical space is. The result
is made in canonical space: what is projected afterwards stays consistent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from .aggregate import Aggregator
from .linear_map import LinearMap, unique_groups

# Half widths of the boxes between the bands, in view pixels; the last band reaches up to the whole signal.
RADII = (2, 8)

# Cells whose views differ by less than this share of the signal's power are left as they are (rounding, kept pixels).
AGREED = 1e-10


@dataclass(frozen=True)
class Seen:
    """Every (view, cell) that counts: what single views say about single cells.

    ``read`` [pairs, pixels]: mean of the view's pixels that see the cell; ``show`` [pixels, pairs]: f of one view's own
    cells; ``cell`` int64 [pairs]; ``share`` float [pairs]: weight of the view among those that see the cell, sum 1.
    """

    read: LinearMap
    show: LinearMap
    cell: Tensor
    share: Tensor


def seen_by_views(aggregator: Aggregator) -> Seen:
    """The weighted mean of ``aggregator`` taken apart: over pixels inside a view, then over views."""
    views, mean = aggregator.views.to("cpu"), aggregator.mean.to("cpu")
    device = aggregator.views.weights.device
    cell, pixel = mean.row_of_entry, mean.indices.long()
    key, pair, _ = unique_groups(pixel // (views.height * views.width) * views.cells + cell)
    share = torch.zeros(key.numel(), dtype=mean.weights.dtype).index_add_(0, pair, mean.weights.abs())
    read = LinearMap.from_entries(key.numel(), mean.cols, pair, pixel, mean.weights / share[pair])
    # f of a view's own cells, without the pixels that do not count (weight 0).
    wanted = views.view_of_entry * views.cells + views.forward.indices.long()
    place = torch.searchsorted(key, wanted).clamp_max(max(key.numel() - 1, 0))
    known = (key[place] == wanted) if key.numel() else torch.zeros_like(wanted, dtype=torch.bool)
    known &= views.weights[views.forward.row_of_entry] != 0
    show = LinearMap.from_entries(
        views.forward.rows, key.numel(), views.forward.row_of_entry[known], place[known], views.forward.weights[known]
    )
    return Seen(read.to(device), show.to(device), (key % views.cells).to(device), share.to(device))


@dataclass(frozen=True)
class VarianceCorrection:
    """Gives an average of disagreeing views its contrast back. Made once for a view set; holds no run state.

    strength 0..1 is the exponent of the factor above: 1 is what clean estimates lack under a Gaussian prior with
    independent noise, within the scatter of the measure (above), 0.5 gives them the contrast of a single view's
    estimate, 0 is off.
    """

    aggregator: Aggregator
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"variance_correction {self.strength:g}: use a value from 0 (off) to 1")
        if self.strength and self.aggregator.views.combine is not None:
            raise ValueError(
                f"variance_correction {self.strength:g} repairs weighted means, and these views are put together in "
                "another way (parts or planes); use 0"
            )

    @cached_property
    def seen(self) -> Seen:
        return seen_by_views(self.aggregator)

    @cached_property
    def gain(self) -> Tensor:
        """float [K], g: variance of the mean of views that disagree independently with variance 1; 0 on holes."""
        seen, cells = self.seen, self.aggregator.views.cells
        gain = seen.share.new_zeros(cells).index_add_(0, seen.cell, seen.share**2)
        # Exactly 1 where one view is alone: nothing is changed there, to the last bit.
        return torch.where(torch.bincount(seen.cell, minlength=cells) == 1, 1.0, gain)

    def __call__(self, views: Tensor, cells: Tensor, finished: bool = False) -> Tensor:
        """The corrected average [B, C, *canonical].

        views [B*N, C, h, w]: the disagreeing clean estimates; cells [B, C, *canonical]: their average, by either method
        of the aggregator (``least_squares`` is treated with the gain of the mean, the same for windows and close to it
        elsewhere). finished: the views are pictures, not estimates that shrink; they only need the contrast of a single
        view, which is the square root of the factor.
        """
        strength = self.strength / 2 if finished else self.strength
        if strength == 0 or not bool((self.seen.share < 1).any()):
            return cells
        own = self.aggregator.views
        wide = views.to(torch.promote_types(views.dtype, torch.float32))
        batch, channels, pixels = own.as_pixels(wide)
        flat = cells.to(wide.dtype).reshape(batch * channels, own.cells).T
        agreed = own.views_from_pixels(own.forward.apply(flat), batch, channels)
        mean = flat if self.aggregator.method == "mean" else self.aggregator.mean.apply(pixels)
        apart = self.seen.show.apply(self.seen.read.apply(pixels) - mean[self.seen.cell])
        differing = own.views_from_pixels(apart, batch, channels)
        free = self._disagree(agreed, differing)
        result = cells.to(wide.dtype)
        g = torch.where(self.aggregator.seen, self.gain, 1.0).to(wide.dtype).reshape(own.canonical)
        for (agreed_band, differing_band, radius), expected in zip(
            self._bands(agreed, differing), self._expected, strict=True
        ):
            power = self._local(torch.cat([agreed_band, differing_band], 1).square(), radius)
            factor = missing_contrast(power, expected.to(wide.dtype), g, strength) * free
            result = result + factor * self._mean(agreed_band)
        return result.to(cells.dtype)

    @cached_property
    def _unsigned(self) -> LinearMap:
        """The weighted mean for powers, which have no sign."""
        return self.aggregator.mean.with_weights(self.aggregator.mean.weights.abs())

    @cached_property
    def _parts(self) -> Tensor:
        """[N, 3, h, w] for every view pixel: 1 if it counts; the share g of v that is left in the average there; the
        share 1 - 2 w_i + g of v that its view's deviation from the average shows."""
        own, seen = self.aggregator.views, self.seen
        show = seen.show.with_weights(seen.show.weights.abs())
        gain = self.gain[seen.cell]
        columns = torch.stack([torch.ones_like(gain), gain, (1 - 2 * seen.share + gain).clamp_min(0)], 1)
        images = own.views_from_pixels(show.apply(columns), 1, 3)
        return images / torch.where(images[:, :1] > 0, images[:, :1], 1.0)

    @cached_property
    def _mask(self) -> Tensor:
        """[N, 1, h, w]: 1 where a pixel counts, else 0."""
        return self._parts[:, :1]

    @cached_property
    def _expected(self) -> tuple[Tensor, ...]:
        """[1, 3, *canonical] for every band: what its power is measured over, in units of 1, v and v."""
        return tuple(self._local(self._parts, radius) for radius in (*RADII, None))

    def _disagree(self, agreed: Tensor, differing: Tensor) -> Tensor:
        """[B, 1, *canonical]: 0 for cells on which all their views agree, else 1."""
        differs = self._local(differing.square().sum(1, keepdim=True), 0)
        level = agreed.square().sum(1, keepdim=True).reshape(differs.shape[0], -1).mean(1)
        return (differs > AGREED * level.reshape(-1, *[1] * (differs.ndim - 1))).to(agreed.dtype)

    def _bands(self, agreed: Tensor, differing: Tensor) -> Iterator[tuple[Tensor, Tensor, int | None]]:
        """Both parts, split by scale: (agreed, differing, half width of the window their power is measured in)."""
        for radius in RADII:
            low, low_differing = self._low(agreed, radius), self._low(differing, radius)
            yield agreed - low, differing - low_differing, radius
            agreed, differing = low, low_differing
        own = self.aggregator.views
        rest = self._mean(agreed)
        mean = rest.flatten(2).sum(-1) / self.aggregator.seen.sum().clamp_min(1)
        everywhere = mean.reshape(*mean.shape, *[1] * len(own.canonical)).expand(rest.shape)
        yield agreed - own.project(everywhere), differing, None

    def _low(self, views: Tensor, radius: int) -> Tensor:
        """The mean of the pixels around each pixel, background left out."""
        mask = self._mask.to(views.dtype).repeat(views.shape[0] // self.aggregator.views.count, 1, 1, 1)
        return smoothed(views, mask, radius)

    def _local(self, power: Tensor, radius: int | None) -> Tensor:
        """Sums over a window around each view pixel (None: over all views), averaged into canonical space."""
        own = self.aggregator.views
        if radius is None:
            shape = (-1, power.shape[1], *[1] * len(own.canonical))
            counting = power * self._mask.to(power.dtype).repeat(power.shape[0] // own.count, 1, 1, 1)
            return counting.reshape(-1, own.count, *power.shape[1:]).sum((1, 3, 4)).reshape(shape)
        count, channels, pixels = own.as_pixels(box(power, radius).clamp_min(0))
        return own.as_canonical(self._unsigned.apply(pixels), count, channels)

    def _mean(self, views: Tensor) -> Tensor:
        count, channels, pixels = self.aggregator.views.as_pixels(views)
        return self.aggregator.views.as_canonical(self.aggregator.mean.apply(pixels), count, channels)


def missing_contrast(power: Tensor, expected: Tensor, g: Tensor, strength: float) -> Tensor:
    """The factor above less 1, of one band. power [B, 2C, ...]: of the agreed and of the differing part; expected
    [1, 3, ...]: what they are measured over, in units of 1, v and v; g: the gain."""
    channels, tiny = power.shape[1] // 2, torch.finfo(power.dtype).tiny
    ones, gained, spread = expected.unbind(1)
    # (no deviation is expected where one view is alone: what is measured there is rounding)
    v = torch.where(spread[:, None] > 1e-5, power[:, channels:] / spread[:, None].clamp_min(tiny), 0.0)
    s2 = ((power[:, :channels] - gained[:, None] * v) / ones[:, None].clamp_min(tiny)).clamp_min(0)
    more = (1 - g) * v / (s2 + g * v).clamp_min(tiny)
    return torch.expm1(strength * torch.log1p(more))


def smoothed(views: Tensor, mask: Tensor, radius: int) -> Tensor:
    """The mean of the pixels around each pixel of views [n, C, h, w], of those that count in mask [n, 1, h, w]."""
    return within(views, mask, lambda x: box(x, radius))


def within(views: Tensor, mask: Tensor, blur: Callable[[Tensor], Tensor]) -> Tensor:
    """Views [n, C, h, w] blurred, what does not count in mask [n or 1, 1, h, w] having no part in it; 0 there."""
    return mask * blur(views * mask) / blur(mask).clamp_min(1e-20)


def box(x: Tensor, radius: int) -> Tensor:
    """Sums over (2 radius + 1)^2 pixels divided by that area; outside counts as 0. Radius limited to half a side."""
    for axis in (-2, -1):
        r = min(radius, x.shape[axis] // 2)
        if r:
            # Differences of running sums: several times faster on a CPU than pooling.
            sides = (0, 0, r + 1, r) if axis == -2 else (r + 1, r)
            running, size = F.pad(x, sides).cumsum(axis), x.shape[axis]
            width = 2 * r + 1
            x = (running.narrow(axis, width, size) - running.narrow(axis, 0, size)) / width
    return x


def gaussian(sigma: float, dtype: torch.dtype = torch.float64, reach: int | None = None) -> Tensor:
    """[2 r + 1]: samples of a Gaussian of ``sigma`` pixels out to r = ``reach`` (usually 3 sigma), summing to 1.
    sigma 0: one 1."""
    reach = math.ceil(3 * sigma) if reach is None else reach
    steps = torch.arange(-reach, reach + 1, dtype=dtype)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2) if sigma > 0 else torch.ones(1, dtype=dtype)
    return weights / weights.sum()
