"""One material of a mesh: its base colour, how it is opaque, and the maps beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Alpha = Literal["opaque", "mask", "blend"]


@dataclass(frozen=True)
class Maps:
    """What a material has beside its base colour: kept and written back, never painted (glTF 2.0, 3.9).

    Pictures are float [H, W, 3], row 0 at the top, values as stored: metallic_roughness (green roughness, blue
    metallic), occlusion (red), normal (tangent space, +Y up), emissive (sRGB). Numbers multiply them; emission is the
    emissive factor as pictures are encoded (sRGB). They lie on the part's texture coordinates.
    """

    metallic_roughness: Tensor | None = None
    normal: Tensor | None = None
    occlusion: Tensor | None = None
    emissive: Tensor | None = None
    metallic: float = 0.0
    roughness: float = 1.0
    emission: tuple[float, float, float] = (0.0, 0.0, 0.0)
    normal_scale: float = 1.0
    occlusion_strength: float = 1.0
    unlit: bool = False
    double_sided: bool = True


@dataclass(frozen=True)
class Part:
    """One material of a mesh: its name, and what it looked like in the file.

    texture: float [H, W, 3 or 4] in [0, 1], row 0 at the top, or None; colour: base colour RGBA that multiplies it,
    encoded as pictures are (sRGB); see ``base_colour.py``. alpha: what opacity means; ``opaque``
    ignores it, ``mask`` shows what is at least ``cutoff``, ``blend`` mixes.
    """

    name: str
    texture: Tensor | None = None
    colour: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    alpha: Alpha = "opaque"
    cutoff: float = 0.5
    maps: Maps = Maps()
