"""Warps of ambiguous images by name; one warp a file."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..warp import Warp
from .bands import HighBand, LowBand, MiddleBand
from .blur import Blur, Scale
from .colour import Colour, Grayscale
from .cone_mirror import ConeMirror
from .custom import Custom
from .cylinder_mirror import CylinderMirror
from .flip import FlipX, FlipY
from .hinge_in_three import HingeInThree
from .identity import Identity
from .inner_circle import InnerCircle
from .jigsaw import Jigsaw
from .mask import Masked
from .motion import Motion, Still
from .negate import Negate
from .patches import PatchPermute, PixelPermute
from .polar import Polar
from .quarter_turn import Rotate90, Rotate180, Rotate270
from .skew import Skew
from .square_hinge import SquareHinge
from .turns import InnerRotate, Rotate

WARPS: tuple[type[Warp], ...] = (
    Identity,
    FlipX,
    FlipY,
    Rotate90,
    Rotate180,
    Rotate270,
    Negate,
    Skew,
    PatchPermute,
    PixelPermute,
    Jigsaw,
    InnerCircle,
    SquareHinge,
    HingeInThree,
    InnerRotate,
    Rotate,
    Blur,
    Scale,
    Polar,
    CylinderMirror,
    ConeMirror,
    LowBand,
    MiddleBand,
    HighBand,
    Grayscale,
    Colour,
    Motion,
    Still,
    Masked,
    Custom,
)
"""Every warp, in the order users meet them."""

WARP_NAMES: tuple[str, ...] = tuple(w.name for w in WARPS)


def warp(name: str, **parameters: Any) -> Warp:
    """The warp of that name. Raises ValueError for another name, or parameters that it has not."""
    for kind in WARPS:
        if kind.name == name:
            known = [f.name for f in fields(kind)]
            unknown = [p for p in parameters if p not in known]
            if unknown:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise ValueError(f"warp {name} has no parameter {', '.join(unknown)}; {has}")
            return kind(**parameters)
    raise ValueError(f"warp '{name}' is unknown; use one of {', '.join(WARP_NAMES)}")
