"""Keeping a drawing: the coarse part of the clean estimate is drawn to that of a reference,

    D <- D + alpha (LP(ref) - LP(D)),

of all channels (DiffuseHigh, Kim et al. 2024, whose guidance is the low band of a wavelet; HiFlow, Bu et al. 2025, for
flow models) or of the luminance alone, so that colours stay free. The low pass is made in the views, where it means the
same on every space, and averaged as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..variance import gaussian, within
from ..walked import Views
from .operators import Change, OperatorRun

Filter = Literal["haar", "gauss"]
FILTERS: tuple[Filter, ...] = ("haar", "gauss")
Channels = Literal["luminance", "all"]
CHANNELS: tuple[Channels, ...] = ("luminance", "all")
DEEPEST = 5


@dataclass(frozen=True)
class CoarseLock:
    """strength: alpha, 0 to 1. until: the fraction of the run after which the model is free; fade: alpha falls linearly
    to 0 until then, else it stays. filter: ``haar``, means of blocks of 2^level cells (idempotent, and exact where
    windows lie on the blocks' grid), ``gauss``, a blur of about that size, for views that turn. reference: latents of
    the views or of the whole picture, as nodes pass them on; None: what the run starts from.

    Raises ValueError for values that are none.
    """

    strength: float = 1.0
    until: float = 0.7
    fade: bool = False
    filter: Filter = "haar"
    level: int = 2
    channels: Channels = "luminance"
    reference: Tensor | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength {self.strength:g}: use 0 (off) to 1 (the reference's drawing itself)")
        if not 0 <= self.until <= 1:
            raise ValueError(f"until {self.until:g} is no part of a run; use 0 to 1")
        if not 1 <= self.level <= DEEPEST:
            raise ValueError(f"level {self.level}: use 1 (blocks of 2 cells) to {DEEPEST} (of {2**DEEPEST})")
        for name, value, known in (("filter", self.filter, FILTERS), ("channels", self.channels, CHANNELS)):
            if value not in known:
                raise ValueError(f"{name} '{value}' is unknown; use one of {', '.join(known)}")

    def alpha(self, progress: float) -> float:
        """How far the coarse part is drawn, a fraction ``progress`` into the run."""
        if progress >= self.until:
            return 0.0
        return self.strength * (1 - progress / self.until if self.fade else 1.0)

    def begin(self, run: OperatorRun) -> Change:
        """See ``CanonicalOperator``. Raises ValueError without a reference, for one of another size, and for the
        luminance of a model of which nobody knows it."""
        views = run.average.views
        reference = run.start if self.reference is None else run.views_of(self.reference)
        if reference is None:
            raise ValueError("nothing to keep the drawing of; connect a reference, or start from a picture")
        size = (views.height, views.width)
        if len(reference) % views.count or tuple(reference.shape[-2:]) != size:
            raise ValueError(
                f"a reference of {len(reference)} latents of {reference.shape[-1]} x {reference.shape[-2]} cells for "
                f"{views.count} views of {size[1]} x {size[0]}; make it of the same space, rig and model"
            )
        direction = None
        if self.channels == "luminance":
            if run.luminance is None:
                raise ValueError("nobody knows the luminance of this model's latents; set channels to all")
            weights = run.luminance.to(reference)
            direction = weights / weights.square().sum().sqrt()
        return partial(self._drawn, run, reference, direction)

    def _drawn(
        self, run: OperatorRun, reference: Tensor, direction: Tensor | None, cells: Tensor, progress: float
    ) -> Tensor:
        alpha = self.alpha(progress)
        if alpha == 0:
            return cells
        views = run.average.views
        shown = views.project(cells)
        wanted = reference.to(shown)
        if wanted.shape[1] != shown.shape[1]:
            raise ValueError(
                f"the reference's latents have {wanted.shape[1]} channels, the model's {shown.shape[1]}; encode it "
                "with the VAE of this model"
            )
        missing = wanted.repeat(len(shown) // len(wanted), 1, 1, 1) - shown
        if direction is not None:
            along = direction.to(missing)[:, None, None]
            missing = (missing * along).sum(1, keepdim=True) * along
        return cells + alpha * run.average(low_pass(missing, _seen(views, missing), self.filter, self.level))


def _seen(views: Views, like: Tensor) -> Tensor | None:
    """float [B*N, 1, h, w]: 1 where a view sees the canonical signal; None where views see nothing else."""
    if views.fully_covered:
        return None
    seen = views.covered.to(like.device, like.dtype)[:, None]
    return seen.repeat(len(like) // len(seen), 1, 1, 1)


def low_pass(views: Tensor, seen: Tensor | None, kind: Filter, level: int) -> Tensor:
    """The coarse part of views [B, C, h, w], of what ``seen`` [B, 1, h, w] says alone (None: of all), 0 elsewhere."""
    if seen is None:
        seen = torch.ones_like(views[:1, :1])
    return within(views, seen, partial(_blocks if kind == "haar" else _blurred, level=level))


def _blocks(picture: Tensor, level: int) -> Tensor:
    """Means over blocks of 2^level cells, at the picture's size; beyond its edges there is nothing."""
    side, (height, width) = 2**level, picture.shape[-2:]
    padded = F.pad(picture, (0, -width % side, 0, -height % side))
    sums = F.avg_pool2d(padded, side)
    return sums.repeat_interleave(side, -2).repeat_interleave(side, -1)[..., :height, :width]


def _blurred(picture: Tensor, level: int) -> Tensor:
    """Blurred by a Gaussian as wide as a block of 2^level cells; beyond its edges there is nothing."""
    sigma = 2**level / 12**0.5
    reach = round(3 * sigma) + 1
    kernel = gaussian(sigma, reach=reach).to(picture).expand(picture.shape[1], 1, 1, -1)
    for weight, pad in ((kernel, (0, reach)), (kernel.transpose(2, 3), (reach, 0))):
        picture = F.conv2d(picture, weight, padding=pad, groups=picture.shape[1])
    return picture
