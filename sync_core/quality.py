"""Figures that judge a result without any pretrained network. Pure functions of tensors; nothing is modified.

Averages are taken in float64 where the device has it. SyncReport shows them: seam ratio, cross-view PSNR,
high-frequency energy, noise floor, coverage.

Which floating point type to add things up in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .steering.features import ConvFeatures, Features, Seen
from .variance import smoothed


def accumulator_dtype(device: torch.device) -> torch.dtype:
    """float64 where the device has it; float32 on Apple's MPS, which does not."""
    return torch.float32 if device.type == "mps" else torch.float64


# Added to no seed of a user's: figures are not to be made by what made the picture.
_OTHER_FILTERS = 0x1A7A
# Of border_energy: details of one pixel, of three and of seven.
BANDS = 3
_MEDIAN_OF_ABSOLUTE_NORMAL = 0.6744897501960817  # median |N(0, 1)|


def _wide(value: Tensor) -> Tensor:
    return value.detach().to(accumulator_dtype(value.device))


def seam_ratio(
    image: Tensor,
    columns: Sequence[int] = (),
    rows: Sequence[int] = (),
    *,
    wrap_x: bool = False,
    wrap_y: bool = False,
) -> float:
    """Mean squared gradient across window borders over that elsewhere: 1 is seamless, above 1 shows seams.

    ``image`` [C, H, W]. A border at column ``b`` lies between pixels b - 1 and b; windows contribute the columns where
    they start and end. 0 and W are the picture's own edge: they count only with ``wrap_x``, where they are one border.
    Rows likewise. Each direction is compared with itself, so a picture of stripes is not mistaken for one with seams.

    Returns:
        The ratio; nan when there is no border or nothing but borders to compare (nothing was measured),
        inf when only the borders have any gradient, 1 for a constant picture.

    Raises:
        ValueError: not [C, H, W], or a border outside the picture.
    """
    if image.ndim != 3:
        raise ValueError(f"seam_ratio needs an image [C, H, W], got shape {tuple(image.shape)}")
    pixels = _wide(image)
    found = expected = 0.0
    borders = 0
    for axis, places, wrap in ((2, columns, wrap_x), (1, rows, wrap_y)):
        inside = _inner_borders(places, image.shape[axis], wrap)
        if not inside:
            continue
        # energy[b]: mean squared step from b - 1 to b; entry 0 is the step around the edge.
        energy = (pixels - pixels.roll(1, dims=axis)).square().mean(dim=[d for d in (0, 1, 2) if d != axis])
        elsewhere = torch.ones_like(energy, dtype=torch.bool)
        elsewhere[inside] = False
        elsewhere[0] &= wrap
        if not bool(elsewhere.any()):
            continue
        # Weighted by the number of border pixels of this direction.
        length = pixels.shape[1] if axis == 2 else pixels.shape[2]
        found += float(energy[inside].sum()) * length
        expected += float(energy[elsewhere].mean()) * len(inside) * length
        borders += len(inside)
    if borders == 0:
        return math.nan
    if expected == 0.0:
        return 1.0 if found == 0.0 else math.inf
    return found / expected


def seam_ratio_of_edges(image: Tensor, left: Tensor, above: Tensor) -> float:
    """``seam_ratio`` for borders of any shape: bool [H, W] masks of the steps (from left, from above) that cross one.

    ``image`` [C, H, W] wraps horizontally. Every row is compared with its own other steps, since the rows of a map of
    the sphere are stretched differently; rows without a border, or with nothing else, do not count.

    Returns and raises as ``seam_ratio``.
    """
    if image.ndim != 3 or left.shape != image.shape[1:] or above.shape != image.shape[1:]:
        raise ValueError(f"seam_ratio_of_edges needs masks {tuple(image.shape[1:])} for {tuple(image.shape)}")
    pixels = _wide(image)
    found = expected = 0.0
    measured = False
    for axis, edges in ((2, left), (1, above)):
        energy = (pixels - pixels.roll(1, dims=axis)).square().mean(0)
        valid = torch.ones_like(edges)
        if axis == 1:
            valid[0] = False
        on, off = edges & valid, ~edges & valid
        rows = on.any(1) & off.any(1)
        usual = (energy * off).sum(1) / off.sum(1).clamp_min(1)
        found += float((energy * on).sum(1)[rows].sum())
        expected += float((usual * on.sum(1))[rows].sum())
        measured |= bool(rows.any())
    if not measured:
        return math.nan
    if expected == 0.0:
        return 1.0 if found == 0.0 else math.inf
    return found / expected


def _inner_borders(places: Sequence[int], size: int, wrap: bool) -> list[int]:
    """Border positions as sorted indices into the steps of a line of ``size`` pixels, the picture's edge removed."""
    for place in places:
        if not 0 <= place <= size:
            raise ValueError(f"window border {place} lies outside a picture of {size} pixels")
    unique = {place % size for place in places}
    return sorted(unique if wrap else unique - {0})


def border_energy(
    image: Tensor, columns: Sequence[int] = (), rows: Sequence[int] = (), reach: int = 2, bands: int = BANDS
) -> tuple[float, ...]:
    """Energy of ``image`` [C, H, W] within ``reach`` pixels of window borders over that elsewhere, for each of some
    bands from fine to coarse: 1 is even, below 1 borders are softened (averages of what differs), above 1 they show.

    Bands are differences of blurs over 1, 3, 7, 15 ... pixels. Borders as in ``seam_ratio``, inside of the picture.
    nan for each band when all of the picture, or nothing, is near a border; 1 for a constant picture.
    ValueError as in ``seam_ratio``.
    """
    if image.ndim != 3:
        raise ValueError(f"border_energy needs an image [C, H, W], got shape {tuple(image.shape)}")
    near = torch.zeros(image.shape[1:], dtype=torch.bool, device=image.device)
    for places, whole in ((_inner_borders(columns, image.shape[2], False), near.T), (rows, near)):
        for place in _inner_borders(places, len(whole), False):
            whole[max(place - reach, 0) : place + reach] = True
    if bool(near.all()) or not bool(near.any()):
        return (math.nan,) * bands
    found: list[float] = []
    pixels = _wide(image)[None]
    inside = torch.ones_like(pixels[:, :1])
    for band in range(bands):
        low = smoothed(pixels, inside, 2**band)
        energy = (pixels - low).square().mean((0, 1))
        elsewhere = float(energy[~near].mean())
        found.append(
            float(energy[near].mean()) / elsewhere if elsewhere > 0 else 1.0 if energy.max() == 0 else math.inf
        )
        pixels = low
    return tuple(found)


def cross_view_psnr(views: Tensor, consistent_views: Tensor, peak: float, covered: Tensor | None = None) -> float:
    """PSNR in dB between views and what the canonical signal shows in their place; inf when they agree exactly.

    ``views`` and ``consistent_views`` [N, C, h, w]; ``peak`` is the value range (1 for images, 2 for [-1, 1]).
    ``covered`` [N, h, w] (bool) leaves out pixels that see nothing. nan when no pixel is left.

    Raises:
        ValueError: shapes that differ, or a peak that is not positive.
    """
    if views.shape != consistent_views.shape:
        raise ValueError(
            f"views {tuple(views.shape)} and consistent views {tuple(consistent_views.shape)} differ in shape"
        )
    if not peak > 0.0:
        raise ValueError(f"peak must be positive, got {peak}")
    square = (_wide(views) - _wide(consistent_views)).square()
    if covered is not None:
        if covered.shape != views.shape[:1] + views.shape[2:]:
            raise ValueError(f"covered must be [N, h, w] for views {tuple(views.shape)}, got {tuple(covered.shape)}")
        square = square.movedim(1, -1)[covered.to(device=square.device, dtype=torch.bool)]
    if square.numel() == 0:
        return math.nan
    error = float(square.mean())
    return math.inf if error == 0.0 else 10.0 * math.log10(peak**2 / error)


def high_frequency_energy(image: Tensor, seen: Tensor | None = None) -> float:
    """Variance of the 4-neighbour Laplacian of ``image`` [..., H, W], inner pixels only: low is blurred.

    ``seen`` (bool, of a shape that goes with the image's): of these pixels alone, such as an object's; nan without any.
    White noise of standard deviation s gives 20 s^2. ValueError below 3 x 3 pixels.
    """
    if image.ndim < 2 or min(image.shape[-2:]) < 3:
        raise ValueError(f"high_frequency_energy needs at least 3 x 3 pixels, got shape {tuple(image.shape)}")
    p = _wide(image)
    centre = p[..., 1:-1, 1:-1]
    laplacian = p[..., :-2, 1:-1] + p[..., 2:, 1:-1] + p[..., 1:-1, :-2] + p[..., 1:-1, 2:] - 4.0 * centre
    if seen is not None:
        laplacian = laplacian[seen[..., 1:-1, 1:-1].to(laplacian.device).expand_as(laplacian)]
    return float(laplacian.var(correction=0)) if laplacian.numel() else math.nan


def noise_floor(image: Tensor) -> float:
    """Standard deviation of the white noise in ``image`` [..., H, W]: median |HH| / 0.6745 of its Haar detail.

    Donoho and Johnstone's estimate; smooth content and few edges hardly move it. An odd last row or column is left
    out. ValueError below 2 x 2 pixels.
    """
    if image.ndim < 2 or min(image.shape[-2:]) < 2:
        raise ValueError(f"noise_floor needs at least 2 x 2 pixels, got shape {tuple(image.shape)}")
    height, width = image.shape[-2] // 2 * 2, image.shape[-1] // 2 * 2
    p = _wide(image)[..., :height, :width]
    detail = (p[..., ::2, ::2] - p[..., ::2, 1::2] - p[..., 1::2, ::2] + p[..., 1::2, 1::2]) / 2.0
    return float(detail.abs().median()) / _MEDIAN_OF_ABSOLUTE_NORMAL


@dataclass(frozen=True)
class CoverageSummary:
    """How often cells are seen: shares of all cells (they sum to 1), and the range of hits."""

    holes: float  # seen by nobody
    once: float
    shared: float  # two hits or more: where synchronisation has something to average
    minimum: float
    mean: float
    maximum: float


def coverage_summary(hits: Tensor) -> CoverageSummary:
    """Summary of ``hits`` [any shape], one count (or number of view pixels) >= 0 per cell. ValueError when empty."""
    if hits.numel() == 0:
        raise ValueError("coverage_summary needs at least one cell")
    wide = _wide(hits)
    if float(wide.min()) < 0.0:
        raise ValueError(f"hits must be at least 0, got {float(wide.min())}")
    seen = wide > 0
    several = wide > 1
    return CoverageSummary(
        holes=float((~seen).to(wide.dtype).mean()),
        once=float((seen & ~several).to(wide.dtype).mean()),
        shared=float(several.to(wide.dtype).mean()),
        minimum=float(wide.min()),
        mean=float(wide.mean()),
        maximum=float(wide.max()),
    )


def intra_distance(crops: Tensor, seen: Tensor | None = None, features: Features | None = None) -> float:
    """How unlike crops [N, C, h, w] are that do not overlap: the mean squared distance of their features, pair by pair,
    over their mean square. 0: all alike; 2: nothing in common. nan below two crops.

    SyncDiffusion (Lee et al. 2023) judges wide pictures so, by LPIPS (Intra-LPIPS) and by Gram matrices of VGG
    (Intra-Style-L). seen: bool [N, h, w], what crops show of an object. features: what to compare by; usually seeded
    filters, whose seed SyncCoherence does not use.
    """
    if len(crops) < 2:
        return math.nan
    read = features or ConvFeatures.of(crops.shape[1], crops.device, seed=_OTHER_FILTERS, filters=24)
    rows: list[Tensor] = []
    for number, crop in enumerate(crops):
        own = read if seen is None else Seen(read, seen[number : number + 1])
        rows.append(own(crop[None].float()))
    found = _wide(torch.cat(rows))
    square = float(found.square().sum(1).mean())
    return between_pairs(found) / square if square > 0 else 0.0


def between_pairs(rows: Tensor) -> float:
    """The mean over pairs of rows [N, F] of |a - b|^2, which is twice their variance."""
    return 2 * float(rows.var(0, correction=1).sum())
