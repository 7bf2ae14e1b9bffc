"""What an edit of one material to another is judged by, on pictures [3, H, W] in [-1, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from syncpack.sync_core.exemplar.prior import ExemplarPrior
from torch import Tensor

LUMINANCE = torch.tensor([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class EditFigures:
    """share: of the pixels that look more like the target's patches than like the source's. structure: correlation of
    the coarse luminance (blurred as a structure lock does) with the source's. slope: contrast of that drawing, 1 = as
    strong as the source's. residual: rms distance to the nearest patches of the target."""

    share: float
    structure: float
    slope: float
    residual: float


def coarse(image: Tensor) -> Tensor:
    """Luminance in means of 4 x 4 pixels."""
    return F.avg_pool2d((image * LUMINANCE.to(image)[:, None, None]).sum(0)[None], 4)[0]


def nearest(prior: ExemplarPrior, image: Tensor, kind: int) -> Tensor:
    """The picture copied from the nearest patches of one exemplar."""
    words = torch.full((1, prior.n_classes), -1e9)
    words[0, kind] = 0.0
    return prior.denoise(image[None].float(), 0.0, words)[0]


def judged(prior: ExemplarPrior, image: Tensor, source: Tensor, kinds: tuple[int, int]) -> EditFigures:
    """kinds: the classes of the source and of the target."""
    errors = [(nearest(prior, image, kind) - image).square().mean(0) for kind in kinds]
    smooth = [F.avg_pool2d(error[None], 9, 1, 4)[0] for error in errors]
    a, b = coarse(source).flatten(), coarse(image).flatten()
    a, b = a - a.mean(), b - b.mean()
    return EditFigures(
        share=float((smooth[1] < smooth[0]).float().mean()),
        structure=float((a * b).sum() / (a.norm() * b.norm())),
        slope=float((a * b).sum() / a.square().sum()),
        residual=float(errors[1].mean().sqrt()),
    )
