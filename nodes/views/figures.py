"""Figures of how well views fit together, as lines to read and as JSON for scripts."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from ...sync_core.noise import seen_noise
from ...sync_core.quality import coverage_summary, high_frequency_energy, intra_distance, noise_floor
from ...sync_core.stochastic import disjoint_sets
from ...sync_core.walked import Views
from ..engine.notes import WEAK


@dataclass(frozen=True)
class Figures:
    """Of views [N, C, h, w] and what their picture shows in their place. nan: nothing to measure; inf PSNR: they agree.

    seen_once, seen_by_several, holes: shares of the cells. detail: variance of the Laplacian (low is blurred). noise:
    standard deviation of the finest detail's noise. canonical_noise: how strong the views see a canonical state's noise
    (1 is right; see nodes/engine/notes.py). intra_distance: how unlike views are that do not overlap (quality.py), of
    which there are intra_views; intra_lpips: their mean LPIPS, pair by pair, where it was measured. border_energy:
    energy near borders of windows over that elsewhere, fine to coarse.
    """

    views: int
    seam_ratio: float
    cross_view_psnr: float
    holes: float
    seen_once: float
    seen_by_several: float
    detail_of_views: float
    detail_of_picture: float
    noise_of_views: float
    noise_of_picture: float
    canonical_noise: float
    intra_distance: float
    intra_views: int
    intra_lpips: float = math.nan
    border_energy: tuple[float, ...] = ()

    def lines(self) -> list[str]:
        """What the report says beside seams, agreement and coverage."""
        lines = [f"seen once {100 * self.seen_once:.1f} %, by several views {100 * self.seen_by_several:.1f} %"]
        if math.isfinite(self.detail_of_views) and self.detail_of_views > 0:
            kept = 100 * self.detail_of_picture / self.detail_of_views
            shown = f"{self.detail_of_picture:.4g} ({kept:.0f} %)"
            lines.append(f"fine detail: views {self.detail_of_views:.4g}, their picture {shown}")
        if math.isfinite(self.noise_of_views):
            lines.append(f"noise floor: views {self.noise_of_views:.4g}, their picture {self.noise_of_picture:.4g}")
        if self.border_energy and math.isfinite(self.border_energy[0]):
            shown = ", ".join(f"{value:.2f}" for value in self.border_energy)
            lines.append(f"energy at borders {shown} (fine to coarse; below 1 = softened)")
        if math.isfinite(self.intra_distance):
            lines.append(
                f"intra distance {self.intra_distance:.3f} between {self.intra_views} views that do not overlap (0 = "
                "all look alike)"
            )
        if math.isfinite(self.intra_lpips):
            lines.append(f"intra LPIPS {self.intra_lpips:.3f} between them")
        if self.canonical_noise < WEAK:
            lines.append(
                f"note: these views would see a canonical state's noise at {self.canonical_noise:.2f} of its strength "
                "(processes 4, 5, 6, 49 to 59); process 2 keeps it"
            )
        return lines

    def as_json(self) -> str:
        """One object; figures that are no numbers are null, and ``views_agree_exactly`` tells an infinite PSNR."""
        known = {k: _known(v) for k, v in asdict(self).items()}
        return json.dumps({**known, "views_agree_exactly": self.cross_view_psnr == math.inf}, indent=1)


def _known(value: float | tuple[float, ...]) -> Any:
    """What JSON has a word for."""
    if isinstance(value, tuple):
        return [_known(each) for each in value]
    return value if math.isfinite(value) else None


def figures_of(
    views: Views, given: Tensor, consistent: Tensor, counts: Tensor, seam: float, agreement: float
) -> Figures:
    """given, consistent: [B*N, C, h, w]; counts: views of each cell that can be seen; seam, agreement: measured."""
    seen = coverage_summary(counts)
    alone = apart(views)
    large = min(given.shape[-2:]) >= 3
    return Figures(
        views=views.count,
        seam_ratio=seam,
        cross_view_psnr=agreement,
        holes=seen.holes,
        seen_once=seen.once,
        seen_by_several=seen.shared,
        detail_of_views=high_frequency_energy(given) if large else math.nan,
        detail_of_picture=high_frequency_energy(consistent) if large else math.nan,
        noise_of_views=noise_floor(given) if large else math.nan,
        noise_of_picture=noise_floor(consistent) if large else math.nan,
        canonical_noise=seen_noise(views),
        intra_distance=unlike(views, given, alone),
        intra_views=len(alone),
    )


def apart(views: Views) -> tuple[int, ...]:
    """Views that do not overlap, as many as are found."""
    return max(disjoint_sets(views), key=len)


def unlike(views: Views, given: Tensor, alone: tuple[int, ...]) -> float:
    """The intra distance of the views ``alone`` of view samples [B*N, C, h, w], the mean over the pictures."""
    rows = list(alone)
    seen = None if views.fully_covered else views.covered[rows].to(given.device)
    found = [intra_distance(picture[rows], seen) for picture in given.split(views.count)]
    return sum(found) / len(found)
