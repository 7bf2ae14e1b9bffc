"""The socket SPLAT: the host's own type where it has one, read by its attributes.

positions [B, N, 3], scales [B, N, 3] (linear), rotations [B, N, 4] (w, x, y, z), opacities [B, N, 1], sh [B, N, K, 3],
counts [B] or None where nothing is padded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...renderers.splats.splats import Splats
from .beside import keep_beside, kept_beside
from .types3d import HAS_SPLAT, new_splat

_FIELDS = ("positions", "scales", "rotations", "opacities", "sh")


@dataclass(frozen=True, eq=False, repr=False)
class Splat:
    """One scene as a batch of one, for hosts without a type of their own. ``scene`` is the same with the file it came
    from, which saving follows."""

    scene: Splats

    counts = None

    @property
    def positions(self) -> Tensor:
        return self.scene.positions[None]

    @property
    def scales(self) -> Tensor:
        return self.scene.scales[None]

    @property
    def rotations(self) -> Tensor:
        return self.scene.rotations[None]

    @property
    def opacities(self) -> Tensor:
        return self.scene.opacities[None, :, None]

    @property
    def sh(self) -> Tensor:
        return self.scene.sh[None]

    def _comfy_cache_tensors(self) -> tuple[Tensor, ...]:
        """What newer hosts count when memory is short."""
        return tuple(getattr(self.scene, field) for field in _FIELDS)

    def __repr__(self) -> str:
        return f"Splat({self.scene.name}, {len(self.scene)} splats)"


def to_splat(scene: Splats) -> Any:
    """A scene as the host's nodes and this pack's pass it on: what ``splats_of`` reads as the very same, with its file,
    until a node changes it or its copy."""
    plain = Splat(scene)
    if not HAS_SPLAT:
        return plain
    made = new_splat(**{field: getattr(plain, field) for field in _FIELDS})
    return keep_beside(made, scene, (*_FIELDS, "counts"))


def splats_of(value: Any) -> Splats:
    """The scene of a SPLAT socket. Raises ValueError for an object without its attributes, for more than one scene, and
    as ``Splats``."""
    scene = value.scene if isinstance(value, Splat) else kept_beside(value)
    if isinstance(scene, Splats):
        return scene
    missing = [field for field in _FIELDS if not isinstance(getattr(value, field, None), Tensor)]
    if missing:
        raise ValueError(f"what is connected as splats has no {missing[0]}; connect SyncTweediesLoadSplats")
    batch = value.positions.shape[0]
    if value.positions.ndim != 3 or batch != 1:
        raise ValueError(f"{batch} scenes of splats in one batch; connect one scene")
    counts = getattr(value, "counts", None)
    count = value.positions.shape[1] if counts is None else int(counts[0])
    positions, scales, rotations, opacities, sh = (getattr(value, field)[0, :count] for field in _FIELDS)
    return Splats(positions, scales, rotations, opacities.reshape(-1), sh)
