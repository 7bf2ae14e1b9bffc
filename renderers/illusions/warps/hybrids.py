"""The warps of a hybrid picture, by what tells its readings apart."""

from __future__ import annotations

from torch import Tensor

from ..warp import Warp
from .bands import HighBand, LowBand, MiddleBand
from .blur import Blur, Scale
from .colour import Colour, Grayscale
from .identity import Identity
from .mask import Masked
from .motion import Motion, Still

HYBRIDS = (
    "near and far",
    "near, middle and far",
    "colour and grey",
    "still and moving",
    "mask",
    "blurred",
    "thumbnail",
)
"""The first reading is always what is seen with open eyes from close up."""


def hybrid_warps(
    kind: str, sigma: float, fine: float, length: float, angle: float, factor: int, mask: Tensor | None
) -> tuple[Warp, ...]:
    """Two or three warps. ``sigma``, ``fine``, ``length`` in sixty-fourths of the shorter side, ``angle`` degrees,
    ``factor`` pixels, ``mask`` [H, W].

    Raises ValueError for a kind that is none, a mask that is missing, or values that a warp refuses.
    """
    if kind == "near and far":
        return HighBand(sigma), LowBand(sigma)
    if kind == "near, middle and far":
        if not fine > 0:
            raise ValueError(f"fine {fine:g}: use more than 0 for three readings, e.g. half of sigma")
        return HighBand(fine), MiddleBand(fine, sigma), LowBand(sigma, fine)
    if kind == "colour and grey":
        return Colour(), Grayscale()
    if kind == "still and moving":
        return Still(length, angle), Motion(length, angle)
    if kind == "mask":
        if mask is None:
            raise ValueError("mask: no mask is connected; connect one, or choose another kind")
        return Masked(mask), Masked(mask, invert=True)
    if kind == "blurred":
        return Identity(), Blur(sigma)
    if kind == "thumbnail":
        return Identity(), Scale(factor)
    raise ValueError(f"kind '{kind}' is unknown; use one of {', '.join(HYBRIDS)}")
