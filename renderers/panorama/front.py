"""A picture with a lens, put on the sphere: what is kept of a panorama that is made around it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..cameras.looks import Look
from .fill import fill_equirect
from .space import check_whole_sphere
from .stitch import stitch_looks


@dataclass(frozen=True)
class Front:
    """``picture`` [rows, 2 rows, C] in 0..1, smooth where the lens did not look; ``open`` [rows, 2 rows]: 0 inside the
    picture, 1 outside of it, fading from one to the other inside of its border."""

    picture: Tensor
    open: Tensor


def on_sphere(image: Tensor, look: Look, width: int, fade: float = 0.0) -> Front:
    """A picture [h, w, C], seen by ``look``, on a panorama ``width`` pixels wide.

    fade: width of the fading border, as a part of the picture's shorter side. Raises ValueError for a width that is
    no panorama's.
    """
    check_whole_sphere("a panorama", width, width // 2)
    height, columns = image.shape[:2]
    border = fade * min(height, columns)
    # Distance of every pixel's middle from the nearest edge.
    down, across = (torch.arange(side) + 0.5 for side in (height, columns))
    edge = torch.minimum(torch.minimum(down, height - down)[:, None], torch.minimum(across, columns - across)[None])
    inside = (edge / border).clamp(max=1) if border > 0 else torch.ones_like(edge)
    joined = stitch_looks((look,), [torch.cat([image.float(), inside[..., None]], -1)], width // 2, width)
    seen = joined.weight > 0
    picture, kept = joined.picture[..., :-1], joined.picture[..., -1]
    return Front(fill_equirect(picture, seen, "smooth").clamp(0, 1), 1 - torch.where(seen, kept, 0.0).clamp(0, 1))
